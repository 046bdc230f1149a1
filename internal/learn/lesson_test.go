package learn_test

import "pulse-scorer/internal/series"

// lesson is what was known of a forecast before it was scored, and its score.
type lesson struct {
	features series.Features
	history  series.Trust
	score    float64
}
