// Package batch writes and reads Kafka record batches of format version 2
// (KIP-98): the bytes that travel inside Produce and Fetch. It does no I/O.
//
// Guarantees:
//
//   - Malformed input ends in an error that names the batch's offset, never
//     in a panic or in a read beyond the given bytes (FuzzNext).
//   - Checksums are checked before anything else is believed
//     (TestNext_RefusesDamage).
//   - A compressed batch costs bounded memory however far it inflates
//     (TestCursor_DecompressionBombIsBounded): up to [Limits].Inflate bytes are
//     held at once; beyond that the batch is walked as a stream, and a part of
//     a record longer than [Limits].Part is given as size and hash only.
//   - Steady state allocates nothing, neither when building nor when reading
//     uncompressed batches (TestBuilder_SteadyStateAllocatesNothing,
//     TestCursor_SteadyStateAllocatesNothing).
//
// Decisions:
//
//   - Keys, values and header values alias the bytes they were read from. They
//     live as long as those: the fetch buffer, or the buffer given to
//     [Cursor.Reset]. In streaming mode ([Cursor.Streaming]) they live until the
//     next record is asked for.
//   - Headers are parsed when asked for ([HeaderParser]): most records have none.
//   - A batch is sealed once and stamped as often as needed. Producer ID,
//     epoch and sequence stand outside the compressed bytes, so a retry under
//     a new epoch costs one checksum and no encoding.
//   - A truncated last batch is how a broker fills up a fetch answer, so it
//     ends the iteration like the end of the bytes does. Message formats 0 and
//     1 are refused: brokers of the supported versions no longer write them.
package batch
