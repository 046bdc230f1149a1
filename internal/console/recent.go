package console

import (
	"encoding/json"
	"strings"
	"time"

	"pulse-scorer/internal/pipeline"
)

// recent is the answer of /api/recent: what is in the results and dead letters of the
// overview. It is for who has the token. schemas/recent.v1.json describes it
// (TestRecent_IsAsItsSchemaSays).
type recent struct {
	Schema      string          `json:"schema"`
	Results     []recentResult  `json:"results"`
	DeadLetters []recentLetters `json:"dead_letters"`
}

const recentSchema = "pulse.recent/1"

type recentResult struct {
	Seq int64 `json:"seq"`
	// Result is null when it was too long to be kept.
	Result json.RawMessage `json:"result"`
}

type recentLetters struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Message string    `json:"message"`
	// Key and Value are shown as text; what is no UTF-8 is replaced.
	Key   string `json:"key"`
	Value string `json:"value"`
	// Cut: the value is longer than what is shown.
	Cut bool `json:"cut,omitempty"`
}

func (s *seen) recent() *recent {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &recent{Schema: recentSchema, Results: []recentResult{}, DeadLetters: []recentLetters{}}
	s.results.each(func(of *result) {
		one := recentResult{Seq: of.seq}
		if json.Valid(of.Content) {
			one.Result = append(one.Result, of.Content...)
		}
		r.Results = append(r.Results, one)
	})
	s.letters.each(func(of *letter) {
		r.DeadLetters = append(r.DeadLetters, recentLetters{
			Seq: of.seq, At: of.at.UTC(), Message: of.Message, Key: text(of.Key), Value: text(of.Value), Cut: of.Size > pipeline.MaxSeenBytes,
		})
	})
	return r
}

func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
