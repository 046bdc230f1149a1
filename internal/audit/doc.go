// Package audit does the accounts: it is told what lies in the input, results
// and dead-letter topics of one partition and says what became of each input
// offset, and what does not add up. It does no I/O.
//
// # Guarantee
//
// Each record of the audited range has exactly one outcome: scored, pending,
// dead, duplicate, lost, or not provable. Highest counts: scored before pending
// before dead. A record without any is a duplicate when a scored or pending record
// of the partition holds its ID, and lost otherwise. What retention has deleted is
// never called lost, nor balanced (TestBook_AgreesWithANaiveModel).
//
// # Memory
//
// One partition at a time: 9 bytes an input offset of the audited range, 8 for
// each result whose input lies outside it, 16 for each input record without an
// outcome of its own, 24 for each ID that has several results
// (TestBook_MemoryIsBounded measures it). No text is kept: an ID is a 64-bit hash
// under a key of this process, so that two IDs of a partition with a million
// results are taken for one with a probability under 1 in 30 million, and nobody
// can make them collide.
//
// # Decisions
//
//   - Retention cuts off the beginning of a topic. The first result that is left
//     names an input offset; records before that, without an outcome, may have had
//     a result that is deleted: they are not provable. Records after it may still
//     be duplicates of signals whose results are deleted, as long as the service
//     could remember those: for twice the dedupe window from the first result
//     that is left. The same goes for dead letters, which make no duplicates.
//   - An ID that has results for several offsets, or several for one, is looked at
//     in a second reading of the results (Book.Repeats): only results nearer to
//     each other than the dedupe window, in time and in number, are a fault.
//     Beyond it the service may forget an ID; that is said, not held against it.
//   - The ledger in the state counts what was committed with it. It is read before
//     and after the results; so what it said before must be there, and not more
//     may be there than it says after. While nothing runs the two are equal, and
//     the agreement is exact. A group that was set back reads records again, so
//     its counts of records and duplicates may be higher than the topics', never
//     lower.
//   - An input topic that was deleted and made again begins its offsets anew, and
//     results do not say of which topic they are. Those of the old one are then
//     wrong or stray: this says so rather than guess which are which.
//   - To the audit a signal without a source and one that names the default source
//     are of one source: a result does not say which it was. The content of a
//     duplicate is not compared.
package audit
