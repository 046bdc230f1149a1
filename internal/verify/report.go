package verify

import "maps"

// Verdict is what a verification comes to.
type Verdict string

// The verdicts.
const (
	// Equal: all that was compared is what it was.
	Equal Verdict = "equal"
	// Different: something is not.
	Different Verdict = "different"
	// Nothing was compared.
	Nothing Verdict = "nothing compared"
)

// Skipped counts results that were not compared, by reason.
type Skipped struct {
	// Retried are those of a later try, External those with answers of external
	// enrichers, Profile those of another profile, WarmUp those of the first records
	// of an input whose beginning is gone. Repeated are second results of a record:
	// audit says more of them.
	Retried  uint64 `json:"retried"`
	External uint64 `json:"external"`
	Profile  uint64 `json:"other_profile"`
	WarmUp   uint64 `json:"warm_up"`
	Repeated uint64 `json:"repeated"`
}

// Finding is a result that is not what it was.
type Finding struct {
	Partition int32 `json:"partition"`
	// Offset is the result's, Input that of its record.
	Offset int64 `json:"offset"`
	Input  int64 `json:"input_offset"`
	// Version is the result's scorer version, where it is another one.
	Version     string       `json:"scorer_version,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Text says why there is nothing to compare it with.
	Text string `json:"text,omitempty"`
}

// Row is what was found in one partition.
type Row struct {
	Partition int32 `json:"partition"`
	// Results that were looked at, and those of them that were compared.
	Results  uint64  `json:"results"`
	Compared uint64  `json:"compared"`
	Skipped  Skipped `json:"skipped"`
	// Different is how many differ; Findings are the first of them.
	Different uint64    `json:"different"`
	Findings  []Finding `json:"findings,omitempty"`
	// Versions counts compared results by scorer version, where it is another.
	Versions map[string]uint64 `json:"other_versions,omitempty"`
	// From is the first input offset that was read. Gone says that there were
	// records before it, which are not known.
	From int64 `json:"from"`
	Gone bool  `json:"start_is_gone"`
	// ResultsFrom and LettersFrom are the first results and dead letters there are. What
	// became of the input of those before them is not known.
	ResultsFrom int64 `json:"results_from"`
	LettersFrom int64 `json:"dead_letters_from"`
}

// Report is what was found in all.
type Report struct {
	Verdict Verdict `json:"verdict"`
	// Version is the scorer version that verified.
	Version    string `json:"scorer_version"`
	Profile    string `json:"profile"`
	Partitions []Row  `json:"partitions"`
}

// NewReport sums up.
func NewReport(version, profile string, rows []Row) Report {
	r := Report{Verdict: Equal, Version: version, Profile: profile, Partitions: rows}
	switch sum := Total(rows); {
	case sum.Different > 0:
		r.Verdict = Different
	case sum.Compared == 0:
		r.Verdict = Nothing
	}
	return r
}

// Total adds rows up; findings are left out.
func Total(rows []Row) (sum Row) {
	sum.Versions = make(map[string]uint64)
	for i := range rows {
		r := &rows[i]
		sum.Results += r.Results
		sum.Compared += r.Compared
		sum.Different += r.Different
		sum.Skipped.Retried += r.Skipped.Retried
		sum.Skipped.External += r.Skipped.External
		sum.Skipped.Profile += r.Skipped.Profile
		sum.Skipped.WarmUp += r.Skipped.WarmUp
		sum.Skipped.Repeated += r.Skipped.Repeated
		sum.Gone = sum.Gone || r.Gone
		for version, n := range maps.All(r.Versions) {
			sum.Versions[version] += n
		}
	}
	return sum
}

// Sum is all that was not compared.
func (s Skipped) Sum() uint64 { return s.Retried + s.External + s.Profile + s.WarmUp + s.Repeated }
