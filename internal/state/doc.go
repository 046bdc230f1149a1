// Package state is what one task remembers: the IDs it has seen, each series (its
// window, or what package series makes of it), the sources, the model, the earlier
// forecasts of each stream and the ledger.
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
//
//   - An ID is 104 bits of its SipHash-128 under a secret key. Senders choose
//     IDs; with an unkeyed hash one could be made to collide with another's,
//     whose signal would be dropped as a duplicate. Under the key hashes are as
//     good as random (Aumasson and Bernstein, SipHash: a fast short-input PRF),
//     so a new ID is taken for one of n known ones with probability n/2^104:
//     5e-25 with 10 million, 2e-12 in ten years of a billion IDs a day; with 64
//     bits a signal would be lost every five years. The content has 32 bits:
//     of conflicts, one in 4 billion is taken for a duplicate. The key is random
//     for a new task and part of its changelog, written with the first batch;
//     without it stored hashes mean nothing, so a changelog that lacks it is
//     refused.
//
//   - 20 bytes a slot, at 15/16 load: 8 of the 104 bits are the shard's number.
//     All included (what is in flight, what waits for merging, what is evicted
//     but still there) 22 to 26 bytes an ID (BenchmarkScale_Memory, and
//     TestTask_TakesFewBytesAnID).
//
//   - IDs live in segments, which are what the changelog stores and what
//     expires. The newest segment is rewritten until it holds 16 IDs (or is
//     older than a sixteenth of the window), so that a slow task writes little
//     and a fast one few records. An ID that is remembered again moves to the
//     newest segment; in the changelog the highest segment wins, and within a
//     segment the last entry.
//
//   - Small segments are merged at 256 and at 4,096 IDs, in the batch that
//     closes the last of them: the merged one takes the key of the last, says
//     how many numbers it covers, and the other keys get tombstones. So there
//     is nothing between before and after, whatever crashes; a reader that finds
//     both takes the merged one. An ID is written by two merges at most
//     (TestSeal_MergesWriteAnIDTwiceMoreAtMost), and its entry is held beside the
//     table until then: for one segment at most (TestSeal_HoldsFewIDsForMerging).
//
//   - Expiry goes by the commit clock: the time handed to Seal, made monotone
//     for the task and stored. A record's own time would let one wrong clock
//     upstream empty the set. Segments go in bulk, once a sixteenth of the IDs
//     or of the window has passed: an ID is kept for the window at least, unless
//     the bound on their number bites first, and for 9/8 of it and two pauses
//     between batches at most.
//
//   - Eviction moves a floor. IDs below it count as unknown at once, but their
//     slots stay until the batch has committed, so taking an eviction back
//     costs nothing. Then each commit takes them out of as many of the table's
//     256 shards as it has brought IDs for (TestCommit_SpreadsRemovalOverBatches).
//     In one go it took 70 ms at a million IDs and 440 ms at ten; now a commit of
//     10,000 IDs takes 1.2 ms on average and 9 ms at most with either
//     (BenchmarkScale_Memory).
//
//   - A window is written as a delta where that is shorter (window.go). Deltas
//     need a key of their own, since compaction keeps one record of a key: a
//     compacted topic holds both, at most twice the window. What a record of 50
//     values a window cost before and costs now, in bytes of keys and values:
//
//     series of the task         125         1,250
//     records of a batch      100   1,000    1,000   10,000
//     wholes only             417      52      362       46
//     with deltas             105      27       96       25
//
//     (BenchmarkScale_Changelog.)
//
//   - A series or a model is a machine: what it was given takes it from state to
//     state, the same each time. So a batch is taken back with a copy of each
//     machine that it has advanced, and the steps up to a point are taken again
//     (machine_undo.go; TestMachines_UndoIsExact); the copies come from a pool
//     (TestMachines_TheSteadyStateAllocatesNothing). And the changelog holds a
//     machine once in 32 batches or 256 steps, and the steps between, 10 to 20
//     bytes each (machine_changelog.go). Bytes a step, keys and all, for a machine
//     of 4 KB (TestSeal_WritesStepsInsteadOfMachines):
//
//     steps of a batch             1      4     16     80    256
//     wholes only              4,041  1,010    253     51     16
//     with steps                 164     47     24     19     12
//
//     A series takes 2.6 KB in memory after 400 observations, 2.2 KB of them its
//     detector's, and 5 KB at most (TestStats_BytesOfASeries); as much again for each
//     outstanding batch that advances it.
//
//   - With many series nearly every record is of one that no cache holds, and what
//     counts is how often it waits for memory. So rows are found by an index of one
//     slot a series (machine_index.go) and not by Go's map, hold their own names, and have
//     512 bytes; sealing reads 32 of them one right after the other. A new series is
//     in the changelog as its steps, until these take three times what an empty
//     series does; a series of few observations would else cost a whole of 0.4 KB with
//     its first and with every sixth (TestSeal_ANewSeriesIsItsSteps). Steps that came
//     before the last whole stay in a compacted topic until their slots are used again:
//     a restore reads 33 records a series at most, and passes those over.
//
//   - What remains are the waits themselves. A record's place in the table of IDs and
//     in the index follows from its bytes, so who reads ahead has both fetched, and then
//     the row, while others are processed (prefetch.go). With a million series, three
//     rounds in turns, a record cost 7 % less processor time and took 14 % less time
//     (4 to 9, 2 to 19). To fetch what a grown series has beside its row, too, gained
//     nothing.
//
//   - Steps that a restore finds are taken when the series is asked for. Else a
//     worker that takes over a task would take those of all its series first.
//
//   - A task remembers 10,000 sources: senders choose the names. Of more the one is
//     forgotten whose last record is the longest ago; should it come back, it is
//     reliable until it shows otherwise, like any new one. That is about 2 MB with
//     short names. A record of the changelog says when a source was used last, so
//     that a restore forgets the same ones (TestSources_BehaveLikeANaiveList).
//
//   - What profiles of the other kind have written rests in the changelog
//     (resting.go).
//
//   - Restore keeps segments as they came and fills the table at the end, from
//     those that are left, in a table of the right size. What a changelog has
//     beside them costs a copy.
//
//   - What an older release wrote is read (TestRestore_ReadsFormatOne); what a
//     newer one wrote is refused with the key, the version and what to run.
//
//   - A forecast is one changelog record, in one of 128 slots of its stream. A
//     hundred of them in one value would be rewritten for each new one and
//     could outgrow what a topic takes.
//
//   - IDs whose signals wait to be tried again are kept apart from the segments,
//     each under a key of its own: they must outlive every eviction
//     (TestAwait_NeverEvicts), and few wait. What waited and ended within one
//     batch leaves nothing behind (TestSeal_WritesNothingOfAWaitThatIsOver).
//
//   - Records parked behind a waiting one are opaque bytes under "q/", series,
//     number and part (the design's park/<series>/<n> in this changelog's form of
//     keys): one record may be larger than what a topic takes
//     (TestPark_WritesLargeRecordsInParts). Numbers begin anew once a queue was
//     empty. How many wait and are parked is in the ledger, so that a changelog
//     that lost one is refused.
//
//   - A batch that changed nothing writes nothing, nor does it expire
//     anything: an idle task has no transactions.
//
// The kinds of changelog keys, by their first two bytes: "k/" the hash key,
// "m/" the segments' bounds and the clock, "s/" a segment, "w/" a window,
// "d/" what came after it, "f/" a forecast, "l/" the ledger, "p/" an ID
// that waits, "q/" a part of a parked record, "n/" the not-before time that a
// tier was given last, "v/" a series, "o/" steps it took since, "u/" a source,
// "y/" the model, "z/" what it learned since. Keys that
// start with a zero byte belong to the engine. Every value starts with its format version.
package state
