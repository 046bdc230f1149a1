package app

import (
	"time"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/retry"
)

// NewScorer returns the record path of an environment without Kafka around it.
// now is the wall clock; it stands in for the record time of signals that have
// no timestamp.
func NewScorer(c config.Config, version string, now func() time.Time) (*pipeline.Scorer, error) {
	settings, err := pathSettings(c, version)
	if err != nil {
		return nil, err
	}
	settings.Retry = retry.Settings{} // there is nowhere to wait
	return pipeline.NewScorer(settings, profile(c), now)
}
