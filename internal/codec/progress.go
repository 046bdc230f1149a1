package codec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"pulse-scorer/internal/pulse"
)

// Progress is what the stages that a record has passed have found, for the next
// try to go on from (header pulse-progress).
type Progress struct {
	// Token names the record's ID in the state of its task.
	Token []byte
	// Ingest is nil when the record was not ingested.
	Ingest *pulse.Ingest
	// Features are those of a forecast, for the model, and FeatureVersion numbers
	// their order; none where no model is asked.
	Features       []float64
	FeatureVersion int
	// External are the answers of external enrichers there are.
	External []pulse.External
}

const progressVersion = 1

// The JSON of a Progress. Names and meaning never change within a version.
type (
	progressJSON struct {
		Version  int            `json:"v"`
		Token    []byte         `json:"id,omitempty"`
		Ingest   *ingestJSON    `json:"ingest,omitempty"`
		Features *featuresJSON  `json:"features,omitempty"`
		External []externalJSON `json:"external,omitempty"`
	}
	ingestJSON struct {
		Tag          string   `json:"signal_tag"`
		RawRecency   float64  `json:"raw_recency"`
		Recency      float64  `json:"recency_score"`
		AnomalyFlag  bool     `json:"anomaly_flag"`
		AnomalyScore *float64 `json:"anomaly_score"`
		STI          float64  `json:"sti"`
		// Quality came with the anomaly score; without one it is zero.
		Quality *qualityJSON `json:"quality,omitempty"`
	}
	qualityJSON struct {
		Freshness   float64 `json:"freshness"`
		Normality   float64 `json:"normality"`
		Continuity  float64 `json:"continuity"`
		Reliability float64 `json:"reliability"`
	}
	featuresJSON struct {
		Version int       `json:"v"`
		Values  []float64 `json:"values"`
	}
	externalJSON struct {
		Enricher string          `json:"enricher"`
		Object   json.RawMessage `json:"object,omitempty"`
	}
)

// AppendProgress appends a Progress as JSON in one line. It fails when an
// external answer is not JSON.
func AppendProgress(dst []byte, p *Progress) ([]byte, error) {
	out := progressJSON{Version: progressVersion, Token: p.Token}
	if i := p.Ingest; i != nil {
		out.Ingest = &ingestJSON{Tag: i.SignalTag, RawRecency: i.RawRecency, Recency: i.RecencyScore, AnomalyFlag: i.AnomalyFlag, STI: i.STI}
		if i.AnomalyScore.Valid {
			out.Ingest.AnomalyScore = &i.AnomalyScore.Number
			q := qualityJSON(i.Quality)
			out.Ingest.Quality = &q
		}
	}
	if p.Features != nil {
		out.Features = &featuresJSON{p.FeatureVersion, p.Features}
	}
	for _, e := range p.External {
		out.External = append(out.External, externalJSON{e.Enricher, e.Object})
	}
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false) // an answer stays as it was given
	if err := enc.Encode(&out); err != nil {
		return dst, fmt.Errorf("progress: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// ReadProgress reads what AppendProgress wrote. It keeps nothing of text.
func ReadProgress(text []byte) (p Progress, err error) {
	var in progressJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return Progress{}, fmt.Errorf("progress: %w", err)
	}
	if in.Version != progressVersion {
		return Progress{}, fmt.Errorf("progress of version %d, this build reads version %d", in.Version, progressVersion)
	}
	p.Token = in.Token
	if i := in.Ingest; i != nil {
		p.Ingest = &pulse.Ingest{SignalTag: i.Tag, RawRecency: i.RawRecency, RecencyScore: i.Recency, AnomalyFlag: i.AnomalyFlag, STI: i.STI}
		if i.AnomalyScore != nil {
			p.Ingest.AnomalyScore = pulse.Some(*i.AnomalyScore)
		}
		if i.Quality != nil {
			p.Ingest.Quality = pulse.Quality(*i.Quality)
		}
	}
	if f := in.Features; f != nil {
		p.Features, p.FeatureVersion = f.Values, f.Version
	}
	for _, e := range in.External {
		p.External = append(p.External, pulse.External{Enricher: e.Enricher, Object: e.Object})
	}
	return p, nil
}
