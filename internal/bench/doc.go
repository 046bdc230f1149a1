// Package bench measures the service from the outside: how fast it works through
// a backlog, at what cost, and how long after its append a signal's result can be
// seen.
//
// Guarantee: what it reports is of results that were all there, each once. A round
// that lost or doubled one is an error and no figure.
//
// Decisions:
//
//   - The service runs as the process that it is in production, with the environment
//     that is given; its processor time and memory are the operating system's.
//     What it is compared with runs as a process of its own, too: the raw copy, which
//     reads and writes the records and does nothing else, and the same job as one
//     would write it with a client library's transactions, state in memory only.
//     Both use franz-go, like the load and the meter, so nothing of the engine
//     measures itself. A third one, if its program is given, is the job on Kafka
//     Streams (integration/bench/streams), with exactly_once_v2 and state that a restart
//     finds.
//   - All take turns, and the order changes from round to round: what else the machine
//     does falls on each. Ratios are of runs of the same round.
//   - The load of a run is one open transaction until whoever works on it says that it
//     is ready. The clock starts when the transaction is told to end, so neither
//     start-up nor the load's production is measured, and nobody can begin early. It
//     stops when the group has committed the last record, or the copy's last one
//     is in its topic.
//   - Scale varies one thing at a time: partitions, series, remembered IDs, or workers
//     that share the load. Its rows take turns, too, and its figure is processor time:
//     a machine without a core for each worker says nothing about speed. There are ten
//     records a series at least, one a remembered ID, and 16,000 a partition where there
//     are more than usual: else what it costs to begin is measured. And all rows of a thing have as many: each record
//     is an ID more that is remembered, which has its own cost.
//   - Processor time is of the whole life of a process, start and stop included: that
//     is against it, and it needs nothing but what every system tells about a child.
//     Kafka Streams is the exception, in its favour: its Java machine starts and is warmed
//     up, by a load of its own through the whole job, before it says that it is ready, and
//     only what it takes from then on is counted (on Linux).
//     Memory is what Linux tells of the process while it is there.
//   - The meter is measured as well, against the input itself: what it shows there is
//     its own.
package bench
