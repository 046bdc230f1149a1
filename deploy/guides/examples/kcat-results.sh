#!/usr/bin/env bash
# Prints all results there are: ./kcat-results.sh, with PULSE_BROKERS set.
set -euo pipefail
kcat -C -b "$PULSE_BROKERS" -t "${PULSE_TOPIC_OUTPUT:-pulse.signals.scored}" -X isolation.level=read_committed -o beginning -e -q
