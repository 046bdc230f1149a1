package scoring

import "pulse-scorer/internal/pulse"

// Score runs every step over one signal: Ingest, for a forecast Enrich, and
// Combine.
func (p *Profile) Score(sig *pulse.Signal, nowMicros int64, seen Seen, ctx Context) pulse.Score {
	ingest := p.Ingest(sig, nowMicros, seen)
	if sig.Kind == pulse.Raw {
		return p.Combine(ingest, sig.Kind, nil, nil)
	}
	ctx.SignalTag = ingest.SignalTag
	enrichment, err := p.Enrich(sig.Record, ctx)
	return p.Combine(ingest, sig.Kind, enrichment, err)
}

// Combine makes the score of what Ingest and, for a forecast, Enrich returned.
//
// A raw signal's trust is its quality, or the profile's constant. A forecast has its
// confidence as trust and its alignment score; when its enrichment failed both
// are null and EnrichmentError says why: the old system reported 0.0 there,
// which nobody could tell from a bad score.
func (p *Profile) Combine(ingest pulse.Ingest, kind pulse.Kind, enrichment *pulse.Enrichment, enrichErr error) (score pulse.Score) {
	score.Ingest = ingest
	switch {
	case kind == pulse.Raw && p.RawQuality:
		score.QualityScore = pulse.Some(roundTo(quality(ingest.Quality), p.ScoreDecimals))
		score.Trust = score.QualityScore
	case kind == pulse.Raw:
		score.Trust, score.Alignment = p.RawTrust, p.RawAlignment
	case enrichErr != nil:
		score.EnrichmentError = enrichErr.Error()
	default:
		score.Enrichment = enrichment
		score.Trust = pulse.Some(enrichment.Confidence)
		score.Alignment = pulse.Some(enrichment.AlignmentScore)
	}
	return score
}
