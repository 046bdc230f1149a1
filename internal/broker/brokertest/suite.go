package brokertest

import (
	"testing"
)

// Cluster is a Kafka to run the suite on. The flags say what it does as Apache
// Kafka does; what it does otherwise is not asked of it.
type Cluster struct {
	// Brokers are host:port addresses to start from.
	Brokers []string
	// FencesForGood: a producer that was fenced stays so, and what a dead one
	// holds is given free in time for the figures that the service promises.
	FencesForGood bool
	// KeepsStaticMembers: a static member that comes back within its session
	// gets its tasks again and nobody else hears of it.
	KeepsStaticMembers bool
	// AnswersConcurrentTransactions: requests right after the end of a
	// transaction are refused until its markers are written.
	AnswersConcurrentTransactions bool
}

// testCase is one promise.
type testCase struct {
	name string
	run  func(t *testing.T, c Cluster)
}

// Run holds the engine to every promise of the suite on one cluster. Each case
// has topics and a group of its own, so that they run side by side, and a
// cluster may be used again.
func Run(t *testing.T, c Cluster) {
	t.Helper()
	for _, k := range cases() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.run(t, c)
		})
	}
}

// cases begins with those that wait longest, so that the others fill the time.
func cases() []testCase {
	return []testCase{
		{"CrashInATransaction_LosesAndDoublesNothing", crashInATransaction},
		{"Zombie_WritesNothingAndMovesNoOffset", zombie},
		{"Zombie_InATakeoverWritesNothing", zombieInTakeover},
		{"Takeover_FromALivingMemberIsOneOrTheOther", livingOwner},
		{"Takeover_ATaskThatCameBackIsTakenAnew", taskCameBack},
		{"Takeover_FencesTheDeadBeforeItAsksForOffsets", deadIsFenced},
		{"Takeover_FencesALivingOwnerThatHangs", hungIsFenced},
		{"Takeover_RestoresPastItsOwnRecord", heldState},
		{"Transactions_NothingIsWrittenBeforePartitionsAreAdded", addedFirst},
		{"LostAnswers_OutcomeIsFound", lostAnswers},
		{"Group_DividesKeepsAndTakesBack", groupOfTwo},
		{"Group_JoiningMovesNoTaskOfOthers", joiningMovesNoOther},
		{"Group_WorksOnWhileItRebalances", workDuringRebalance},
		{"Group_SharesItWithTodaysFormat", sharedWithTodaysFormat},
		{"Warm_StateIsContinuedWhenATaskComesBack", warmState},
		{"Stall_TaskGoesToAnotherMember", stalledTask},
		{"StaticMember_RestartMovesNothing", staticRestart},
		{"StaticMember_KilledInATransactionGoesOnAtOnce", staticKilled},
		{"StaticMember_ReplacedStopsForGood", staticReplaced},
		{"Group_RefusesForeignMembers", foreignMember},
		{"Backpressure_BoundsWhatIsFetched", backpressure},
		{"Backpressure_LargeOutputsSplitABatch", largeOutputs},
		{"Records_OnceInOrderAndStateRestored", onceInOrder},
		{"Transactions_FollowEachOtherAtOnce", oneAfterTheOther},
		{"Records_OfEveryShapeArrive", recordShapes},
		{"Records_OverTheMemoryLimitAreWithheld", withheldRecords},
		{"Input_EveryCompressionIsRead", inputCompressions},
		{"Output_EveryCompressionIsWritten", outputCompressions},
		{"Input_AbortedIsNotProcessed", abortedInput},
		{"Input_OpenTransactionHoldsBack", openInput},
		{"Offsets_PassMarkersWhenIdle", idleOffsets},
		{"Lag_IsByTheBrokersClock", lagByBrokersClock},
		{"Offsets_ResetByAnOperatorIsFollowed", operatorReset},
		{"Offsets_OutOfRangeGoesToTheLogStart", outOfRange},
		{"Offsets_OutOfRangeWhileServingIsCounted", outOfRangeServing},
		{"Offsets_NothingLeftInTheLogIsNoLag", nothingLeft},
		{"Offsets_LatestStartsAtTheEndForGood", startLatest},
		{"Refused_ResultsAndDeadLettersDoNotStopATask", refused},
		{"Connections_CutOnceAreMadeAnew", connectionsCut},
		{"Topics_FaultsAreFound", topicFaults},
		{"Topics_CreatedOnesAreUsedAtOnce", topicsCreated},
		{"Topics_CreatedForAnInputThatIsNewToThePlan", topicsCreatedLate},
		{"Changes_InputGrowsAndItsTopicsFollow", inputGrows},
		{"Changes_InputMadeAgainIsReadFromItsStart", inputMadeAgain},
		{"Changes_OffsetOfADeletedInputIsNotUsed", inputMadeAgainWithOffset},
		{"Changes_OutputsMadeAgainAreWrittenOn", outputsMadeAgain},
		{"Changes_StateMadeAgainIsSaid", stateMadeAgain},
		{"Changes_StateWrittenOnIsVoid", stateTorn},
		{"Changes_OffsetsForgottenAreTheStates", offsetsForgotten},
		{"Changes_WhatWaitsTooLongIsAnAlarm", whatWaits},
		{"Changes_DeadLettersThatWaitTooLongAreAnAlarm", deadLettersWait},
		{"Tiers_EachSignalIsScoredOnceAndNoneEarly", tiersOnce},
		{"Tiers_KeepTheOrderOfASeriesWhenAsked", tiersInOrder},
		{"Tiers_AnOutageHoldsEverything", tiersHeld},
		{"Tiers_SignalsThatFailDoNotStopTheOthers", tiersStuck},
		{"Path_ScoresEachSignalOnceOverACrash", realPathOnce},
		{"Path_BadInputBecomesDeadLetters", realPathDead},
	}
}
