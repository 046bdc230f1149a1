// Package schemas holds the JSON Schemas (draft 2020-12) of what the service
// reads and writes, for its users and for its own tests.
//
// That the decoder accepts what the signal schema accepts, and that every
// result matches the result schema, is proved in internal/codec
// (TestSignalSchema_AgreesWithDecoder, FuzzResult); that every model snapshot matches
// its own, in internal/learn (TestSnapshot_MatchesItsSchema). The README says what a
// schema cannot say.
package schemas
