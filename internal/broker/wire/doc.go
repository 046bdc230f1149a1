// Package wire encodes the Kafka requests that the engine sends itself and
// decodes their responses: complete frames for a raw exchange on a connection.
// It does no I/O.
//
// Guarantees:
//
//   - Requests are byte for byte what an independent implementation writes
//     (TestRequests_AreWhatTheReferenceWrites).
//   - A response that is cut short, is too long, claims impossible lengths or
//     answers another request is an error, never a panic, and never makes the
//     decoder set aside more memory than its size justifies
//     (TestResponses_CutShortAreErrors, FuzzResponses).
//
// Decisions:
//
//   - One version per API, high enough for what the engine needs and known to
//     every broker from Kafka 3.7 on (APIKey.Version). AddPartitionsToTxn,
//     AddOffsetsToTxn, TxnOffsetCommit and EndTxn stay at 3: later versions
//     switch the broker to the second transaction protocol of KIP-890.
//   - Records are fetched by topic ID (Fetch 13, IDs from Metadata 12): by name
//     an offset of a topic that was deleted would be read in its successor, and
//     what lies before it there would be lost without a word (KIP-516).
//   - Every response has Decode, which takes the payload after the size field
//     and checks the correlation ID. The requests have Append, which adds a whole
//     frame; Produce has Pieces, which leaves the batches where they are.
//   - Null strings are empty strings here: no field that the engine uses
//     tells the two apart. An empty instance ID or transactional ID is sent as null.
//   - Strings longer than their length field, which no setting that passed
//     validation can give, are a broken invariant and panic.
//   - Unknown tagged fields are skipped, as the protocol demands.
//   - Error codes are values of the responses. What comes from the network as a
//     code becomes an error in the engine, by [ErrorCode.Err].
package wire
