package state

// Profiles with a window keep the window of each series, others keep series,
// sources and a model. When the profile is exchanged, what the other kind has
// written rests: it stays in the changelog and is not read into memory. So the
// new profile begins anew with each series, and the old one, should it come back,
// goes on where it stood: an exchange that is regretted costs no history, and
// neither does one that is under way, while workers of both kinds hand tasks to
// each other (TestRestore_ProfilesOfTheOtherKindRest).

// windowed tells whether windows are kept.
func (t *Task) windowed() bool { return t.settings.WindowSize > 0 }

// rest counts the series of the other kind.
func (t *Task) rest(kind byte, key []byte, tombstone bool) {
	if kind == kindSteps && len(key) > 0 { // a series may have nothing else
		kind, key = kindSeries, key[:len(key)-1]
		if tombstone {
			return
		}
	}
	switch {
	case kind != kindWindow && kind != kindSeries: // belongs to one that is counted
	case tombstone:
		delete(t.resting, string(key))
	default:
		t.resting[string(key)] = struct{}{}
	}
}

// Resting is how many series the changelog has of profiles of the other kind.
func (t *Task) Resting() int { return len(t.resting) }
