package controls_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// control is one guard with what must go red without it.
type control struct {
	guard   string
	promise string
	// cases of brokertest, on either broker.
	cases []string
	// faults are cases of the fault matrix, on either broker.
	faults []string
	// units are tests of package broker, which need no real broker.
	units []string
}

func table() []control {
	const living = "Takeover_FromALivingMemberIsOneOrTheOther"
	return []control{
		{
			guard: "ownership", promise: "results of a lost task commit in no transaction",
			cases: []string{living}, units: []string{"TestTransaction_IsVoidWhenItsTaskWasAway"},
		},
		{
			guard: "whole-task", promise: "a task that was away and came back is taken anew",
			cases: []string{"Takeover_ATaskThatCameBackIsTakenAnew"}, units: []string{"TestGeneration_HoldsWhatWasNeverAway"},
		},
		{
			guard: "generation", promise: "a zombie moves no offset: they commit under generation and member ID",
			cases: []string{living},
		},
		{
			guard: "refused-offsets", promise: "a transaction whose offsets were refused is not ended with commit",
			cases: []string{living},
		},
		{
			guard: "added-first", promise: "nothing is written before AddPartitionsToTxn is answered",
			cases: []string{"Transactions_NothingIsWrittenBeforePartitionsAreAdded"},
		},
		{
			guard: "answered", promise: "no EndTxn while a Produce is unanswered",
			faults: []string{"Produce_4_request_lost"},
		},
		{
			guard: "outcome", promise: "an unknown outcome is looked up, not assumed",
			faults: []string{"EndTxn_4_answer_lost"},
		},
		{
			guard: "reinit", promise: "after an unknown outcome the producer is initialised anew",
			faults: []string{"Produce_4_answer_lost"},
		},
		{
			guard: "repeated-end", promise: "and after an EndTxn that was sent twice",
			units: []string{"TestCommitter_GetsANewEpochAfterARepeatedEnd"},
		},
		{
			guard: "void", promise: "a takeover that was replaced writes no old offsets",
			units: []string{"TestCommitter_LeavesAVoidTakeover"},
		},
		{
			guard: "stable-offsets", promise: "a task goes on from offsets that no transaction holds",
			cases: []string{living},
		},
		{
			guard: "fence-dead", promise: "the dead are fenced, in place of waiting for their time-out",
			cases: []string{"Takeover_FencesTheDeadBeforeItAsksForOffsets"},
		},
		{
			guard: "fence-hung", promise: "so is a living owner that hangs",
			cases: []string{"Takeover_FencesALivingOwnerThatHangs"},
		},
		{
			guard: "fence-own", promise: "and an earlier process with our own transactional ID",
			cases: []string{"StaticMember_KilledInATransactionGoesOnAtOnce"},
		},
		{
			guard: "own-record", promise: "state is read until past the own owner record",
			cases: []string{"Takeover_RestoresPastItsOwnRecord"},
		},
		{
			guard: "restore-anew", promise: "a restore begins with empty state when the log's start was deleted",
			units: []string{"TestRestore_BeginsAgainWhenTheLogsStartIsGone"},
		},
		{
			guard: "abort-filter", promise: "records of aborted transactions are not processed",
			cases: []string{"Input_AbortedIsNotProcessed"}, units: []string{"TestAborted_TheSameBatchAgainGivesTheSame"},
		},
		{
			guard: "read-committed", promise: "nor those of open ones",
			cases: []string{"Input_OpenTransactionHoldsBack"},
		},
		{
			guard: "epoch", promise: "input fetched before a rewind is not taken for what follows it",
			units: []string{"TestFetch_AnswersFromBeforeARewindAreVoid"},
		},
		{
			guard: "not-before", promise: "no record of a retry tier is tried before its time",
			cases: []string{"Tiers_EachSignalIsScoredOnceAndNoneEarly"}, units: []string{"TestWorker_StopsAtWhatIsNotDue"},
		},
		{
			guard: "dedupe", promise: "a signal ID has one result",
			cases: []string{"Path_ScoresEachSignalOnceOverACrash"},
		},
		{
			guard: "state-refusal", promise: "a state record that the topic refuses stops the service",
			units: []string{"TestCommitter_AStateRecordThatIsRefusedIsFatal"},
		},
		{
			guard: "recycle", promise: "memory is used again only when every request was answered",
			units: []string{"TestWorker_UsesBatchesAgainOnlyWhenAllWasAnswered"},
		},
	}
}

var switches = regexp.MustCompile(`guarded\("([a-z-]+)"\)|Getenv\("PULSE_TEST_GUARD_OFF"\) != "([a-z-]+)"`)

// Every guard there is has its row, and every row its guard: one that is spelled
// otherwise would switch nothing off.
func TestTable_HasEveryGuard(t *testing.T) {
	t.Parallel()
	var there, rows []string
	for _, name := range []string{"broker", "pipeline"} {
		text, err := os.ReadFile(root + "/internal/" + name + "/guards_controls.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range switches.FindAllSubmatch(text, -1) {
			there = append(there, string(m[1])+string(m[2]))
		}
	}
	for _, c := range table() {
		rows = append(rows, c.guard)
		if len(c.cases)+len(c.faults)+len(c.units) == 0 {
			t.Errorf("guard %s: no test is named that goes red without it", c.guard)
		}
	}
	slices.Sort(there)
	slices.Sort(rows)
	if !slices.Equal(there, rows) {
		t.Errorf("the table has the guards\n%q, there are\n%q", rows, there)
	}
}
