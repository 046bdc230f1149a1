#!/usr/bin/env bash
# up.sh DIR PORT [NODES]
# Starts a real Kafka from its jars alone, no container: 1 node (default) or several, each broker and controller at once,
# on loopback. Broker i listens on PORT+i, its controller on PORT+100+i. Everything of node i lies in DIR/node-i: pid,
# broker.log, server.properties, data. Prints the bootstrap addresses, comma-separated.
# Nodes that run are left alone and dead ones are started again, so a test kills a node by its pid file and calls this again.
# If a node does not come up, those started by this call are stopped before it fails. Down: down.sh DIR
# The environment can set KAFKA_HEAP (default 512m, 384m a node of several), KAFKA_PROPERTIES, a file of broker
# settings that win over those here, KAFKA_OPTS, words for the JVM, KAFKA_JVM_PERFORMANCE_OPTS, in place of the collector that suits
# many small nodes on two cores and stands still for 150 ms when its heap is full, and KAFKA_LINKS (default 0, at most 4): so many further listeners a node has. Link s of
# node i listens on PORT+10+10s+i and is advertised as PORT+50+10s+i, where a test puts a proxy: whoever starts from there
# reaches the whole cluster through proxies only, and his links can be cut one by one.
# Transaction time-outs and their scan keep the broker's defaults, because a takeover must not wait for them.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/common.sh"

[ $# -ge 2 ] || die "usage: up.sh DIR PORT [NODES]"
mkdir -p "$1"
DIR=$(cd "$1" && pwd)
PORT=$2 NODES=${3:-1}
[[ $PORT =~ ^[0-9]+$ && $NODES =~ ^[1-9]$ ]] || die "PORT and NODES must be numbers, NODES 1 to 9; got '$PORT' and '$NODES'"
LINKS=${KAFKA_LINKS:-0}
[[ $LINKS =~ ^[0-4]$ ]] || die "KAFKA_LINKS must be 0 to 4; got '$LINKS'"
HEAP=${KAFKA_HEAP:-$([ "$NODES" = 1 ] && echo 512m || echo 384m)}
STARTED=()

voters() {
  local i list=
  for ((i = 0; i < NODES; i++)); do list+=${list:+,}$i@127.0.0.1:$((PORT + 100 + i)); done
  echo "$list"
}

# link_listeners prints the further listeners of node I from base port BASE; link_protocols what they speak.
link_listeners() { # I BASE
  local s
  for ((s = 0; s < LINKS; s++)); do printf ',LINK%d://127.0.0.1:%d' "$s" $(($2 + 10 * s + $1)); done
}
link_protocols() {
  local s
  for ((s = 0; s < LINKS; s++)); do printf ',LINK%d:PLAINTEXT' "$s"; done
}

# node_config prints the settings of node I.
node_config() { # I
  local replicas=$((NODES < 3 ? NODES : 3))
  local in_sync=$((replicas > 1 ? replicas - 1 : 1))
  cat <<X
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$(voters)
listeners=PLAINTEXT://127.0.0.1:$((PORT + $1)),CONTROLLER://127.0.0.1:$((PORT + 100 + $1))$(link_listeners "$1" $((PORT + 10)))
advertised.listeners=PLAINTEXT://127.0.0.1:$((PORT + $1))$(link_listeners "$1" $((PORT + 50)))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT$(link_protocols)
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$DIR/node-$1/data
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
# Few internal partitions and threads: the start is quicker and two cores are enough.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=1
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
# A first join otherwise waits 3 s for others.
group.initial.rebalance.delay.ms=0
# Tests make their topics themselves; a misspelt name must not come to life.
auto.create.topics.enable=false
X
  [ -z "${KAFKA_PROPERTIES:-}" ] || cat "$KAFKA_PROPERTIES"
}

# format_node gives an empty data directory its cluster ID; a used one is kept.
format_node() { # NODE-DIR
  [ ! -f "$1/data/meta.properties" ] || return 0
  java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$LIBS_DIR/*" "-Dlog4j2.configurationFile=$1/log4j2.yaml" \
    kafka.tools.StorageTool format -t "$CLUSTER_ID" -c "$1/server.properties" >"$1/format.log" 2>&1 ||
    die "cannot format $1/data: $(grep -m 3 -iE 'exception|error|invalid' "$1/format.log" || tail -n 3 "$1/format.log")"
}

start_node() { # I
  local node=$DIR/node-$1
  alive "$node/pid" "$node/server.properties" && return 0
  ! port_taken $((PORT + $1)) || die "port $((PORT + $1)) is taken by another process; choose another PORT"
  mkdir -p "$node"
  log4j_config "$node"
  node_config "$1" >"$node/server.properties"
  format_node "$node"
  # The log goes on over restarts; what the wait reads begins here.
  touch "$node/broker.log"
  stat -c %s "$node/broker.log" >"$node/log-start"
  # A session of its own: the broker must outlive this script and not get the Ctrl-C meant for it.
  # The options are a list of words.
  # shellcheck disable=SC2086
  LOG_DIR=$node setsid java ${KAFKA_OPTS:-} -Xms128m "-Xmx$HEAP" ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC} -Xss512k -Djava.awt.headless=true -Djava.net.preferIPv4Stack=true \
    "-Dlog4j2.configurationFile=$node/log4j2.yaml" -cp "$LIBS_DIR/*" kafka.Kafka "$node/server.properties" \
    >>"$node/broker.log" 2>&1 </dev/null &
  echo $! >"$node/pid"
  STARTED+=("$1")
}

# wait_node returns when the broker has said that it is up, which it says after the controller has unfenced it.
wait_node() { # I
  local node=$DIR/node-$1 i
  for ((i = 0; i < 900; i++)); do
    if [ "$(tail -c "+$(($(<"$node/log-start") + 1))" "$node/broker.log" | grep -c 'Kafka Server started')" -gt 0 ]; then return 0; fi
    running "$(<"$node/pid")" || die "node $1 died: $(tail -n 20 "$node/broker.log")"
    sleep 0.1
  done
  die "node $1 is not up after 90 s; see $node/broker.log"
}

undo() {
  local status=$? i
  [ $status -ne 0 ] || return 0
  for i in "${STARTED[@]}"; do stop_pidfile "$DIR/node-$i/pid" "$DIR/node-$i/server.properties" 1; done
  exit $status
}

need java default-jre-headless
[ -d "$LIBS_DIR" ] || "$HERE/jars.sh" >/dev/null
trap undo EXIT
for ((n = 0; n < NODES; n++)); do start_node "$n"; done
for ((n = 0; n < NODES; n++)); do wait_node "$n"; done
ADDRESSES=
for ((n = 0; n < NODES; n++)); do ADDRESSES+=${ADDRESSES:+,}127.0.0.1:$((PORT + n)); done
echo "$ADDRESSES"
