package deadletter

import (
	"errors"
	"strings"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// Letter is a dead letter as it lies in its topic.
type Letter struct {
	pipeline.Letter

	// Partition and At are where the letter itself lies, TimeMs when it was
	// written.
	Partition int32
	At        int64
	TimeMs    int64
	// ID and Source are what its record says of itself, empty where it says
	// nothing that can be read.
	ID, Source string
	// Redrives is how often its record had been sent back before.
	Redrives int
	// Tombstone: its record has no value.
	Tombstone bool
	// Withheld: the value is not there, or too large to be held.
	Withheld bool
	// Bytes is the size of the value.
	Bytes int
}

// ErrForeign says that a record of the dead-letter topic is not this service's letter.
var ErrForeign = errors.New("a dead letter of another service")

// Reader reads the dead letters of one group and input.
type Reader struct {
	Topic, Group  string
	DefaultSource string

	decode *codec.Decoder
}

// NewReader returns a Reader.
func NewReader(topic, group, defaultSource string) *Reader {
	return &Reader{
		Topic: topic, Group: group, DefaultSource: defaultSource,
		decode: codec.NewDecoder(codec.Settings{DefaultSource: defaultSource}),
	}
}

// Read reads a letter. Its texts are its own. The error is ErrForeign for what
// belongs to another service, and says what is wrong with anything else.
func (r *Reader) Read(in *pipeline.Record) (Letter, error) {
	head, err := pipeline.ReadLetter(in.Headers)
	switch {
	case err != nil:
		return Letter{}, err
	case head.Topic != r.Topic || head.Group != r.Group:
		return Letter{}, ErrForeign
	case head.Partition != in.Partition:
		// It would go to a partition whose task does not know its ID.
		return Letter{}, errors.New("it is of another partition of the input than it lies in")
	}
	l := Letter{
		Letter: head, Partition: in.Partition, At: in.Offset, TimeMs: in.TimestampMs,
		Redrives: pipeline.Redrives(in.Headers), Bytes: len(in.Value),
		Withheld:  head.ValueIsMissing || in.Withheld != nil,
		Tombstone: in.Value == nil && !head.ValueIsMissing && in.Withheld == nil,
	}
	r.identify(&l, in)
	return l, nil
}

// identify finds out which signal it is. A bad record says so itself, as far as it
// can be read.
func (r *Reader) identify(l *Letter, in *pipeline.Record) {
	if in.Value == nil {
		return
	}
	var sig pulse.Signal
	if r.decode.Decode(in.Value, in.Headers, l.RecordTimeMs, &sig) == nil {
		l.ID, l.Source = strings.Clone(sig.ID), strings.Clone(sig.Source)
		return
	}
	id, source := r.decode.Claimed(in.Value, in.Headers)
	if source == "" {
		source = r.DefaultSource
	}
	l.ID, l.Source = strings.Clone(id), strings.Clone(source)
}
