// Package faultnet is a dialer for tests that puts one fault into a Kafka
// connection: it loses, stalls or delays the answer to one chosen request, or
// the request itself.
//
// It reads the frames that pass (size, API key, correlation ID), so a fault
// hits the third EndTxn and nothing else. It tells when its fault has happened,
// because a fault test that does not prove this has proven nothing.
//
// The service does not use it: it gets in through broker.Connection.Dial, in
// the tests of the engine on the in-process broker and in the integration tests
// on a real one.
package faultnet
