package enricher

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// body is what an enricher is told of a signal: it, and what ingest has found. It is the
// same at each try, as a key that comes again asks for.
type body struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Value     float64    `json:"value"`
	Source    string     `json:"source"`
	Timestamp string     `json:"timestamp"` // RFC 3339
	Kind      string     `json:"kind"`
	Ingest    ingestBody `json:"ingest"`
}

type ingestBody struct {
	SignalTag    string   `json:"signal_tag"`
	RecencyScore float64  `json:"recency_score"`
	AnomalyFlag  bool     `json:"anomaly_flag"`
	AnomalyScore *float64 `json:"anomaly_score"`
	STI          float64  `json:"sti"`
}

func encode(q *pipeline.Inquiry) ([]byte, error) {
	in := ingestBody{
		SignalTag: q.Ingest.SignalTag, RecencyScore: q.Ingest.RecencyScore, AnomalyFlag: q.Ingest.AnomalyFlag, STI: q.Ingest.STI,
	}
	if s := q.Ingest.AnomalyScore; s.Valid {
		in.AnomalyScore = &s.Number
	}
	encoded, err := json.Marshal(body{
		ID: q.Signal.ID, Name: q.Signal.Name, Value: q.Signal.Value, Source: q.Signal.Source,
		Timestamp: string(q.Signal.Timestamp.AppendRFC3339(nil)), Kind: q.Signal.Kind.String(), Ingest: in,
	})
	if err != nil {
		return nil, fmt.Errorf("signal: %w", err)
	}
	return encoded, nil
}

const headerTraceparent = "traceparent"

// newRequest makes the call of one enricher. The signal's ID is the key that tells a
// service of repetitions, among the signals of one source, which is in the body; one that
// no header can hold is sent quoted.
func (c *client) newRequest(ctx context.Context, q *pipeline.Inquiry, token string, encoded []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.URL, bytes.NewReader(encoded))
	if err != nil {
		return nil, &pulse.Bad{Class: pulse.EnricherRejected, Message: c.endpoint.Name + ": the request cannot be made"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Idempotency-Key", headerSafe(q.Signal.ID))
	req.Header.Set("Pulse-Attempt", strconv.Itoa(q.Attempt))
	setTraceparent(req.Header, q)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// setTraceparent hands the trace on: ours, of the record's processing, or the one that
// the record came with.
func setTraceparent(header http.Header, q *pipeline.Inquiry) {
	if q.Traceparent != "" {
		header.Set("Traceparent", q.Traceparent)
		return
	}
	for _, h := range q.Headers {
		if h.Key == headerTraceparent {
			header.Set("Traceparent", headerSafe(string(h.Value)))
		}
	}
}

// headerSafe quotes what a header field cannot hold (RFC 9110, section 5.5).
func headerSafe(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(s) != s {
		return fmt.Sprintf("%+q", s)
	}
	return s
}
