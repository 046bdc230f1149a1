package deadletter

import (
	"encoding/json"
	"fmt"
	"strconv"

	"pulse-scorer/internal/pipeline"
)

// Standing is what has been decided about a letter. The set is closed.
type Standing uint8

// The standings.
const (
	// Open: nothing has been decided.
	Open Standing = iota
	// Redriven: its record was sent back.
	Redriven
	// HeldByHand: somebody has put it on hold.
	HeldByHand
	// HeldTombstone: it has no value.
	HeldTombstone
	// HeldWithheld: its value was too large to be kept.
	HeldWithheld
	// HeldTooOften: it came back as often as is allowed.
	HeldTooOften
	// HeldRefused: the broker does not take it, for its size.
	HeldRefused
	standings // how many there are
)

// Held tells letters that are not sent back until they are released.
func (s Standing) Held() bool { return s >= HeldByHand && s < standings }

// String is the standing in marks and in answers.
func (s Standing) String() string {
	switch s {
	case Open:
		return "open"
	case Redriven:
		return "redriven"
	case HeldByHand:
		return "held"
	case HeldTombstone:
		return "held: tombstone"
	case HeldWithheld:
		return "held: value withheld"
	case HeldTooOften:
		return "held: redriven too often"
	case HeldRefused:
		return "held: refused by the broker"
	case standings:
	}
	return "unknown"
}

// markHeader tells marks from letters, for everybody who reads the topic.
const markHeader = "pulse-dlq-mark"

// Mark says what was decided about letters of its partition.
type Mark struct {
	Standing Standing
	Offsets  []int64
}

// writtenMark is the value of a mark. Offsets are written as ranges, the end not
// included.
type writtenMark struct {
	Schema string     `json:"schema"`
	Mark   string     `json:"mark"`
	Spans  [][2]int64 `json:"offsets"`
}

const markSchema = "pulse.dlq-mark/1"

// Append makes the record that says it: its value and headers.
func (m Mark) Append() (value []byte, headers []pipeline.Header) {
	w := writtenMark{Schema: markSchema, Mark: m.Standing.String()}
	for _, offset := range m.Offsets {
		if n := len(w.Spans); n > 0 && w.Spans[n-1][1] == offset {
			w.Spans[n-1][1]++
			continue
		}
		w.Spans = append(w.Spans, [2]int64{offset, offset + 1})
	}
	value, err := json.Marshal(w)
	if err != nil {
		panic("broken invariant: a mark that is no JSON: " + err.Error())
	}
	return value, []pipeline.Header{{Key: markHeader, Value: []byte(m.Standing.String())}}
}

// IsMark tells the records of the dead-letter topic that are marks.
func IsMark(headers []pipeline.Header) bool {
	for _, h := range headers {
		if h.Key == markHeader {
			return true
		}
	}
	return false
}

// Book knows the standing of all letters of one partition. It needs a byte for
// each letter of a page of 4096 offsets that any mark names.
type Book struct {
	pages map[int64]*[pageSize]Standing
}

const pageSize = 4096

// NewBook returns an empty book: all letters are open.
func NewBook() *Book { return &Book{pages: make(map[int64]*[pageSize]Standing)} }

// Of is the standing of the letter at an offset.
func (b *Book) Of(offset int64) Standing {
	if page := b.pages[offset/pageSize]; page != nil {
		return page[offset%pageSize]
	}
	return Open
}

// Set notes the standing of a letter.
func (b *Book) Set(offset int64, s Standing) {
	page := b.pages[offset/pageSize]
	if page == nil {
		page = new([pageSize]Standing)
		b.pages[offset/pageSize] = page
	}
	page[offset%pageSize] = s
}

// Take takes a mark over. Marks come in order. A mark of a later version, or one
// that is none, is an error: to guess what it says could send a letter twice.
func (b *Book) Take(in *pipeline.Record) error {
	var w writtenMark
	if err := json.Unmarshal(in.Value, &w); err != nil {
		return fmt.Errorf("mark at offset %d: %w", in.Offset, err)
	}
	standing := standings
	for s := range standings {
		if s.String() == w.Mark {
			standing = s
		}
	}
	if w.Schema != markSchema || standing == standings {
		return fmt.Errorf("mark at offset %d: %s of schema %s is not known to this version",
			in.Offset, strconv.Quote(w.Mark), strconv.Quote(w.Schema))
	}
	for _, span := range w.Spans {
		// It names what lies before it; anything else is not ours, and could
		// fill the memory.
		if span[0] < 0 || span[1] > in.Offset || span[0] > span[1] {
			return fmt.Errorf("mark at offset %d: names offsets %d to %d", in.Offset, span[0], span[1])
		}
		for offset := span[0]; offset < span[1]; offset++ {
			b.Set(offset, standing)
		}
	}
	return nil
}
