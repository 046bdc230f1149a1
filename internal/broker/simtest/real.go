package simtest

// RealCell is a part of the matrix of which the in-process broker does not tell
// the truth.
type RealCell struct {
	// Cells says which.
	Cells string
	// Differs says what kfake does otherwise.
	Differs string
	// Test holds the cells on a real Kafka; Case is the case of its suite.
	Test, Case string
}

// RealCells are held on a real Kafka. TestSimulation_RealCellsHaveTheirTests sees
// to it that the tests exist.
func RealCells() []RealCell {
	const suite = "TestEngine_OnARealKafka"
	return []RealCell{
		{
			"pause at add partitions, produce, commit offsets, before end of transaction",
			"a fenced producer comes back to life when it initialises with its old epoch; a Kafka refuses it for good",
			suite, "Zombie_WritesNothingAndMovesNoOffset",
		},
		{
			"pause in a takeover: fence, owner record, its offsets, before its end",
			"the same",
			suite, "Zombie_InATakeoverWritesNothing",
		},
		{
			"crash at each request of a transaction: the time to the successor's first commit",
			"unstable offsets are those of the whole group: a successor waits for transactions of other tasks too",
			suite, "CrashInATransaction_LosesAndDoublesNothing",
		},
		{
			"a member joins at add partitions, commit offsets and before end of transaction, and takes a task with an open transaction",
			"unstable offsets are those of the whole group",
			suite, "Takeover_FromALivingMemberIsOneOrTheOther",
		},
		{
			"after end of transaction: the next transaction at once",
			"markers are written at once: no CONCURRENT_TRANSACTIONS, and nothing lands in the transaction before",
			suite, "Transactions_FollowEachOtherAtOnce",
		},
		{
			"in drain and restart, of a static member",
			"a static member's restart rebalances",
			suite, "StaticMember_RestartMovesNothing",
		},
		{
			"crash in a transaction, of a static member",
			"a static member's restart rebalances",
			suite, "StaticMember_KilledInATransactionGoesOnAtOnce",
		},
		{
			"pause, of a static member that is replaced meanwhile",
			"the group forgets the replaced one",
			suite, "StaticMember_ReplacedStopsForGood",
		},
		{
			"delayed, lost and stalled at each request",
			"an end of transaction that comes late meets a coordinator without log: what it overtakes is decided at once",
			"TestFaults_EachRequest", "",
		},
		{
			"crash and pause, with kill -9 and the timers stopped as well",
			"a worker here is no process",
			"TestChaos", "",
		},
	}
}
