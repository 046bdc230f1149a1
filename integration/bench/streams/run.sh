#!/usr/bin/env bash
# run.sh BROKERS IN OUT GROUP PARTITIONS
# Works as the comparison on Kafka Streams (Main.java), which build.sh has built, until it is told to end (SIGTERM).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../../kafka/common.sh"

JARS=$HERE/../../../.cache/bench/streams/jars
need java default-jre-headless
[ -f "$JARS/streams.jar" ] || die "$JARS/streams.jar is missing; build it with $HERE/build.sh"
LOG=-Dorg.slf4j.simpleLogger
# exec: the process that is measured, and told to end, is Java's. StreamsConfig only warns of what a later version will do.
exec java -Xmx1g "$LOG.defaultLogLevel=warn" "$LOG.log.org.apache.kafka.streams.StreamsConfig=error" -cp "$JARS/*" pulse.bench.Main "$@"
