package app

import (
	"time"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/pipeline"
)

// NewScorer returns the record path of an environment without Kafka around it.
// now is the wall clock; it stands in for the record time of signals that have
// no timestamp.
func NewScorer(c config.Config, version string, now func() time.Time) (*pipeline.Scorer, error) {
	return pipeline.NewScorer(pathSettings(c, version), profile(c), now)
}
