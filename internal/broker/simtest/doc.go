// Package simtest simulates a whole cluster: the in-process broker, several
// workers with the service's record path, an upstream, and what goes wrong
// between them. Only tests use it.
//
// Guarantee: a run goes red when one of promises 1 to 5 is broken. Each input is
// accounted for exactly once (scored, duplicate, dead), no ID has two results,
// results keep the order of the input, dead letters have its bytes, committed
// offsets and owner records never go back and end where the input does, the
// ledger balances, and the state that the changelog gives answers like one that
// has seen the input alone. Results are compared byte for byte with a plain run of
// the record path, so what a zombie writes, or a state that was restored wrongly,
// shows. Everything is read by a read_committed client of another make.
// TestSimulation_JudgeSeesWhatIsWrong holds the judge itself.
//
// # Steps and faults
//
// step.go names the steps of a worker's life, fault.go what may happen at one.
// Steps on the wire are seen by the worker's dialer, in whole frames; those of the
// record path by a wrapper around pipeline.Task, its clock (it is read when a
// record has been decoded) and its sink. The engine needs no seam for that.
// Matrix is every fault that exists at every step, with each error a broker may
// answer. What does not exist: to lose, stall, delay or refuse a request where
// there is none; to cut the connection at an answer, which is the lost
// acknowledgement of its request.
//
// A fault waits for the first (or nth) time that a worker comes to its step. What
// makes it come there is done too: workers start, are asked to stop in the middle
// of a batch, or are left in doubt about a transaction. Where the worker ends
// before, the fault is put in place elsewhere. A fault is counted when it is
// proven: the broker has refused, the answer was there and is dropped, the late
// request was answered, the group has a new generation. A run in which one was not
// proven is red.
//
// # Time
//
// A run lives in a testing/synctest bubble on kfake's virtual network. Time-outs
// have the length of a service's and cost nothing, so a pause beyond the session
// takes milliseconds, and no verdict depends on how fast the machine is. A seed
// decides the input, the schedule and the latency of each frame. It does not
// decide which of two goroutines runs first at the same instant: a red seed is red
// again most of the time, not always. Latencies of nanosecond resolution leave few
// such instants.
//
// # Decisions
//
//   - faultnet and brokertest have dialers of their own. faultnet's holds one fault
//     and writes through; here several faults wait at once, written frames go out
//     although their worker has given up or died, and tasks stand still with the
//     network. API names and frame reading are faultnet's.
//   - A paused worker's timers go on: a process cannot be stopped inside another.
//     What it then believes (requests timed out, heartbeats failed) is worse than
//     what a stopped one does. SIGSTOP is for the real cluster (integration).
//   - The broker's errors are kfake's own faults where the request is not to be
//     done, and written into the answer where it is.
//   - No compression, and kgo without: what is tested is not in it, and decoders
//     that are pooled must not outlive a bubble.
//
// # What the in-process broker cannot tell
//
// RealCells lists the cells where kfake differs from a Kafka, with the test on a
// real one that holds them. They run here as well, where they are safe: the
// judgement is the same, it only proves less.
package simtest
