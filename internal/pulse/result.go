package pulse

// Optional is a number that may not apply; it is null in a result then.
type Optional struct {
	Number float64
	Valid  bool
}

// Some returns n as an Optional that applies.
func Some(n float64) Optional { return Optional{Number: n, Valid: true} }

// Ingest is what the first stage finds about any signal.
type Ingest struct {
	// SignalTag is the tag of the series name: hope, despair, rage,
	// fatigue or neutral.
	SignalTag string
	// RawRecency is the freshness in [0,1], unrounded; RecencyScore is the
	// same rounded to three decimals.
	RawRecency, RecencyScore float64
	AnomalyFlag              bool
	// AnomalyScore is in [0,1]; it does not apply in profile parity.
	AnomalyScore Optional
	// STI is the signal trust index, rounded to three decimals, in [0.4,0.9].
	STI float64
}

// AlignmentComponents are the five parts of the alignment score, each in
// [0,1], unrounded.
type AlignmentComponents struct {
	Confidence, Retrodiction, ArcStability, TagMatch, Novelty float64
}

// Enrichment is what the forecast stages find. A field that was not set (the
// old system writes some keys only on a condition) is the zero Value or a nil
// pointer or a Valid of false.
type Enrichment struct {
	// TraceID is the forecast's trace_id of whatever JSON type was sent;
	// "unknown" when absent.
	TraceID     Value
	ArcLabel    string
	ForecastTag string
	Confidence  float64
	// RawConfidence is the confidence before the floor, rounded like it.
	RawConfidence         float64
	RiskScore             float64
	HistoricalConsistency float64
	TrustLabel            string
	// Fragility is a number, or the input's value of another type when it
	// could not be computed. HasFragility is false when there is neither.
	Fragility    Value
	HasFragility bool
	// Retrodiction is set only when a current state was given;
	// its number is null when there was nothing to compare.
	HasRetrodictionError bool
	RetrodictionError    Optional
	AlignmentScore       float64
	AlignmentComponents  AlignmentComponents
	AttentionScore       Optional
	// RepeatRegret is nil when no regret log was given.
	RepeatRegret       *bool
	LicenseStatus      string // empty: not checked
	LicenseExplanation string
	TrustSummary       string
}

// Score is what scoring as a whole finds about one signal.
type Score struct {
	Ingest Ingest
	// Trust and Alignment are null where they do not apply.
	Trust, Alignment Optional
	// Enrichment is nil for raw signals and when enrichment failed; then
	// EnrichmentError says why.
	Enrichment      *Enrichment
	EnrichmentError string
	// External is what external enrichers have added, in their order.
	External []External
}

// External is the answer of one external enricher.
type External struct {
	Enricher string
	// Object is a JSON object without line breaks; empty when there was nothing
	// to add.
	Object []byte
}
