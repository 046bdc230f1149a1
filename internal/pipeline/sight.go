package pipeline

import "pulse-scorer/internal/pulse"

// Watcher is shown what has committed, for people to look at.
type Watcher interface {
	// Saw is called once for each batch that has committed, by the goroutine of its
	// task, and must not wait. What it is shown is valid until it returns.
	Saw(batch *Sight)
}

// Measure is a score that is counted by its size. The set is closed.
type Measure uint8

// The measures; all of them lie in [0,1]. Trust and alignment are those of forecasts
// (alignment, which goes to 100, is divided by it), quality is that of raw signals.
const (
	MeasureTrust Measure = iota
	MeasureAlignment
	MeasureQuality
	MeasureAnomaly
	MeasureRecency
	Measures // how many there are
)

// Steps is into how many equal parts [0,1] is divided; 1 itself counts to the last.
const Steps = 20

const (
	// maxSeen is how many results and how many dead letters of a batch are shown:
	// the first ones. At the rate of a person that is all of them.
	maxSeen = 8
	// MaxSeenBytes is how much of a result, of a key and of a value is kept; with
	// all of it full a task holds 384 KiB.
	MaxSeenBytes = 4 << 10
)

// Sight is what can be seen of a batch.
type Sight struct {
	// Spread counts scores by measure and step.
	Spread [Measures][Steps]uint32
	// Scored counts results, Flagged those of an anomaly.
	Scored, Flagged uint32
	// Failed counts dead letters by why and where.
	Failed map[Fault]uint32
	// Results and Letters are some of the batch, in its order.
	Results []SeenResult
	Letters []SeenLetter

	contents bool
	results  [maxSeen]SeenResult
	letters  [maxSeen]SeenLetter
}

// Fault is the class of a dead letter and the stage it failed at.
type Fault struct {
	Class pulse.Class
	Stage Stage
}

// SeenResult is a result without what senders have written, but for Content.
type SeenResult struct {
	Kind      pulse.Kind
	Partition int32
	Offset    int64
	RecordMs  int64
	Attempts  int
	Trust     pulse.Optional
	Alignment pulse.Optional // 0 to 100
	Quality   pulse.Optional
	Anomaly   pulse.Optional
	Recency   float64
	Flagged   bool
	// Content is the result's JSON; empty when it is too long, or nobody may see it.
	Content []byte
}

// SeenLetter is a dead letter. Message, Key and Value are what senders have written, or
// repeat it: they are empty when nobody may see them.
type SeenLetter struct {
	Fault

	Partition int32
	Offset    int64
	RecordMs  int64
	Attempts  int
	Message   string
	// Key and Value are cut to MaxSeenBytes; Size is that of the whole value.
	Key, Value []byte
	Size       int64
}

func newSight(contents bool) *Sight {
	return &Sight{contents: contents, Failed: make(map[Fault]uint32)}
}

// reset keeps the memory.
func (s *Sight) reset() {
	if s == nil {
		return
	}
	s.Spread = [Measures][Steps]uint32{}
	s.Scored, s.Flagged = 0, 0
	s.Results, s.Letters = s.results[:0], s.letters[:0]
	clear(s.Failed)
}

// scored counts a result. With nobody to watch it does nothing.
func (s *Sight) scored(p *passage, encoded []byte) {
	if s == nil {
		return
	}
	sc := &p.score
	s.Scored++
	if sc.Ingest.AnomalyFlag {
		s.Flagged++
	}
	if p.signal.Kind == pulse.Forecasted {
		s.count(MeasureTrust, sc.Trust)
		s.count(MeasureAlignment, pulse.Optional{Number: sc.Alignment.Number / 100, Valid: sc.Alignment.Valid})
	}
	s.count(MeasureQuality, sc.QualityScore)
	s.count(MeasureAnomaly, sc.Ingest.AnomalyScore)
	s.count(MeasureRecency, pulse.Some(sc.Ingest.RecencyScore))
	if len(s.Results) < maxSeen {
		s.show(p, encoded)
	}
}

func (s *Sight) count(m Measure, score pulse.Optional) {
	if score.Valid {
		s.Spread[m][min(Steps-1, max(0, int(score.Number*Steps)))]++
	}
}

func (s *Sight) show(p *passage, encoded []byte) {
	sc, n := &p.score, len(s.Results)
	s.Results = s.results[:n+1]
	r := &s.Results[n]
	*r = SeenResult{
		Kind: p.signal.Kind, Partition: p.partition, Offset: p.offset, RecordMs: p.recordMs, Attempts: p.deliveries,
		Trust: sc.Trust, Alignment: sc.Alignment, Quality: sc.QualityScore, Anomaly: sc.Ingest.AnomalyScore,
		Recency: sc.Ingest.RecencyScore, Flagged: sc.Ingest.AnomalyFlag, Content: r.Content[:0],
	}
	if s.contents && len(encoded) <= MaxSeenBytes {
		r.Content = append(r.Content, encoded...)
	}
}

// dead counts a dead letter.
func (s *Sight) dead(p *passage, o Outcome, class pulse.Class) {
	if s == nil {
		return
	}
	fault := Fault{class, o.Stage}
	s.Failed[fault]++
	n := len(s.Letters)
	if n == maxSeen {
		return
	}
	s.Letters = s.letters[:n+1]
	l := &s.Letters[n]
	*l = SeenLetter{
		Fault: fault, Partition: p.partition, Offset: p.offset, RecordMs: p.recordMs, Attempts: p.deliveries,
		Key: l.Key[:0], Value: l.Value[:0], Size: int64(len(p.in.Value)),
	}
	if w := p.in.Withheld; w != nil {
		l.Size = w.Size
	}
	if s.contents {
		l.Message = o.Bad.Error()
		l.Key = append(l.Key, p.in.Key[:min(len(p.in.Key), MaxSeenBytes)]...)
		l.Value = append(l.Value, p.in.Value[:min(len(p.in.Value), MaxSeenBytes)]...)
	}
}
