// Package deadletter knows what can be done with dead letters: which of them
// somebody means, what has been decided about each, and how one goes back. It does
// no I/O; package app reads and writes for it.
//
// # Guarantee
//
// A letter is sent back once, however often a redrive is interrupted, killed or
// run beside another one: the record that goes back, the mark that says so and the
// offset of the redrive's own group are one transaction
// (TestTransactor_AKilledOneLeavesNothing,
// TestDLQ_InterruptedNothingIsSkippedOrSentTwice).
//
// # Marks
//
// What has been decided about letters (sent back, held, released) is written
// behind them into the dead-letter topic, as marks: records with the header
// pulse-dlq-mark whose value names offsets of the same partition. The standing of
// a letter is what the last mark that names it says. Other places were thought of:
//
//   - The offset of a group alone can say "all before this one", and nothing about
//     those that a filter has passed over: with --class they would be skipped for
//     ever, or everything sent twice. It is committed all the same, as the place
//     where reading begins: all letters before it are dealt with. It can be lost
//     (offsets expire): the marks know.
//   - Writing held letters anew to the end of the topic doubles their bytes, tears
//     them out of order, and readers of the topic would count them twice.
//   - The state topic is the engine's: a task has one writer.
//
// Marks are never younger than their letters, so retention deletes a letter first.
// Whoever reads the topic with other tools passes over records that have the
// header.
//
// # Where a letter goes
//
//   - To the first retry tier, due at once, when its record was ingested (it has
//     pulse-progress) and there are tiers: it goes on at the stage that failed, and
//     its result names the input record it was from the beginning.
//   - To the input otherwise: same key, value and partition, a new record. The time
//     at which it arrived first goes with it, or a signal without timestamp would be
//     another one each time.
//   - Nowhere: a record without value (a tombstone) is nothing that could be scored;
//     a value that was withheld is not there; and one that came back as often as
//     --max-redrives allows would go round for ever. They are held, with the reason.
package deadletter
