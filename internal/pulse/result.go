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
	// Quality is what the quality of a raw signal is made of; zero in profile
	// parity.
	Quality Quality
}

// Quality has the parts of a raw signal's quality, each in [0,1].
type Quality struct {
	// Freshness is the recency, or, in a series whose observations lie further apart
	// than it reaches, the same by the series' own gaps; rounded like it.
	Freshness float64
	// Normality is 1 less the anomaly score.
	Normality float64
	// Continuity is the share of the observations due since the last one
	// that has come.
	Continuity float64
	// Reliability is the share of the source's records that were good.
	Reliability float64
}

// Model is what the online model said about a forecast's trust score.
type Model struct {
	// Prediction is in [0,1], made before the score was known.
	Prediction float64
	// Error is the distance of prediction and score; null when the forecast
	// got none.
	Error Optional
	// Version names the learner and the order of its features.
	Version string
}

// AlignmentComponents are the five parts of the alignment score, each in
// [0,1], unrounded, and null where nothing is known of one. Profile parity knows
// them all.
type AlignmentComponents struct {
	Confidence, Retrodiction, ArcStability, TagMatch, Novelty Optional
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
	// QualityScore is in [0,1]; it applies to raw signals, outside parity.
	QualityScore Optional
	// Enrichment is nil for raw signals and when enrichment failed; then
	// EnrichmentError says why.
	Enrichment      *Enrichment
	EnrichmentError string
	// Model is nil where no model was asked.
	Model *Model
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
