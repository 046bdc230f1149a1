// Package brokertest is the one compliance suite of the engine. It drives
// broker.Engine through its public API against a broker, produces and reads
// with another Kafka client, and judges what a read_committed reader sees.
// It runs on the embedded broker in make test and on a real Apache Kafka in
// make integration.
//
// Guarantee: a case goes red when the promise in its name is broken. Results
// of the fake record path carry a count and a hash over everything before
// them, so one record lost, doubled, out of order or processed over the wrong
// state changes all results after it; faults on the network say that they have
// fired before anything is judged.
//
// Decisions:
//
//   - What must come out is computed by the same record path over the input
//     alone, so no case writes down results.
//   - Offsets may be committed before results are visible, because a broker
//     ends a transaction in each partition by itself: whoever reads a topic
//     first waits until no transaction is open on it.
//   - Figures (the session time-out plus a second) are held against a real
//     broker only.
//
// Every trap of kafka-go and of the protocol that the engine steps around has
// a test that goes red when it steps in. Names without a package are cases of
// this suite.
//
//	trap                                                          held by
//	1  consumers give aborted records and control markers         Input_AbortedIsNotProcessed, Offsets_PassMarkersWhenIdle, broker.TestAborted_*
//	2  offsets are read without waiting for stable ones           Takeover_FromALivingMemberIsOneOrTheOther
//	3  TxnOffsetCommit sends leader epoch 0                       wire.TestRequests_AreWhatTheReferenceWrites
//	4  offsets without generation and member are not fenced       Takeover_FromALivingMemberIsOneOrTheOther
//	5  InitProducerId with zero values is refused                 wire.TestRequests_AreWhatTheReferenceWrites, LostAnswers_OutcomeIsFound
//	6  51 right after the end of a transaction                    Transactions_FollowEachOtherAtOnce on a real broker, broker.TestRetry_*
//	7  an empty transaction, a repeated EndTxn                    Offsets_PassMarkersWhenIdle, LostAnswers_OutcomeIsFound
//	8  heartbeat and sync errors are lost                         StaticMember_ReplacedStopsForGood, Zombie_WritesNothingAndMovesNoOffset, wire.TestResponses_*
//	9  one group with members of another kind                     Group_RefusesForeignMembers, broker.TestMemberMetadata_RefusesStrangers
//	10 first use of a group, leaders of a new topic               Topics_CreatedOnesAreUsedAtOnce, and every case: each has a new group
//	11 stale metadata, connections that an idle limit has closed  Connections_CutOnceAreMadeAnew
//	12 request bytes are used up by one attempt; several
//	   partitions a request                                       broker.TestProduce_SeveralBatchesForAPartition, broker.TestInRounds_KeepsOrderAndBounds
//	13 55 has the wrong name and is never the reason              wire.TestErrorCode_NamesAreTheProtocols, wire.TestAddPartitions_TheReasonIsTheOtherPartition
//	14 sequences go on over transactions, begin anew with an
//	   epoch                                                      Records_OnceInOrderAndStateRestored, LostAnswers_OutcomeIsFound, batch.TestNextSequence_WrapsToZero
//	KIP-890: no implicit adding of partitions, same epoch after
//	   EndTxn                                                     every case on a broker with transaction.version=2
//
// Each guard of the engine has a case that goes red when the guard is switched
// off: integration/controls has that table and holds it.
package brokertest
