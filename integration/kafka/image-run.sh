#!/bin/sh
# /etc/kafka/docker/run of the image that image.sh builds: settings from the environment, then the broker.
set -eu

PROPERTIES=/opt/kafka/config/server.properties
CLUSTER_ID=${CLUSTER_ID:-cHVsc2Utc2NvcmVyLTAwMA}

# settings prints every KAFKA_ variable as the broker setting it stands for: _ is a dot, __ an underscore, ___ a hyphen.
# Variables for the JVM and the logging are left out, as in the official image.
settings() {
  awk 'BEGIN {
    for (name in ENVIRON) {
      if (name !~ /^KAFKA_/ || name ~ /^KAFKA_(.*OPTS|LOG4J_.*|TOOLS_LOG4J_.*|JMX_.*|VERSION)$/) continue
      key = tolower(substr(name, 7))
      gsub(/___/, "\001", key); gsub(/__/, "\002", key); gsub(/_/, ".", key)
      gsub(/\001/, "-", key); gsub(/\002/, "_", key)
      print key "=" ENVIRON[name]
    }
  }'
}

# default_settings prints a single node for clients on the same host.
default_settings() {
  cat <<X
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
advertised.listeners=PLAINTEXT://localhost:9092
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=/var/lib/kafka/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
X
}

settings >"$PROPERTIES"
[ -s "$PROPERTIES" ] || default_settings >"$PROPERTIES"
grep -q '^log.dirs=' "$PROPERTIES" || echo log.dirs=/var/lib/kafka/data >>"$PROPERTIES"

LOGGING=-Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml
java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "$LOGGING" -cp '/opt/kafka/libs/*' \
  kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c "$PROPERTIES"
# The options are lists of words.
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP_OPTS:--Xms128m -Xmx512m} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC} ${KAFKA_OPTS:-} \
  -Djava.awt.headless=true -Djava.net.preferIPv4Stack=true "$LOGGING" -cp '/opt/kafka/libs/*' kafka.Kafka "$PROPERTIES"
