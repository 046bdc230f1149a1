package pipeline

// Answer tells the engine how to go on with a task. The set is closed.
type Answer uint8

// The answers of Process and Finish.
const (
	// Taken: go on. From Finish: everything that was taken has its outcome, and
	// the batch may be sealed.
	Taken Answer = iota
	// Full, from Process: the record is taken, and so many wait for external
	// enrichers that Finish comes before the next one.
	Full
	// HoldInput, from Process: a record of the input was not taken, because as
	// many signals wait in tiers or are parked as may. Nothing has changed; the
	// same record comes again later, after records of the tiers, which are still
	// taken. What was taken before it may be finished, sealed and committed.
	HoldInput
	// HoldAll, from Finish: a required enricher is known to be down, what was parked
	// takes its enrichers long, or ctx has ended. What was taken waits in the task, and
	// the batch is not sealed until a later Finish answers Taken, or it is rolled back.
	// More of the input may be given to Process until it answers Full, but nothing of
	// the tiers: no tier's clock runs meanwhile.
	HoldAll
)

// String is the answer in words.
func (a Answer) String() string {
	switch a {
	case Taken:
		return "taken"
	case Full:
		return "full"
	case HoldInput:
		return "hold the input"
	case HoldAll:
		return "hold all"
	}
	return "unknown answer"
}
