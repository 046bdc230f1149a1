package learn

import (
	"encoding/json"
	"fmt"

	"pulse-scorer/internal/series"
)

// SnapshotSchema names the form of snapshots (schemas/model.v1.json).
const SnapshotSchema = "pulse.model/1"

// Snapshot is a model for people and other programs to read: enough to predict
// with, not to go on learning from.
type Snapshot struct {
	Schema string `json:"schema"`
	// Version is Version.
	Version string `json:"version"`
	// Task is the partition whose model it is.
	Task int32 `json:"task"`
	// Scores is how many trust scores the model has seen, Typical their mean.
	Scores  uint64  `json:"scores"`
	Typical float64 `json:"typical"`
	// Features are the names in order, Weights what each adds to a stream's last
	// score, for the feature as it is. Constant is added for all.
	Features []string  `json:"features"`
	Weights  []float64 `json:"weights"`
	Constant float64   `json:"constant"`
	// Accuracy are the prequential mean absolute errors.
	Accuracy SnapshotAccuracy `json:"accuracy"`
}

// SnapshotAccuracy is Accuracy as a snapshot has it.
type SnapshotAccuracy struct {
	Forecasts uint64  `json:"forecasts"`
	Model     float64 `json:"mae"`
	Last      float64 `json:"naive_last_mae"`
	Mean      float64 `json:"naive_mean_mae"`
}

// Snapshot of the model of a task.
func (m *Model) Snapshot(task int32) Snapshot {
	names := series.FeatureNames()
	s := Snapshot{
		Schema: SnapshotSchema, Version: Version, Task: task,
		Scores: m.scores, Typical: m.first(),
		Features: names[:], Weights: make([]float64, len(names)), Constant: m.regression.weights[inputs-1],
	}
	for i := range s.Weights {
		s.Weights[i] = m.regression.weights[i] * scaleOf(i)
	}
	s.Accuracy.Forecasts = m.accuracy.Forecasts
	s.Accuracy.Model, s.Accuracy.Last, s.Accuracy.Mean = m.accuracy.MAE()
	return s
}

// AppendJSON appends the snapshot as JSON in one line.
func (s *Snapshot) AppendJSON(dst []byte) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return dst, fmt.Errorf("model snapshot: %w", err) // a model holds finite numbers only
	}
	return append(dst, text...), nil
}
