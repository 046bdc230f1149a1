package simtest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/pulse"
)

// source makes the input and knows what must become of each record.
type source struct {
	rand       *rand.Rand
	plan       Plan
	made       int
	partitions map[int32][]*input
	// good are the inputs that are scored, by partition.
	good map[int32][]*input
}

// input is one record with its fate.
type input struct {
	record *kgo.Record
	id     string
	// class of its dead letter, empty for a signal; again is true for a
	// signal that was there before.
	class pulse.Class
	again bool
}

func newSource(p Plan) *source {
	return &source{
		rand: rand.New(rand.NewPCG(p.Seed, 1)), plan: p,
		partitions: make(map[int32][]*input), good: make(map[int32][]*input),
	}
}

// timedEvery is how many records lie between two whose stages are timed (package
// pipeline); the step after decoding is seen on those only.
const timedEvery = 64

// next makes n records.
func (s *source) next(n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		in := s.one(int32(s.rand.IntN(s.plan.Partitions)))
		s.partitions[in.record.Partition] = append(s.partitions[in.record.Partition], in)
		records[i] = in.record
	}
	return records
}

func (s *source) one(p int32) *input {
	s.made++
	good := s.good[p]
	roll := s.rand.Float64()
	switch {
	case len(s.partitions[p])%timedEvery == 0 || len(good) == 0:
	case roll < s.plan.Repeats:
		// Mostly a recent one: upstream has sent it twice.
		back := 1 + s.rand.IntN(min(len(good), 10))
		if s.rand.IntN(4) == 0 {
			back = 1 + s.rand.IntN(len(good))
		}
		old := good[len(good)-back]
		return &input{record: &kgo.Record{Partition: p, Key: old.record.Key, Value: old.record.Value}, id: old.id, again: true}
	case roll < s.plan.Repeats+s.plan.Poison:
		return s.poison(p, good[s.rand.IntN(len(good))])
	}
	in := s.signal(p)
	s.good[p] = append(good, in)
	return in
}

// signal makes a good one; one in eight carries a forecast.
func (s *source) signal(p int32) *input {
	id := fmt.Sprintf("id-%d", s.made)
	name := fmt.Sprintf("series-%d-%d", p, s.rand.IntN(5))
	value := fmt.Sprintf("%d.%03d", s.rand.IntN(1000), s.rand.IntN(1000))
	forecast := ""
	if s.rand.IntN(8) == 0 {
		overlay := func() float64 { return float64(s.rand.IntN(10000)) / 10000 }
		overlays := fmt.Sprintf(`{"hope":%v,"despair":%v,"rage":%v,"fatigue":%v,"trust":%v}`, overlay(), overlay(), overlay(), overlay(), overlay())
		forecast = fmt.Sprintf(`,"trace_id":"t-%d","overlays":%s,"forecast":{"start_capital":{"spy":%d.5},"end_capital":{"spy":%s},"start_state":{"overlays":%s}}`,
			s.made, overlays, s.rand.IntN(1000), value, overlays)
	}
	return &input{id: id, record: &kgo.Record{
		Partition: p, Key: []byte(name),
		Value: fmt.Appendf(nil, `{"id":%q,"name":%q,"value":%s,"source":"sim"%s}`, id, name, value, forecast),
	}}
}

// poison makes one that cannot be scored.
func (s *source) poison(p int32, other *input) *input {
	id := fmt.Sprintf("bad-%d", s.made)
	in := &input{record: &kgo.Record{Partition: p, Key: []byte{0, 255, byte(s.made)}}, class: pulse.InvalidField}
	if s.rand.IntN(2) == 0 {
		in.record.Headers = []kgo.RecordHeader{{Key: "trace", Value: []byte{1, 2, 0}}, {Key: "empty"}}
	}
	switch s.rand.IntN(8) {
	case 0:
		in.class = pulse.MalformedJSON
	case 1:
		in.class, in.record.Value = pulse.MalformedJSON, []byte{}
	case 2:
		in.class, in.record.Value = pulse.MalformedJSON, fmt.Appendf(nil, `{"id":%q,"name":"x","value":1} and more`, id)
	case 3:
		in.record.Value = fmt.Appendf(nil, `{"id":%q,"value":1}`, id)
	case 4:
		in.record.Value = fmt.Appendf(nil, `{"id":%q,"name":"x","value":null}`, id)
	case 5:
		in.class = pulse.TooLarge
		in.record.Value = fmt.Appendf(nil, `{"id":%q,"name":"x","value":1,"padding":%q}`, id, strings.Repeat("x", maxRecordBytes))
	case 6:
		in.record.Value = fmt.Appendf(nil, `{"id":%q,"name":"x","value":1e999}`, id)
	case 7:
		in.class = pulse.IDConflict
		in.record.Value = fmt.Appendf(nil, `{"id":%q,"name":"x","value":1,"source":"sim"}`, other.id)
	}
	return in
}
