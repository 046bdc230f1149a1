// Package pipeline is the record path: what happens to one record, from its
// bytes to its outcome, in one task.
//
// path.go reads top-down as the way of a record:
//
//	Process: admit (decode → dedupe → ingest) → complete (enrich → score → emit)
//	Finish:  external enrichers between the two, for a batch at a time
//
// The guarantee: every record ends in exactly one Outcome (scored, duplicate,
// dead), at once or after it was retried or parked, and nothing here fails; bad
// input is a value, not an error, and a panic in a stage is a failure with its
// stack. Nothing here is visible before the engine commits the batch: outputs go
// to a Sink, state changes can be rolled back, and metrics count when the batch
// has committed. Whatever fails, is rolled back, restarted or held: no signal has
// two results or none, and with key order no series is reordered
// (TestRetry_NoScheduleLosesDoublesOrReorders).
//
// What happens to a record that fails, by class (pulse.Class.Severity is the one
// table, package retry the one policy):
//
//	bad        dead letter at once (TestPath_EveryBadClassIsADeadLetter)
//	transient  retry tier, then the next, then a dead letter
//	           (TestRetry_GoesOnAtTheFailedStage, TestRetry_EndsWhenTheTiersAreUsedUp)
//	systemic   nothing is decided until it is over (TestFinish_HoldsWhileAnEnricherIsDown)
//
// Decisions:
//
//   - Process reads no wall clock for anything that is scored: a record's "now"
//     is the Kafka timestamp it first arrived with. The injected clock only stamps
//     dead letters, sets not-before times and times stages.
//   - A stage is a plain function over (state, record), wired in path.go. To
//     add one: write it in the scoring package, give it a Stage constant, call
//     it in complete between the stages it belongs to. What it changes in the
//     state is undone when it or a later stage panics.
//   - What ingest has changed stays then: the observation was real, and others
//     may have been judged by it. Its ID is remembered as dead; when it comes
//     again it is scored against its series, not ingested a second time.
//   - Only what was ingested is tried again: before that nothing fails that could
//     succeed. The retry carries what the stages have found (pulse-progress), so
//     that the next try ingests nothing; answers of enrichers go along up to 2 KiB
//     and are asked for again beyond that. A dead letter carries the same, to be
//     sent back to the stage that failed.
//   - From the first failure to its end a signal's ID is pending. A record of a
//     tier whose ID is pending is the one that waits; any other was sent back by a
//     person, and counts as a new record in the ledger. So
//     in = scored + duplicate + dead + pending, however often one comes
//     (TestRetry_AWaitingSignalIsScoredOnceHoweverOftenItComes). One that cannot
//     be decoded any more ends its wait all the same, by the token in its progress
//     (TestRetry_AWaitEndsWithItsRecordWhateverIsWrongWithIt).
//   - With external enrichers Process keeps copies of records as far as they are
//     ingested, and Finish asks for all of them at once, then decides in the order
//     in which they were taken. Without, Process does all of it, with nothing kept
//     and nothing allocated (TestProcess_AllocatesNextToNothingForRawSignals).
//   - A hold is an answer, not an error. HoldAll keeps the batch in the task as it
//     is: those with an answer keep it. HoldInput refuses a record before anything
//     has changed, so the bounds on pending IDs and parked records are never
//     passed (TestOrder_HoldsTheInputAtTheBound).
//   - Parked records are released by Finish alone, whatever PULSE_RETRY_ORDER says
//     by then. One that fails in its turn waits in a tier, and the rest behind it.
//     What a person sends back has lost its place and waits behind nobody.
//   - A panic's stack is told as one line of functions, without addresses: the
//     same fault gives the same dead letter, and the header stays small.
//   - A dead letter whose value is withheld also does without key and original
//     headers when these are large: the broker that refused the record once
//     would refuse it for ever, and the partition would stand still.
//   - A record of the input is decoded while two others are still before it (prefetch.go),
//     and what the state has of it is fetched from memory meanwhile: with a million series
//     that saves a quarter of a microsecond. Decode and dedupe take over what is known; the
//     rest of the path does not see a difference. Records of tiers, those that wait for
//     external enrichers and those whose stages are timed are decoded in their turn.
//   - Stage durations are sampled (one record in 64): two clock readings a
//     stage would cost more than most stages.
package pipeline
