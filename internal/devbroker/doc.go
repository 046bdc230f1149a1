// Package devbroker is a Kafka broker inside the process, for development and
// tests: kfake of franz-go, on a loopback port that any Kafka client can use.
//
// Guarantee: what the service needs of a broker works here, transactions and
// read_committed included (TestBroker_* with a real client). It is no
// substitute for a real Kafka where it is known to differ: a fenced producer
// can come back to life, offsets held back by a transaction are so for the
// whole group, a static member's restart rebalances, and
// CONCURRENT_TRANSACTIONS never shows. Tests that depend on those run on a
// real broker only.
//
// Decisions:
//
//   - It listens on 127.0.0.1 only: there is no authentication.
//   - One node. Topics asked for with the broker's default replication come
//     out with one replica.
//   - With a data directory its state survives a restart, also a kill without
//     warning, as far as the operating system has written it out. A lock keeps
//     a second process out of the directory.
//   - It takes any topic setting at creation and reports it back, but acts on a
//     few only: cleanup.policy, max.message.bytes, retention and segment sizes.
//     Records of a topic with LogAppendTime keep the producer's time
//     (TestBroker_DoesNotStampAppendTime).
package devbroker
