//go:build !controls

package broker

// The engine's guards, one for each thing that it must never leave out. They
// are constants, and always on: the compiler removes every branch that they
// name, so the service has no way to switch one off (archtest.TestGuards_*).
// Only a test binary built with the tag controls can (guards_controls.go), to
// prove that the tests go red without it: integration/controls has the table of
// what goes red for which.
const (
	// guardOwnership keeps results of a task that was lost out of a transaction.
	guardOwnership = true
	// guardWholeTask makes a task that was away and came back count as lost.
	guardWholeTask = true
	// guardGeneration puts the generation and the member ID into the offset
	// commit, which is what fences a zombie.
	guardGeneration = true
	// guardRefusedOffsets ends a transaction whose offsets were refused, or not
	// answered for, without EndTxn(commit): the broker would obey.
	guardRefusedOffsets = true
	// guardAddedFirst sends no Produce before AddPartitionsToTxn is answered.
	guardAddedFirst = true
	// guardAnswered sends no EndTxn(commit) when a Produce is unanswered, or
	// refused.
	guardAnswered = true
	// guardOutcome looks up what became of a transaction without an answer,
	// in place of taking it for rolled back.
	guardOutcome = true
	// guardReinit initialises the producer anew after an unknown outcome, so
	// that a delayed EndTxn cannot end the next transaction.
	guardReinit = true
	// guardRepeatedEnd does the same after an EndTxn that was sent twice.
	guardRepeatedEnd = true
	// guardVoid drops the transaction of a takeover that a newer one replaced.
	guardVoid = true
	// guardStateRefusal stops the service when the state topic refuses a record.
	guardStateRefusal = true
	// guardRecycle uses a batch's memory again only when every request that
	// held it was answered.
	guardRecycle = true
	// guardAbortFilter drops the records of aborted transactions.
	guardAbortFilter = true
	// guardReadCommitted does not read past an open transaction of the input.
	guardReadCommitted = true
	// guardEpoch drops fetch answers from before a rewind.
	guardEpoch = true
	// guardNotBefore leaves records of tiers alone until they are due.
	guardNotBefore = true
	// guardStableOffsets waits for offsets that a transaction still holds.
	guardStableOffsets = true
	// guardFenceDead fences former owners that are gone before the offsets are
	// asked for.
	guardFenceDead = true
	// guardFenceHung fences a living owner that keeps a transaction open.
	guardFenceHung = true
	// guardFenceOwn fences an earlier process with our own transactional ID
	// before the offsets are asked for.
	guardFenceOwn = true
	// guardOwnRecord reads the state until past our own owner record, in place
	// of what happens to be stable.
	guardOwnRecord = true
	// guardRestoreAnew begins with an empty state when the log's start was
	// deleted during a restore.
	guardRestoreAnew = true
)
