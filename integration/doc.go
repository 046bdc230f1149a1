// Package integration runs the service's promises against a real Apache Kafka.
//
// Its tests carry the build tag integration, so that "go test ./..." needs neither a container engine nor a broker; make
// integration runs them. None of them may skip: a suite that ran nothing proves nothing, so where no Kafka can be had they
// fail and say what to do (see kafkatest).
//
// TestCluster_Chaos has a cluster of its own, three brokers from their jars (kafka/up.sh; it needs java, and mvn to bring the
// jars once), because it kills them. Its faults come from a schedule in two lanes that run side by side, so that workers
// fail while a broker is away; a broker is killed only when all replicas are in sync, because two of three replicas are
// what the cluster promises to live on. Each worker reaches the brokers through proxies of its own, one a broker, which
// listeners of the brokers' advertise (KAFKA_LINKS): so one worker's way to one broker can be cut. A fault counts as
// recovered when every partition has committed something that was produced after it. make chaos-cluster does it at length.
package integration
