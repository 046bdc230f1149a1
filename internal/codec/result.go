package codec

import (
	"strconv"

	"pulse-scorer/internal/pulse"
)

// ResultSchema names the form of results (schemas/result.v1.json).
const ResultSchema = "pulse.result/1"

// Meta is what a result says about how and of what record it was made. It keeps
// what AppendResult wrote for the result before, so it is for one goroutine at a
// time.
type Meta struct {
	Profile, ScorerVersion string
	// Attempts is how often the record was tried, this time included.
	Attempts int
	// The input record's coordinates and Kafka timestamp.
	Topic               string
	Partition           int32
	Offset, TimestampMs int64

	// made is the text of the members that are the same for most records, as of
	// the values that it was made of.
	made struct {
		profile, version, topic string
		attempts                int
		partition               int32
		text                    []byte
	}
	// signalDay and recordDay are those of the last timestamps.
	signalDay, recordDay pulse.Day
}

// AppendResult appends the result of a signal as one JSON object without line
// breaks. Members that do not apply are left out, but for anomaly_score,
// trust_score and alignment_score, which are null then. A number that is not
// finite, which only absurd input can lead to, is written as null.
func AppendResult(dst []byte, sig *pulse.Signal, sc *pulse.Score, meta *Meta) []byte {
	dst = append(dst, `{"schema":"`+ResultSchema+`","id":`...)
	dst = appendString(dst, sig.ID)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, sig.Name)
	dst = append(dst, `,"value":`...)
	dst = appendNumber(dst, sig.Value)
	dst = append(dst, `,"source":`...)
	dst = appendString(dst, sig.Source)
	dst = append(dst, `,"timestamp":"`...)
	dst = meta.signalDay.AppendRFC3339(dst, sig.Timestamp)
	if sig.Kind == pulse.Raw {
		dst = append(dst, `","kind":"raw"`...)
	} else {
		dst = append(dst, `","kind":"forecast"`...)
	}
	dst = appendScores(dst, sc)
	if sc.Enrichment != nil {
		dst = append(dst, `,"enrichment":`...)
		dst = appendEnrichment(dst, sc.Enrichment)
	}
	if sc.EnrichmentError != "" {
		dst = append(dst, `,"enrichment_error":`...)
		dst = appendString(dst, sc.EnrichmentError)
	}
	if sc.Model != nil {
		dst = appendModel(dst, sc.Model)
	}
	return append(appendMeta(appendExternal(dst, sc.External), meta), '}')
}

// appendExternal appends what external enrichers have added, if any has.
func appendExternal(dst []byte, list []pulse.External) []byte {
	start := len(dst)
	for i := range list {
		if len(list[i].Object) == 0 {
			continue
		}
		if len(dst) == start {
			dst = append(dst, `,"external":{`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(append(appendString(dst, list[i].Enricher), ':'), list[i].Object...)
	}
	if len(dst) > start {
		dst = append(dst, '}')
	}
	return dst
}

func appendScores(dst []byte, sc *pulse.Score) []byte {
	dst = append(dst, `,"signal_tag":`...)
	dst = appendString(dst, sc.Ingest.SignalTag)
	dst = append(dst, `,"recency_score":`...)
	dst = appendNumber(dst, sc.Ingest.RecencyScore)
	dst = append(dst, `,"anomaly_flag":`...)
	dst = strconv.AppendBool(dst, sc.Ingest.AnomalyFlag)
	dst = append(dst, `,"anomaly_score":`...)
	dst = appendOptional(dst, sc.Ingest.AnomalyScore)
	dst = append(dst, `,"sti":`...)
	dst = appendNumber(dst, sc.Ingest.STI)
	dst = append(dst, `,"trust_score":`...)
	dst = appendOptional(dst, sc.Trust)
	dst = append(dst, `,"alignment_score":`...)
	dst = appendOptional(dst, sc.Alignment)
	if !sc.QualityScore.Valid {
		return dst
	}
	dst = append(dst, `,"quality_score":`...)
	dst = appendNumber(dst, sc.QualityScore.Number)
	dst = append(dst, `,"quality":`...)
	return appendQuality(dst, &sc.Ingest.Quality)
}

func appendQuality(dst []byte, q *pulse.Quality) []byte {
	dst = append(dst, `{"freshness":`...)
	dst = appendNumber(dst, q.Freshness)
	dst = append(dst, `,"normality":`...)
	dst = appendNumber(dst, q.Normality)
	dst = append(dst, `,"continuity":`...)
	dst = appendNumber(dst, q.Continuity)
	dst = append(dst, `,"reliability":`...)
	dst = appendNumber(dst, q.Reliability)
	return append(dst, '}')
}

func appendModel(dst []byte, m *pulse.Model) []byte {
	dst = append(dst, `,"model":{"prediction":`...)
	dst = appendNumber(dst, m.Prediction)
	dst = append(dst, `,"error":`...)
	dst = appendOptional(dst, m.Error)
	dst = append(dst, `,"version":`...)
	dst = appendString(dst, m.Version)
	return append(dst, '}')
}

func appendMeta(dst []byte, meta *Meta) []byte {
	dst = append(dst, meta.unchanging()...)
	dst = appendInt(dst, meta.Offset)
	dst = append(dst, `,"timestamp":"`...)
	dst = meta.recordDay.AppendMillis(dst, meta.TimestampMs)
	return append(dst, `"}`...)
}

// unchanging is the text from the profile to the partition.
func (m *Meta) unchanging() []byte {
	made := &m.made
	if made.text != nil && made.attempts == m.Attempts && made.partition == m.Partition &&
		made.topic == m.Topic && made.profile == m.Profile && made.version == m.ScorerVersion {
		return made.text
	}
	made.profile, made.version, made.attempts, made.topic, made.partition = m.Profile, m.ScorerVersion, m.Attempts, m.Topic, m.Partition
	dst := made.text[:0]
	dst = append(dst, `,"profile":`...)
	dst = appendString(dst, m.Profile)
	dst = append(dst, `,"scorer_version":`...)
	dst = appendString(dst, m.ScorerVersion)
	dst = append(dst, `,"attempts":`...)
	dst = strconv.AppendInt(dst, int64(m.Attempts), 10)
	dst = append(dst, `,"input":{"topic":`...)
	dst = appendString(dst, m.Topic)
	dst = append(dst, `,"partition":`...)
	dst = strconv.AppendInt(dst, int64(m.Partition), 10)
	dst = append(dst, `,"offset":`...)
	made.text = dst
	return dst
}

// appendEnrichment appends what the forecast stages found, but for the
// alignment score, which stands beside the trust score. Members that the
// stages set on a condition only are left out when they were not set.
func appendEnrichment(dst []byte, e *pulse.Enrichment) []byte {
	dst = append(dst, `{"trace_id":`...)
	dst = appendValue(dst, &e.TraceID)
	dst = append(dst, `,"arc_label":`...)
	dst = appendString(dst, e.ArcLabel)
	dst = append(dst, `,"forecast_tag":`...)
	dst = appendString(dst, e.ForecastTag)
	dst = append(dst, `,"confidence":`...)
	dst = appendNumber(dst, e.Confidence)
	dst = append(dst, `,"raw_confidence":`...)
	dst = appendNumber(dst, e.RawConfidence)
	dst = append(dst, `,"risk_score":`...)
	dst = appendNumber(dst, e.RiskScore)
	dst = append(dst, `,"historical_consistency":`...)
	dst = appendNumber(dst, e.HistoricalConsistency)
	dst = append(dst, `,"trust_label":`...)
	dst = appendString(dst, e.TrustLabel)
	dst = append(dst, `,"alignment_components":`...)
	dst = appendComponents(dst, &e.AlignmentComponents)
	dst = appendConditional(dst, e)
	dst = append(dst, `,"trust_summary":`...)
	dst = appendString(dst, e.TrustSummary)
	return append(dst, '}')
}

func appendComponents(dst []byte, c *pulse.AlignmentComponents) []byte {
	dst = append(dst, `{"confidence":`...)
	dst = appendOptional(dst, c.Confidence)
	dst = append(dst, `,"retrodiction":`...)
	dst = appendOptional(dst, c.Retrodiction)
	dst = append(dst, `,"arc_stability":`...)
	dst = appendOptional(dst, c.ArcStability)
	dst = append(dst, `,"tag_match":`...)
	dst = appendOptional(dst, c.TagMatch)
	dst = append(dst, `,"novelty":`...)
	dst = appendOptional(dst, c.Novelty)
	return append(dst, '}')
}

func appendConditional(dst []byte, e *pulse.Enrichment) []byte {
	if e.HasFragility {
		dst = append(dst, `,"fragility":`...)
		dst = appendValue(dst, &e.Fragility)
	}
	if e.HasRetrodictionError {
		dst = append(dst, `,"retrodiction_error":`...)
		dst = appendOptional(dst, e.RetrodictionError)
	}
	if e.AttentionScore.Valid {
		dst = append(dst, `,"attention_score":`...)
		dst = appendOptional(dst, e.AttentionScore)
	}
	if e.RepeatRegret != nil {
		dst = append(dst, `,"repeat_regret":`...)
		dst = strconv.AppendBool(dst, *e.RepeatRegret)
	}
	if e.LicenseStatus != "" {
		dst = append(dst, `,"license_status":`...)
		dst = appendString(dst, e.LicenseStatus)
		dst = append(dst, `,"license_explanation":`...)
		dst = appendString(dst, e.LicenseExplanation)
	}
	return dst
}

// AppendError appends the answer of the score command to a bad input line,
// counted from 1.
func AppendError(dst []byte, line int, bad *pulse.Bad) []byte {
	dst = append(dst, `{"error":{"class":`...)
	dst = appendString(dst, string(bad.Class))
	dst = append(dst, `,"field":`...)
	dst = appendString(dst, bad.Field)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, bad.Message)
	dst = append(dst, `},"line":`...)
	dst = strconv.AppendInt(dst, int64(line), 10)
	return append(dst, '}')
}
