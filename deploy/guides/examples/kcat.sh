#!/usr/bin/env bash
# Produces three signals with kcat: ./kcat.sh, with PULSE_BROKERS set.
set -euo pipefail
TOPIC=${PULSE_TOPIC_INPUT:-pulse.signals}
SETTINGS=(-b "$PULSE_BROKERS" -X partitioner=murmur2_random -X enable.idempotence=true)

# One record a line, the key before the tab: the name of the signal.
kcat -P -t "$TOPIC" "${SETTINGS[@]}" -K $'\t' <<'X'
nyc_taxi_demand	{"id":"kcat-1","name":"nyc_taxi_demand","value":10844,"source":"nyc-taxi","timestamp":"2014-07-01T00:00:00Z"}
market_hope	{"id":"kcat-2","name":"market_hope","value":0.7,"source":"desk","timestamp":1763922333}
X

# The same as a CloudEvent in binary mode: the attributes are headers, the value is the signal.
kcat -P -t "$TOPIC" "${SETTINGS[@]}" -k cpi -H ce_specversion=1.0 -H ce_id=kcat-3 -H ce_source=/bls -H ce_type=org.example.signal \
  -H content-type=application/json <<'X'
{"name":"cpi","value":3.2}
X
