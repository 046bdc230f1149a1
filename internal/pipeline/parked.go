package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"pulse-scorer/internal/codec"
)

// maxParkedBytes bounds what a task holds parked, beside the number.
const maxParkedBytes = 64 << 20

// The bounds on what waits, each with the variable that sets it or asks for what is bounded.
const (
	boundIDs    = "PULSE_DEDUPE_MAX_IDS: as many signals wait to be tried again as IDs are remembered"
	boundParked = "PULSE_RETRY_MAX_PARKED: as many records are parked as may"
	boundBytes  = "PULSE_RETRY_ORDER: 64 MiB of records are parked behind signals of their series, the most that a task holds"
)

// crowded tells whether no more records of the input can be taken, because as
// many wait as may.
func (t *Task) crowded() bool { return t.bound() != "" }

// bound is the one that is reached, empty when none is.
func (t *Task) bound() string {
	set := &t.settings.Retry
	switch {
	case t.state.Crowded():
		return boundIDs
	case !set.ByKey:
		return ""
	case t.state.Parked()+len(t.waiting) >= set.MaxParked:
		return boundParked
	case t.state.ParkedBytes()+t.waitingBytes >= maxParkedBytes:
		return boundBytes
	}
	return ""
}

// sayBound tells why the input waits. It is called again and again until there is room;
// the log leaves out what repeats.
func (t *Task) sayBound() {
	if t.log != nil {
		t.log.Warn("the input of a task waits, because as much waits to be tried again, or is parked, as may; its retry tiers go on",
			slog.Int("task", int(t.partition)), slog.String("reason", t.bound()))
	}
}

// mustWait tells whether a record has to be parked behind one of its series.
// What was sent back from the dead letters has lost its place and does not.
func (t *Task) mustWait(p *passage) bool {
	return t.settings.Retry.ByKey && !p.again() && t.state.Behind(p.signal.Source, p.signal.Name)
}

// park stores a record, with what its stages have found, in the state.
func (t *Task) park(p *passage) {
	t.scratch = appendParked(t.scratch[:0], p, t.progress(p))
	t.state.Park(p.signal.Source, p.signal.Name, t.scratch)
	t.state.Await(p.id)
}

// readmit takes a parked record on its way again. It stays parked until its turn.
func (t *Task) readmit(s seriesName, record []byte) {
	p := new(passage)
	if err := readParked(record, p); err != nil {
		panic(fmt.Sprintf("parked record of %.64q, %.64q: %v: written by a newer release?", s.source, s.name, err))
	}
	p.queue = s
	t.follow(p)
	if o, over := t.admit(p); over {
		p.over, p.asked = &o, true
	}
	t.keep(p)
}

// unpark takes a record out of its queue when its turn has come.
func (t *Task) unpark(p *passage) bool {
	if _, ok := t.state.NextParked(p.queue.source, p.queue.name, 0); !ok {
		return false
	}
	t.state.Unpark(p.queue.source, p.queue.name)
	return true
}

const parkedVersion = 1

// appendParked encodes a record that is parked: where it lay in the input first,
// for who looks at a task from outside.
func appendParked(dst []byte, p *passage, progress []byte) []byte {
	dst = append(dst, parkedVersion)
	dst = appendBytes(dst, []byte(p.topic))
	dst = binary.AppendVarint(dst, int64(p.partition))
	dst = binary.AppendVarint(dst, p.offset)
	dst = binary.AppendVarint(dst, p.recordMs)
	dst = appendBytes(dst, progress)
	dst = appendBytes(dst, p.in.Key)
	dst = appendBytes(dst, p.in.Value)
	dst = binary.AppendUvarint(dst, uint64(len(p.in.Headers)))
	for _, h := range p.in.Headers {
		dst = appendBytes(appendBytes(dst, []byte(h.Key)), h.Value)
	}
	return dst
}

// appendBytes tells null from empty.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(b))+1), b...)
}

var errShort = errors.New("is shorter than it says")

// parkedReader takes a parked record apart; after a fault it gives nothing.
type parkedReader struct {
	rest []byte
	err  error
}

func (r *parkedReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.rest, r.err = nil, errShort
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *parkedReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.rest, r.err = nil, errShort
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *parkedReader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	if n--; n > uint64(len(r.rest)) {
		r.rest, r.err = nil, errShort
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Parked is what is known of a parked record from its beginning.
type Parked struct {
	// Topic, Partition and Offset are those of the record in the input.
	Topic     string
	Partition int32
	Offset    int64
	// RecordTimeMs is its Kafka timestamp.
	RecordTimeMs int64
}

// ReadParked reads the beginning of a parked record, as state.DecodeParked gives
// it.
func ReadParked(record []byte) (Parked, error) {
	r := parkedReader{rest: record}
	l := r.begin()
	if r.err != nil {
		return Parked{}, fmt.Errorf("parked record: %w", r.err)
	}
	return l, nil
}

func (r *parkedReader) begin() (l Parked) {
	if len(r.rest) == 0 || r.rest[0] != parkedVersion {
		r.rest, r.err = nil, fmt.Errorf("is not of version %d", parkedVersion)
		return l
	}
	r.rest = r.rest[1:]
	l.Topic = string(r.bytes())
	l.Partition = int32(r.varint()) //nolint:gosec // it was one
	l.Offset, l.RecordTimeMs = r.varint(), r.varint()
	return l
}

// readParked makes the passage of a parked record, which shares its memory.
func readParked(record []byte, p *passage) error {
	r := parkedReader{rest: record}
	l := r.begin()
	progress := r.bytes()
	in := &Record{Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, TimestampMs: l.RecordTimeMs, Key: r.bytes(), Value: r.bytes()}
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		in.Headers = append(in.Headers, Header{Key: string(r.bytes()), Value: r.bytes()})
	}
	if r.err != nil {
		return r.err
	}
	p.begin(in)
	p.parked = true
	var err error
	if p.progress, err = codec.ReadProgress(progress); err != nil {
		return err
	}
	p.inquiry.Answers = p.progress.External
	return nil
}
