package learn

// Fault says why nothing was learned from a forecast. The set is closed; it is the
// label of a metric.
//
//nolint:errname // it is what has happened first, and an error only where it is returned
type Fault string

// The faults.
//
//nolint:errname // each is a Fault
const (
	// FaultFeature: a feature is not a finite number.
	FaultFeature Fault = "feature"
	// FaultTarget: the score to learn is not in [0,1].
	FaultTarget Fault = "target"
	// FaultDiverged: the weights left their bounds, and begin anew.
	FaultDiverged Fault = "diverged"
)

// Faults lists them all.
func Faults() []Fault { return []Fault{FaultFeature, FaultTarget, FaultDiverged} }

// Error implements error.
func (f Fault) Error() string {
	switch f {
	case FaultFeature:
		return "learn: a feature is not a finite number"
	case FaultTarget:
		return "learn: the score is not in [0,1]"
	case FaultDiverged:
		return "learn: the weights left their bounds and begin anew"
	}
	return "learn: " + string(f)
}
