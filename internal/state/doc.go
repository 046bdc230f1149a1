// Package state is what one task remembers: the IDs it has seen, the window of
// each series, the earlier forecasts of each stream and the ledger.
//
// It promises that after Commit, Rollback and Undo a Task equals what it was
// at that point, and that the records which Seal wrote bring back exactly the
// committed state, whichever worker restores them
// (TestTask_BehavesLikeNaiveModel). It knows no topic, no clock and no lock:
// exactly one goroutine touches a Task at a time.
//
// Decisions:
//
//   - In place, with an undo log. While Kafka commits one batch the next is
//     computed over it, so two are outstanding at most: the sealed one and the
//     open one. An overlay for each would be looked up on every access and
//     merged on every commit; instead the state is changed in place and each
//     change notes how to take it back. Commit forgets the notes of the sealed
//     batch, Rollback takes both batches back (the open one was computed over
//     the sealed one, so it cannot survive it), and a Mark within the open
//     batch lets a failing stage's changes go while earlier ones stay.
//   - An ID is its SipHash-128 under a secret key. Senders choose IDs; with an
//     unkeyed hash one could be made to collide with another's, whose signal
//     would be dropped as a duplicate. Equal on all 128 bits is equal. The key
//     is random for a new task and part of its changelog, written with the
//     first batch; without it stored hashes mean nothing, so a changelog that
//     lacks it is refused.
//   - IDs live in segments, which are what the changelog stores and what
//     expires. The newest segment is rewritten until it holds 64 IDs (or is
//     older than a sixteenth of the window), so that a slow task writes little
//     and a fast one few records. An ID that is remembered again moves to the
//     newest segment; in the changelog the highest segment wins, and within a
//     segment the last entry.
//   - Expiry goes by the commit clock: the time handed to Seal, made monotone
//     for the task and stored. A record's own time would let one wrong clock
//     upstream empty the set. Segments go in bulk, once a sixteenth of the IDs
//     or of the window has passed, because removal looks at the whole table:
//     an ID is kept for the window at least, unless the bound on their number
//     bites first, and for 9/8 of it and two pauses between batches at most.
//   - Eviction moves a floor. IDs below it count as unknown at once, but their
//     slots stay until the batch has committed, so taking an eviction back
//     costs nothing.
//   - A forecast is one changelog record, in one of 128 slots of its stream. A
//     hundred of them in one value would be rewritten for each new one and
//     could outgrow what a topic takes.
//   - A batch that changed nothing writes nothing, nor does it expire
//     anything: an idle task has no transactions.
//
// The kinds of changelog keys, by their first two bytes: "k/" the hash key,
// "m/" the segments' bounds and the clock, "s/" a segment, "w/" a window,
// "f/" a forecast, "l/" the ledger. Keys that start with a zero byte belong to
// the engine. Every value starts with its format version.
package state
