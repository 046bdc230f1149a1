// Package schemas holds the JSON Schemas (draft 2020-12) of what the service
// reads and writes, for its users and for its own tests.
//
// That the decoder accepts what the signal schema accepts, and that every
// result matches the result schema, is proved in internal/codec
// (TestSignalSchema_AgreesWithDecoder, FuzzResult). The README says what a
// schema cannot say.
package schemas

import _ "embed" // the schemas

var (
	//go:embed signal.v1.json
	signal string
	//go:embed result.v1.json
	result string
	//go:embed dead-letter-headers.v1.json
	deadLetterHeaders string
)

// Signal returns the schema pulse.signal/1 of input records.
func Signal() string { return signal }

// Result returns the schema pulse.result/1 of results.
func Result() string { return result }

// DeadLetterHeaders returns the schema of a dead letter's headers, taken as
// one object of name to text.
func DeadLetterHeaders() string { return deadLetterHeaders }
