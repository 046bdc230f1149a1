// Package brokertest is the one compliance suite of the engine. It drives
// broker.Engine through its public API against a broker, produces and reads
// with another Kafka client, and judges what a read_committed reader sees.
// It runs on the embedded broker in make test and on a real Apache Kafka in
// make integration.
//
// Guarantee: a case goes red when the promise in its name is broken. Results
// of the fake record path carry a count and a hash over everything before
// them, so one record lost, doubled, out of order or processed over the wrong
// state changes all results after it; faults on the network say that they have
// fired before anything is judged.
package brokertest
