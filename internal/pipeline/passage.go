package pipeline

import (
	"bytes"
	"crypto/sha256"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/series"
	"pulse-scorer/internal/state"
)

// passage is one record on its way to its outcome.
type passage struct {
	in *Record
	// parked: it was parked in the state and comes from there, of the queue of a
	// series; over is its outcome if it has one before its turn.
	parked bool
	queue  seriesName
	over   *Outcome

	// Where the record lay in the input, its time and how often it was
	// delivered, this time included. firstSeenMs is 0 when this is the first.
	topic       string
	partition   int32
	offset      int64
	recordMs    int64
	deliveries  int
	firstSeenMs int64
	// progress is what earlier tries have found.
	progress codec.Progress

	stage Stage
	// mark is where to go back to when a stage fails.
	mark   state.Mark
	signal pulse.Signal
	score  pulse.Score
	id     state.ID
	// identified: id is known before it is asked for.
	identified bool
	// waited: its ID was pending because of it, so that it is no new record.
	waited bool
	// isNew: its observation was added to its series by this passage; ingested,
	// that its ingest is over, in this passage or before.
	isNew, ingested bool
	// unremembered: its forecast was too large to be remembered.
	unremembered bool
	// features are what its series showed of a forecast when it was ingested, and
	// predicted what the model makes of them; told says whether there are any.
	features   series.Features
	told       bool
	prediction learn.Prediction
	predicted  bool

	inquiry Inquiry
	// followed is nil for a record that nobody follows.
	followed Followed
	// asked: the enrichers have answered; failed is why it cannot be scored, known
	// before the stages that come after them.
	asked  bool
	failed *pulse.Bad
	// fate is set when a stage has failed.
	fate fate
}

func (p *passage) begin(in *Record) {
	// Field by field: decode overwrites the signal and dedupe the ID, which are
	// most of it.
	p.in, p.parked = in, false
	p.topic, p.partition, p.offset, p.recordMs, p.deliveries, p.firstSeenMs = in.Topic, in.Partition, in.Offset, ArrivedMs(in), 1, 0
	p.progress = codec.Progress{}
	p.stage, p.identified, p.waited, p.isNew, p.ingested, p.unremembered = StageDecode, false, false, false, false, false
	p.signal.Source, p.signal.SourceGiven, p.told, p.predicted = "", false, false, false
	p.inquiry.Answers, p.inquiry.Traceparent, p.asked, p.failed, p.followed = nil, "", false, nil, nil
}

// again tells whether the record was here before.
func (p *passage) again() bool { return p.in.Tier > 0 || p.parked }

// readTrail takes over what the headers of a tier's record say.
func (p *passage) readTrail() *pulse.Bad {
	l, err := ReadLetter(p.in.Headers)
	if err != nil {
		return &pulse.Bad{Class: pulse.InvalidField, Message: "in a retry tier: " + err.Error()}
	}
	p.topic, p.partition, p.offset, p.recordMs = l.Topic, l.Partition, l.Offset, l.RecordTimeMs
	p.deliveries, p.firstSeenMs = l.Deliveries+1, max(0, l.FirstSeenMs)
	// What cannot be read is found out again, but for the observation, which the
	// series has.
	p.progress, _ = codec.ReadProgress([]byte(l.Progress))
	p.inquiry.Answers = p.progress.External
	return nil
}

// refused makes the record take another form than the one that was too large.
func (p *passage) refused(to Destination) {
	in := *p.in
	switch to {
	case Results:
		p.stage, p.failed = StageEmit, resultRefused()
	case DeadLetters:
		in.Withheld, in.Value = &Withheld{Size: int64(len(in.Value)), SHA256: sha256.Sum256(in.Value)}, nil
	case State, Destinations:
	default:
		in.RetryRefused = true
	}
	p.in = &in
}

// kept returns a record that shares no memory with in.
func kept(in *Record) *Record {
	out := *in
	out.Key, out.Value, out.Headers = bytes.Clone(in.Key), bytes.Clone(in.Value), nil
	for _, h := range in.Headers {
		out.Headers = append(out.Headers, Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return &out
}
