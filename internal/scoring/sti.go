package scoring

// STIRules make the signal trust index: a base, more when fresh, less when
// anomalous.
type STIRules struct {
	Base, RecencyWeight, AnomalyPenalty float64
}

// index is unrounded, in [0,1] (iris_trust.py:81-98).
func (r STIRules) index(recency float64, anomaly bool) float64 {
	penalty := 0.0
	if anomaly {
		penalty = -r.AnomalyPenalty
	}
	return unit((r.Base + float64(r.RecencyWeight*recency)) + penalty)
}
