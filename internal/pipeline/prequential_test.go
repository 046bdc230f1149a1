package pipeline_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/ndjson"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/sample"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/series"
	"pulse-scorer/internal/state"
)

type streamKey struct{ source, name string }

// lesson is one forecast of the sample: what was known before it was scored, and
// its score.
type lesson struct {
	features series.Features
	history  series.Trust
	score    float64
	// predicted is what the model said of it.
	predicted float64
}

// school scores the sample forecasts as a task of the service does, in profile v2,
// with the memory of each stream, and teaches its models what comes of it.
type school struct {
	profile *scoring.Profile
	streams map[streamKey]*series.Series
	sources map[string]*series.Source
	memory  map[streamKey][]pulse.Value
	// modelOf says which of the models has a stream.
	modelOf func(streamKey) *learn.Model
	lessons []lesson
}

func newSchool(modelOf func(streamKey) *learn.Model) *school {
	return &school{
		profile: scoring.V2(), modelOf: modelOf,
		streams: map[streamKey]*series.Series{}, sources: map[string]*series.Source{}, memory: map[streamKey][]pulse.Value{},
	}
}

func (s *school) attend(t *testing.T) {
	t.Helper()
	decoder := codec.NewDecoder(codec.Settings{DefaultSource: "unknown"})
	eachForecast(t, func(line []byte) {
		var sig pulse.Signal
		if bad := decoder.Decode(line, nil, 0, &sig); bad != nil {
			t.Fatal(bad)
		}
		s.take(t, &sig)
	})
}

// eachForecast gives the sample forecasts, in order of time.
func eachForecast(t *testing.T, do func(line []byte)) {
	t.Helper()
	plain, err := ndjson.From("forecasts", sample.Files()[1].Open(), -1)
	if err != nil {
		t.Fatal(err)
	}
	lines := ndjson.NewReader(plain, 1<<20)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(line.Bytes)
	}
}

func (s *school) take(t *testing.T, sig *pulse.Signal) {
	t.Helper()
	if bad := s.profile.Admit(sig, sig.Timestamp.Micros); bad != nil {
		t.Fatal(bad)
	}
	key := streamKey{strings.Clone(sig.Source), strings.Clone(sig.Name)}
	stream, source := s.state(key)
	source.Count(true)
	reading := stream.Observe(sig.Value, sig.Timestamp.Micros)
	source.Note(stream)
	lesson := lesson{history: stream.Trust()}
	stream.Features(source, &lesson.features)
	model := s.modelOf(key)
	prediction := model.Predict(&lesson.features, lesson.history)

	ctx := scoring.ContextOf(sig.Context, pulse.ListValue(s.memory[key]), true)
	ctx.ModelError = pulse.Some(lesson.history.Error)
	score := s.profile.Score(sig, sig.Timestamp.Micros,
		scoring.Seen{Anomaly: reading.Anomaly, Continuity: reading.Continuity, Reliability: source.Reliability()}, ctx)
	if score.EnrichmentError != "" {
		t.Fatal(score.EnrichmentError)
	}
	s.memory[key] = append(s.memory[key], s.profile.MemoryEntry(sig.Record, score.Enrichment))
	s.memory[key] = s.memory[key][max(0, len(s.memory[key])-s.profile.MemorySize):]

	lesson.score, lesson.predicted = score.Trust.Number, prediction.Score
	if err := model.Learn(&lesson.features, prediction, lesson.score); err != nil {
		t.Fatal(err)
	}
	stream.Scored(lesson.score, prediction.Score)
	s.lessons = append(s.lessons, lesson)
}

func (s *school) state(key streamKey) (*series.Series, *series.Source) {
	if s.streams[key] == nil {
		s.streams[key] = new(series.Series)
	}
	if s.sources[key.source] == nil {
		s.sources[key.source] = new(series.Source)
	}
	return s.streams[key], s.sources[key.source]
}

// On the sample forecasts, scored and learned in the order of their times, the
// model is better than both naive predictors: by a fifth and more than by half.
// The margins here are wider, so that a better detector or another feature does
// not turn a good model red.
func TestLearning_BeatsTheNaivePredictorsOnTheSample(t *testing.T) {
	t.Parallel()
	var model learn.Model
	s := newSchool(func(streamKey) *learn.Model { return &model })
	s.attend(t)
	mae, last, mean := model.Accuracy().MAE()
	t.Logf("%d forecasts of %d streams: mean absolute error %.5f; last score %.5f, mean score %.5f",
		model.Accuracy().Forecasts, len(s.streams), mae, last, mean)
	if n := model.Accuracy().Forecasts; n != uint64(len(s.lessons)-len(s.streams)) || n < 2900 {
		t.Errorf("%d forecasts were counted", n)
	}
	if mae > 0.85*last || mae > 0.5*mean {
		t.Errorf("mean absolute error %.5f, last score %.5f, mean score %.5f", mae, last, mean)
	}
}

// What the figures above are of is what the record path does: the same predictions, each
// made before its lesson, from the same features. Results have six decimals of them.
func TestLearning_IsThatOfTheRecordPath(t *testing.T) {
	t.Parallel()
	var model learn.Model
	s := newSchool(func(streamKey) *learn.Model { return &model })
	s.attend(t)
	scorer, err := pipeline.NewScorer(pipeline.Settings{
		Group: "g", DefaultSource: "unknown", MaxRecordBytes: 1 << 20, License: true,
		State: state.Settings{DedupeWindow: time.Hour, DedupeMaxIDs: 10_000, MemorySize: scoring.V2().MemorySize},
	}, scoring.V2(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	eachForecast(t, func(line []byte) {
		out, bad := scorer.AppendResult(nil, line, time.Time{})
		if bad != nil {
			t.Fatal(bad)
		}
		var result struct {
			Model struct{ Prediction float64 }
		}
		if err := json.Unmarshal(out, &result); err != nil {
			t.Fatal(err)
		}
		if got, want := result.Model.Prediction, s.lessons[n].predicted; math.Abs(got-want) > 0.51e-6 {
			t.Fatalf("forecast %d: predicted %v, want %v", n, got, want)
		}
		n++
	})
	if n != len(s.lessons) || n < 2900 {
		t.Errorf("%d forecasts, want %d", n, len(s.lessons))
	}
}

// A model has a task's streams and no others. Over eight tasks, as eight
// partitions make them, there is less to learn from, and it is still better.
func TestLearning_BeatsTheNaivePredictorsWithATaskEach(t *testing.T) {
	t.Parallel()
	models, next := make([]learn.Model, 8), 0
	given := map[streamKey]*learn.Model{}
	s := newSchool(func(key streamKey) *learn.Model {
		if given[key] == nil {
			given[key] = &models[next%len(models)]
			next++
		}
		return given[key]
	})
	s.attend(t)
	var all learn.Accuracy
	for i := range models {
		a := models[i].Accuracy()
		all.Forecasts += a.Forecasts
		all.Model, all.Last, all.Mean = all.Model+a.Model, all.Last+a.Last, all.Mean+a.Mean
	}
	mae, last, mean := all.MAE()
	t.Logf("%d forecasts over 8 tasks: mean absolute error %.5f; last score %.5f, mean score %.5f", all.Forecasts, mae, last, mean)
	if mae > 0.97*last || mae > 0.5*mean {
		t.Errorf("mean absolute error %.5f, last score %.5f, mean score %.5f", mae, last, mean)
	}
}
