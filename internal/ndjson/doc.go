// Package ndjson reads line-delimited JSON from files and pipes, plain or
// gzip-compressed, without looking at the JSON.
//
// Guarantee: memory is bounded by the line limit whatever comes in; a longer
// line is reported with its size and the next one is found
// (TestReader_LongLineDoesNotEndTheRun). Every line of the input is a line of
// the output, empty ones too, and a last one without line feed; its bytes are
// as they were (FuzzReader).
//
// Decisions: compression is told by the first two bytes, not by the file name,
// so that it works on a pipe as well. Progress counts stored bytes, so that it
// is a share of the file's size also when that is compressed.
package ndjson
