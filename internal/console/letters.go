package console

import "pulse-scorer/internal/pipeline"

// deadLetters is the answer of /api/dlq: the dead letters of the overview with what is in
// them. schemas/dlq.v1.json describes it (TestDeadLetters_AreAsTheirSchemaSays).
type deadLetters struct {
	Schema      string       `json:"schema"`
	DeadLetters []openLetter `json:"dead_letters"`
}

const deadLettersSchema = "pulse.dlq/1"

// openLetter is a dead letter as who has the token sees it.
type openLetter struct {
	letterView

	Message string `json:"message"`
	// Key and Value are shown as text; what is no UTF-8 is replaced.
	Key   string `json:"key"`
	Value string `json:"value"`
	// Cut: the value is longer than what is shown.
	Cut bool `json:"cut"`
}

func (s *seen) deadLetters() *deadLetters {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &deadLetters{Schema: deadLettersSchema, DeadLetters: []openLetter{}}
	s.letters.each(func(l *letter) {
		d.DeadLetters = append(d.DeadLetters, openLetter{
			letterView: l.view(), Message: l.Message, Key: text(l.Key), Value: text(l.Value), Cut: l.Size > pipeline.MaxSeenBytes,
		})
	})
	return d
}
