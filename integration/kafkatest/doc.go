// Package kafkatest gives integration tests the address of a real Apache Kafka.
//
// Two ways, chosen by the environment: PULSE_TEST_BROKERS names a cluster that runs already; otherwise testcontainers-go starts
// one broker from PULSE_TEST_KAFKA_IMAGE, by default the official image of the version that the scripts in integration/kafka
// take their jars from, so that both ways test the same broker. An image of one's own (integration/kafka/image.sh) has to keep
// the official image's contract: KAFKA_ variables and /etc/kafka/docker/run.
//
// The container has the broker's default transaction time-outs. Only what makes a single small node start (replication factor 1,
// few internal partitions) and what makes tests quick without changing a rule (no wait before a group's first
// rebalance) is set.
package kafkatest
