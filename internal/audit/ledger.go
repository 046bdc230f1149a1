package audit

// Ledger is what the service has counted in a task's state.
type Ledger struct {
	In        uint64 `json:"in"`
	Scored    uint64 `json:"scored"`
	Duplicate uint64 `json:"duplicate"`
	Dead      uint64 `json:"dead"`
	// Pending is how many of them waited then, in retry tiers or parked.
	Pending uint64 `json:"pending"`
}

// checkLedger compares the counts with what lies in the topics. first was read
// before the results and dead letters, last after them; whole says that nothing of
// a topic was deleted.
func (r *Row) checkLedger(find func(Kind, int64, string, ...any), first, last Ledger, resultsWhole, lettersWhole bool) {
	fault := func(format string, args ...any) {
		r.Disagree++
		find(Disagree, -1, format, args...)
	}
	if sum := last.Scored + last.Duplicate + last.Dead + last.Pending; last.In != sum {
		fault("the state has counted %d records in, and %d outcomes with those that wait", last.In, sum)
	}
	if resultsWhole && r.Results < first.Scored {
		fault("the state has counted %d results, the topic holds %d", first.Scored, r.Results)
	}
	if r.Results > last.Scored {
		fault("the topic holds %d results, the state has counted %d", r.Results, last.Scored)
	}
	if lettersWhole && r.Letters < first.Dead {
		fault("the state has counted %d dead letters, the topic holds %d", first.Dead, r.Letters)
	}
	if r.Letters > last.Dead {
		fault("the topic holds %d dead letters, the state has counted %d", r.Letters, last.Dead)
	}
	if last.Duplicate < r.Duplicate {
		fault("the state has counted %d duplicates, the input has %d", last.Duplicate, r.Duplicate)
	}
}
