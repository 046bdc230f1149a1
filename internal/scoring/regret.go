package scoring

import (
	"fmt"

	"pulse-scorer/internal/pulse"
)

// repeatRegret says whether the forecast's id is in the regret log; nil
// without a log. Ids are compared by value, and an absent one in the log is
// null and matches null (trust_engine.py:943-947). It fails when the log is
// not a list of objects, or an id is a list or an object.
//
// Where the profile requires an id, a forecast without one has no answer, and an
// entry without one matches nothing.
func (p *Profile) repeatRegret(f *forecast, traceID, regretLog pulse.Value) (*bool, error) {
	if own, _ := f.record.Get("trace_id"); p.RegretNeedsID && own.Kind == pulse.Null {
		return nil, nil //nolint:nilnil // without an id it is not known
	}
	if !truthy(regretLog) {
		return nil, nil //nolint:nilnil // no log is no error, and not false either
	}
	if regretLog.Kind != pulse.List {
		return nil, wrongType("context.regret", "a list", regretLog)
	}
	if !canBeID(traceID) {
		return nil, wrongType("trace_id", "a single value", traceID)
	}
	found := false
	for i, entry := range regretLog.List {
		path := fmt.Sprintf("context.regret[%d]", i)
		if entry.Kind != pulse.Object {
			return nil, wrongType(path, "an object", entry)
		}
		id, _ := entry.Get("trace_id")
		if !canBeID(id) {
			return nil, wrongType(path+".trace_id", "a single value", id)
		}
		found = found || equal(id, traceID)
	}
	return &found, nil
}

// canBeID is what Python can put into a set.
func canBeID(v pulse.Value) bool {
	return v.Kind != pulse.List && v.Kind != pulse.Object
}
