// Package pipeline is the record path: what happens to one record, from its
// bytes to its outcome, in one task.
//
// path.go reads top-down as the way of a record:
//
//	decode → dedupe → ingest → enrich → score → emit
//
// The guarantee: Process ends every record in exactly one Outcome (scored,
// duplicate, dead) and never fails; bad input is a value, not an error, and a
// panic in a stage is a dead letter with its stack. Nothing here is visible
// before the engine commits the batch: outputs go to a Sink, state changes can
// be rolled back, and metrics count when the batch has committed.
//
// Decisions:
//
//   - Process reads no wall clock for anything that is scored: a record's "now"
//     is its Kafka timestamp. The injected clock only stamps dead letters and
//     times stages.
//   - A stage is a plain function over (state, record), wired in path.go. To
//     add one: write it in the scoring package, give it a Stage constant, call
//     it in evaluate between the stages it belongs to. What it changes in the
//     state is undone when it or a later stage panics.
//   - What ingest has changed stays then: the observation was real, and others
//     may have been judged by it. Its ID is remembered as dead; when it comes
//     again it is scored against its series, not ingested a second time.
//   - A panic's stack is told as one line of functions, without addresses: the
//     same fault gives the same dead letter, and the header stays small.
//   - A dead letter whose value is withheld also does without key and original
//     headers when these are large: the broker that refused the record once
//     would refuse it for ever, and the partition would stand still.
//   - Stage durations are sampled (one record in 64): two clock readings a
//     stage would cost more than most stages.
package pipeline
