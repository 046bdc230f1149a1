// Package sample holds real signals and forecasts, embedded in the binary, so
// that one command shows the service at work on a machine without network.
// data/README.md says where they come from and under which licence.
//
// Guarantee: the files have as many records as Files says, each with an ID of
// its own (TestFiles_HoldWhatTheySay).
package sample
