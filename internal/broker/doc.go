// Package broker is the engine: it keeps a process in the consumer group, takes
// tasks, fetches their input, runs their record path and commits what comes of
// it. It is the only importer of kafka-go.
//
// # Guarantees
//
// Results, dead letters, state changes and input offsets of a batch are one
// Kafka transaction: all of them become visible, or none. A read_committed
// reader sees each record's outcome once, whatever is killed, paused, cut or
// rebalanced. A worker that has lost its tasks can neither write visibly nor
// move their offsets.
//
// # The files, in the order of a record's way
//
//	engine.go       the loop that owns everything; start, drain, rebalance
//	member.go       JoinGroup, SyncGroup, Heartbeat; membership.go is what others ask
//	                of it; assignment.go, generation.go
//	takeover.go     taking a task: fence, stable offsets, owner record;
//	                footing.go where its input goes on; restore.go reads its
//	                state, compare.go holds that against offset and topics;
//	                warm.go keeps states for tasks that may come back, progress.go
//	stall.go        giving up a task that makes no progress
//	source.go       what a task reads: its input and the retry tiers; schedule.go when
//	fetch.go        long polls; aborted.go filters, worker.go runs the record path,
//	                upcoming.go shows it what comes next
//	output.go       record batches; commit.go decides when a transaction is due
//	committer.go    its requests; settle.go finds out what became of it;
//	                hanging.go, doubts.go, leftovers.go end what a broker has forgotten to
//	cluster.go      speaking to brokers; coordinator.go, metadata.go, offsets.go,
//	                transact.go, fetchapi.go are the requests by subject
//	topics.go       looks at the topics and makes them; topicrules.go what they
//	                must be; watch.go looks again and again, waiting.go for
//	                what is about to be deleted; topicids.go for topics that
//	                were made again; producer.go writes to one (produce)
//	inspector.go    looks at topics and group from outside (lag); scan.go reads a
//	                partition as a read_committed consumer does (audit, find)
//
// # Who owns what
//
// One goroutine (Engine.loop) owns all bookkeeping. Each running task has a
// worker goroutine that owns its state and executes the loop's orders one after
// the other. The committer owns the transactional ID. The member owns the
// group. They exchange messages; what is shared has a lock beside it.
//
// # Decisions
//
//   - Requests of the engine are frames of our own (package wire) on kafka-go's
//     connections, through protocol.RawExchanger. That is a twentieth of the cost
//     per fetched record, and most of kafka-go v0.4.51's request types are not
//     usable here: Heartbeat hides errors, SyncGroup fails on them, OffsetFetch
//     cannot ask for stable offsets, TxnOffsetCommit sends a leader epoch.
//     Transport keeps connections and routes by broker ID; Client creates and
//     describes topics. TLS and SASL are package auth's.
//   - Memory instead of overlays: a task's state is changed in place and an undo
//     log takes a batch back (package state). While transaction N commits, the
//     workers compute N+1; when N fails, both go.
//   - Batches are closed when the markers of the last transaction are probably written,
//     not before: what comes while they are takes part then, and the coordinator is
//     asked about once instead of some five times (markers.go).
//   - A transaction is opened only when everything in it is computed, and is open
//     for its five requests only. So it stays far below a second, and nothing but
//     the broker is waited for while it is open.
//   - Any failure of a transaction goes one way (settle.go): heartbeat,
//     InitProducerID until it answers 0, stable offsets, verdict per task. That
//     costs milliseconds where an EndTxn(abort) might have done, and it is one
//     path instead of one per error code.
//   - A broker may call a transaction ended and have lost its markers. Before a
//     producer goes on after a failure, the partitions of the failed transaction
//     and of the one before it are looked at; what hangs is ended as the
//     coordinator had ended it, by an empty transaction of the same producer
//     (hanging.go; OfOurOwn_IsEndedAsItWas and OfADeadOwner_IsEndedByTheNext, on three
//     nodes). What a dead owner has left is looked for at every takeover from one, and
//     is judged record by record, by the input that it was made of (leftovers.go).
//   - Former owners are found in three places: the metadata of the last committed
//     offset (every commit puts the transactional ID there), owner records above
//     the last stable offset of the state, and the IDs that the group's last
//     assignment had and this one has not. The first saves reading the whole state
//     partition twice. An operator's offset reset clears it; then a dead worker's
//     open transaction is found by the second, after two seconds at the latest.
//   - When the group's offset is not the one the state was written with (an
//     operator's reset), the group's offset counts: somebody wanted it. The
//     disagreement is logged and counted. Records that come again are duplicates
//     by their remembered IDs, within the dedupe window; those that are passed
//     over are counted and their range is logged
//     (Offsets_ResetByAnOperatorIsFollowed).
//   - An offset outside the log goes to the log's start, loudly and counted, with
//     the range that nobody has read: too early is safe, too late would lose
//     (Offsets_OutOfRangeGoesToTheLogStart; and where retention passes a task that
//     is serving, Offsets_OutOfRangeWhileServingIsCounted).
//   - A topic that is deleted and made again has another ID. Tasks fetch by the
//     IDs they were taken with, and every owner record names those of its topics:
//     so no offset of a deleted input is ever used in its successor
//     (Changes_OffsetOfADeletedInputIsNotUsed), not even when somebody commits it
//     while nobody has noticed yet. Whatever topic it was, all tasks are taken
//     anew: one path decides, restart or not. A new input is read from its start;
//     new results and dead letters are written on; a new state is empty, which is
//     said, and what a worker wrote into it out of its old memory is void
//     (Changes_StateWrittenOnIsVoid).
//   - A group that has lost its offsets (they expire a week after the last member)
//     goes on where its state says, if it is the same input: the input's start
//     would double what is older than the dedupe window, its end would lose
//     (Changes_OffsetsForgottenAreTheStates).
//   - The input may grow. Its tasks are divided anew when every topic has the
//     partitions; until then the new ones wait. They are read from their start,
//     also by a group with PULSE_START_OFFSET=latest: that is where the group
//     began, not where each partition does. The group's leader tells everybody
//     how many there were then (Changes_InputGrowsAndItsTopicsFollow). A series
//     that moves to another partition begins a new window there, and its IDs
//     are known in the old one only: order and dedupe hold within a partition.
//   - What waits is watched by the broker's index of times, so that no record is
//     read for it: unread input, and dead letters, older than nine tenths of what
//     their topic keeps (Changes_WhatWaitsTooLongIsAnAlarm,
//     Changes_DeadLettersThatWaitTooLongAreAnAlarm). Nothing says which
//     dead letters have been dealt with, so these are a check of their own, for
//     an operator to alert on or not. The interval is PULSE_HEALTH_INTERVAL.
//   - Nothing may be deleted that still waits: a dead-letter topic that keeps
//     less than 30 days, or compacts, keeps the service from starting, and the
//     fault says the command that mends it. One table has the roles
//     (leastRetention). retention.bytes is a warning: what it deletes depends on
//     what comes, which nobody can foresee.
//   - Dead letters and state are the service's own: with fewer partitions than
//     the input they are grown, where topics may be created. Results are their
//     readers'; they are never changed, and with another count the service does
//     not start.
//   - Output topics are written with the present time, not with the input's: the
//     input's time is in the result, and retention must not delete results of old
//     signals at once.
//   - A batch is at most 900 KiB before compression, under the broker's default
//     message.max.bytes. A batch that the broker refuses all the same is made
//     smaller; a single record that it refuses becomes a dead letter, and a dead
//     letter that it refuses keeps its size and hash only.
//   - The state of a task that was given away is kept for ten minutes, as of its
//     last commit, and continued when it comes back: only what others have written
//     since is read. It is kept only when nothing is in doubt: a transaction that
//     nobody has settled, or whose commit only an offset told, makes it cold. It is
//     used only if the topic has the same ID, the offset lies in the log and before
//     our own owner record, the task's transactions are numbered on, and it is at
//     most half of delete.retention.ms old since the last heartbeat that called the
//     task ours: a tombstone that compaction has removed cannot be replayed. If
//     anything is against it the whole is read. There are never more states in
//     memory than tasks there were at once.
//   - A generation that was made and never seen here (SyncGroup answered 27) is a
//     break: who had the task in it cannot be told from the answer. Its tasks are
//     taken anew, and their states are warm.
//   - JoinGroup and SyncGroup are sent again when their answers do not come within
//     a third of the session: the coordinator answers a repetition as it would have
//     the first. Requests that only look something up have three seconds. Inside a
//     transaction nothing is shorter than before.
//   - A task that makes no progress though it could is given up: the member joins
//     again and says which tasks it refuses, the leader gives them to others, and
//     its worker is left behind. Not counted is a partition without a leader, a
//     transaction that waits for its outcome, and memory that others fill.
//   - Members say what they have in JSON. Fields are added, unknown ones ignored;
//     a version that must not be half understood says so and is refused.
//   - Retry tiers are sources of a task beside its input, and no consumers of their own:
//     the input's offset and theirs are committed in one transaction, so that a record
//     leaves a tier exactly when its outcome is visible. Nothing is paused or resumed;
//     the next record of a tier says when it is due (schedule.go), and what is not due
//     for a while takes neither memory nor a fetch. A tier's partition belongs to the
//     task of its number, so that a retry finds its series' state
//     (Tiers_EachSignalIsScoredOnceAndNoneEarly).
//   - What the record path holds back for a required enricher holds the task: no commit,
//     no clock of a tier, and no fetch once a batch waits. It is asked about twice a
//     second whether it goes on (Tiers_AnOutageHoldsEverything). Until a batch waits it
//     takes more of the input: were only signals asked about that the enricher fails
//     for, it would seem down for ever (Tiers_SignalsThatFailDoNotStopTheOthers). A
//     drain leaves what is held to the next owner.
//   - A transaction that came of a tier need not move the input. So all offsets are
//     compared to find out what became of it, and of what a dead owner has left only a
//     first try is a witness (oldest.go).
//   - Lag in seconds is by the brokers' clock: a worker whose clock is wrong would raise
//     an alarm, or none. The protocol has no request for a time, but the coordinator
//     stamps each transaction with its own as it begins, and says so; that is asked
//     in the exchange that begins one, once in ten seconds where it is told, with the rights
//     that the service has anyway (clock.go; Lag_IsByTheBrokersClock). The limits: the
//     coordinator stands for all brokers, whose clocks should agree; what is known is
//     exact to the duration of that exchange, and as old as the last transaction: a
//     clock that is set while nothing can be committed is seen afterwards. The other
//     side is the record's timestamp, which is the producer's clock unless the topic has
//     LogAppendTime. Command lag writes no transaction and asks the quorum's leader.
package broker
