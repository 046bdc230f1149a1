package pipeline

import (
	"errors"
	"math"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/series"
)

// streaming tells whether the profile keeps series, sources and a model in place of
// windows.
func (t *Task) streaming() bool { return t.profile.WindowSize == 0 }

// observe gives a signal to its series, or shows it to the series that has it
// already (first is false), and says what is seen. A forecast's features are taken
// now: later ones of its series may be ingested before it is scored, and how many
// depends on where a batch ends.
func (t *Task) observe(p *passage, first bool) scoring.Seen {
	sig := &p.signal
	switch {
	case t.streaming():
	case first:
		return scoring.Seen{Window: t.state.Observe(sig.Source, sig.Name, sig.Value)}
	default:
		return scoring.Seen{Window: t.state.Window(sig.Source, sig.Name)}
	}
	look := t.state.Weigh
	if first {
		look = t.state.Advance
	}
	s, reading := look(sig.Source, sig.Name, sig.Value, sig.Timestamp.Micros)
	source, _ := t.state.Source(sig.Source)
	if first {
		source.Count(true)
		source.Note(s)
		t.state.SetSource(sig.Source, source)
	}
	if sig.Kind == pulse.Forecasted {
		s.Features(&source, &p.features)
		p.told = true
	}
	return scoring.Seen{
		Anomaly: reading.Anomaly, Continuity: reading.Continuity, Reliability: source.Reliability(), UsualGap: reading.UsualGap,
	}
}

// blame counts a bad record against its source, if it can be told whose it is. One
// that nothing good has come of is not remembered: senders choose the names.
func (t *Task) blame(sig *pulse.Signal) {
	if !t.streaming() || sig.Source == "" && !sig.SourceGiven {
		return
	}
	if s, known := t.state.Source(sig.Source); known {
		s.Count(false)
		t.state.SetSource(sig.Source, s)
	}
}

// trust is what a stream's forecasts were worth so far.
func (t *Task) trust(p *passage) series.Trust {
	if s := t.state.Series(p.signal.Source, p.signal.Name); s != nil {
		return s.Trust()
	}
	return new(series.Series).Trust()
}

// predict asks the model what score a forecast will get.
func (t *Task) predict(p *passage) {
	if p.told {
		t.aside(p, t.foresee)
	}
}

func (t *Task) foresee(p *passage) {
	if s := t.state.Series(p.signal.Source, p.signal.Name); s != nil {
		// What scores have taught the stream counts as of now, what observations
		// have as of the ingest.
		var now series.Features
		s.Features(new(series.Source), &now)
		copy(p.features[series.FeatureTrustLast:], now[series.FeatureTrustLast:])
	}
	p.prediction = t.state.Model().Predict(&p.features, t.trust(p))
	p.predicted = true
}

// modelOf is what the result says of the model.
func (t *Task) modelOf(p *passage) *pulse.Model {
	if !p.predicted {
		return nil
	}
	predicted := told(p.prediction.Score)
	t.model = pulse.Model{Prediction: predicted, Version: learn.Version}
	if trust := p.score.Trust; trust.Valid {
		t.model.Error = pulse.Some(told(max(trust.Number-predicted, predicted-trust.Number)))
	}
	return &t.model
}

// told is a share as results tell it, with six decimals: the error is that of the
// prediction beside it. What is learned from is not rounded.
func told(share float64) float64 { return math.Round(share*1e6) / 1e6 }

// featureVersion is the class of a forecast that was ingested by a release with other
// features than this one's: it waited while the release was exchanged.
const featureVersion = pulse.Class("feature_version")

// learn teaches stream and model the score of a forecast.
func (t *Task) learn(p *passage, o Outcome) {
	switch {
	case o.Kind != OutcomeScored || !p.score.Trust.Valid:
	case p.predicted:
		t.aside(p, t.teach)
	case t.streaming() && !p.told && len(p.progress.Features) > 0:
		t.unlearned(featureVersion) // here, because it is scored once, however often it is tried
	}
}

func (t *Task) teach(p *passage) {
	defer t.clock.lap(StageLearn)
	score := p.score.Trust.Number
	t.state.Scored(p.signal.Source, p.signal.Name, score, p.prediction.Score)
	err := t.state.Teach(&p.features, p.prediction, score)
	if fault := learn.Fault(""); errors.As(err, &fault) {
		t.unlearned(pulse.Class(fault))
	} else if err != nil {
		t.unlearned(pulse.Unknown)
	}
}

// aside does a part of the learn stage. What goes wrong there is taken back alone,
// and counted; the result stays (TestLearn_AFailureCostsNoResult).
func (t *Task) aside(p *passage, do func(*passage)) {
	p.stage = StageLearn
	t.state.MarkAt(&t.beforeLearn)
	defer func() {
		if cause := recover(); cause != nil {
			t.state.Undo(t.beforeLearn)
			t.unlearned(panicked(cause).Class)
		}
	}()
	do(p)
}

// unlearned counts a failure of the learn stage.
func (t *Task) unlearned(class pulse.Class) { t.open.failures[failure{StageLearn, class}]++ }

// featuresOf are the features of an earlier try; ok is false when there are none, or
// others than this build's.
func featuresOf(p *codec.Progress) (f series.Features, ok bool) {
	if p.FeatureVersion != series.FeatureVersion || len(p.Features) != len(f) {
		return f, false
	}
	copy(f[:], p.Features)
	return f, true
}
