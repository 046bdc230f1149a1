package scoring

import (
	"errors"

	"pulse-scorer/internal/pulse"
)

// Context is what enrichment knows beside the record. The zero Value (null) is
// a part that was not given. An empty object or list is given but empty, and
// that is not the same: an empty CurrentState has no retrodiction error, yet
// makes the alignment's retrodiction a perfect 1.
type Context struct {
	// Memory is a list of earlier forecasts of the stream, oldest first; see
	// Profile.MemoryEntry.
	Memory pulse.Value
	// CurrentState is an object with overlays.
	CurrentState pulse.Value
	// ArcDrift is an object of numbers by arc label.
	ArcDrift pulse.Value
	// RegretLog is a list of objects with a trace_id.
	RegretLog pulse.Value
	// License switches the licence check on.
	License bool
	// SignalTag is the tag of the series' name (pulse.Ingest), for the tag match.
	SignalTag string
	// ModelError is how far the model's predictions for the stream were off so
	// far, in [0,1]; null when no model is asked.
	ModelError pulse.Optional
}

// ContextOf joins what a record brings in its own "context" object (the zero
// Value when it has none) with the stream's memory and the licence switch.
func ContextOf(own, memory pulse.Value, license bool) Context {
	state, _ := own.Get("current_state")
	drift, _ := own.Get("arc_drift")
	regret, _ := own.Get("regret")
	return Context{Memory: memory, CurrentState: state, ArcDrift: drift, RegretLog: regret, License: license}
}

// Enrich scores the forecast in record, the whole record as an object. An
// error means that the enrichment as a whole failed, on the same input always
// with the same text; no part of it is returned then. record and ctx are only
// read, but the result may share memory with record.
//
// In profile parity the order is the old system's: label and gate are decided
// before fragility is computed.
func (p *Profile) Enrich(record pulse.Value, ctx Context) (*pulse.Enrichment, error) {
	f, err := p.openForecast(record, ctx.Memory)
	if err != nil {
		return nil, err
	}
	e := &pulse.Enrichment{TraceID: getOr(record, "trace_id", pulse.StringValue(p.UnknownID))}
	if e.ArcLabel, e.ForecastTag, err = p.Arc.of(f); err != nil {
		return nil, err
	}
	if err := p.judge(f, e, ctx.ModelError); err != nil {
		return nil, err
	}
	e.HasRetrodictionError, e.RetrodictionError = retrodictionError(f, ctx.CurrentState)
	e.AlignmentComponents = p.Alignment.components(f, ctx, e.Confidence, e.ForecastTag)
	e.AlignmentScore = p.Alignment.score(e.AlignmentComponents)
	if err := p.observe(f, e, ctx); err != nil {
		return nil, err
	}
	if ctx.License {
		drift, _ := record.Get("drift_flag")
		e.LicenseStatus = p.License.status(e, drift)
		e.LicenseExplanation = p.licenseExplanation(e, drift)
	}
	if e.TrustSummary, err = p.summary(e); err != nil {
		return nil, err
	}
	if err := checkFinite(e); err != nil {
		return nil, err
	}
	return e, nil
}

// judge sets fragility, risk, history, confidence and label.
func (p *Profile) judge(f *forecast, e *pulse.Enrichment, modelError pulse.Optional) error {
	if !p.Fragility.First {
		if err := p.trust(f, e, modelError); err != nil {
			return err
		}
		return p.fragility(f, e)
	}
	if err := p.fragility(f, e); err != nil {
		return err
	}
	f.fragility, f.hasFragility = e.Fragility, e.HasFragility
	return p.trust(f, e, modelError)
}

// trust sets risk, history, confidence and label.
func (p *Profile) trust(f *forecast, e *pulse.Enrichment, modelError pulse.Optional) error {
	move, err := p.capitalMove(f)
	if err != nil {
		return err
	}
	past, err := p.History.of(f)
	if err != nil {
		return err
	}
	e.HistoricalConsistency = past.consistency
	e.RiskScore = roundTo(p.Risk.score(move, past, len(f.memory), modelError), p.ScoreDecimals)
	raw, err := p.Confidence.raw(f, move, e.RiskScore, past)
	if err != nil {
		return err
	}
	e.RawConfidence = roundTo(raw, p.ScoreDecimals)
	e.Confidence = roundTo(p.Confidence.bounded(raw), p.ScoreDecimals)
	e.TrustLabel, err = p.Gate.label(f, e.Confidence, e.RiskScore)
	return err
}

// fragility sets the computed fragility, or keeps the record's own, of
// whatever type, where it cannot be computed.
func (p *Profile) fragility(f *forecast, e *pulse.Enrichment) error {
	computed, ok, err := p.Fragility.of(f, p.ScoreDecimals)
	if err != nil {
		return err
	}
	if ok {
		e.Fragility, e.HasFragility = pulse.NumberValue(computed), true
		return nil
	}
	e.Fragility, e.HasFragility = f.fragility, f.hasFragility
	return nil
}

// observe sets what depends on the world around the forecast.
func (p *Profile) observe(f *forecast, e *pulse.Enrichment, ctx Context) error {
	attention, err := p.Attention.score(ctx.ArcDrift, e.ArcLabel)
	if err != nil {
		return err
	}
	attention.Number = roundTo(attention.Number, p.ScoreDecimals)
	e.AttentionScore = attention
	e.RepeatRegret, err = p.repeatRegret(f, e.TraceID, ctx.RegretLog)
	return err
}

// errNotFinite stands for a result that JSON cannot carry. Finite records do
// not reach it (FuzzEnrich); it is there so that none ever leaves unseen.
var errNotFinite = errors.New("forecast: a score is not a finite number, its values are too large")

func checkFinite(e *pulse.Enrichment) error {
	c := e.AlignmentComponents
	for _, x := range [...]float64{
		e.Confidence, e.RawConfidence, e.RiskScore, e.HistoricalConsistency,
		e.Fragility.Number, e.RetrodictionError.Number, e.AlignmentScore, e.AttentionScore.Number,
		c.Confidence.Number, c.Retrodiction.Number, c.ArcStability.Number, c.TagMatch.Number, c.Novelty.Number,
	} {
		if !isFinite(x) {
			return errNotFinite
		}
	}
	return nil
}
