package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Letter is what the headers of a dead letter, or of a record in a retry tier, say
// about it.
type Letter struct {
	// Topic, Partition and Offset are those of the record it was made of.
	Topic     string
	Partition int32
	Offset    int64
	Group     string
	// Deliveries is how often the record was delivered, 1 at first.
	Deliveries     int
	Class, Stage   string
	Message        string
	RecordTimeMs   int64
	FirstSeenMs    int64
	ValueIsMissing bool // its size and hash are all there is
	// LastClass is what the last try failed with, when the tiers are used up.
	LastClass string
	// NotBeforeMs is when a record of a tier is due, 0 when that is not said.
	NotBeforeMs int64
	// Progress is what the stages have found, as JSON.
	Progress string
}

// NotBefore is when a record of a tier is due, if it says so. Where there are several
// of the header the last one counts.
func NotBefore(headers []Header) (due time.Time, ok bool) {
	for _, h := range slices.Backward(headers) {
		if h.Key == headerNotBefore {
			ms, err := strconv.ParseInt(string(h.Value), 10, 64)
			return time.UnixMilli(ms), err == nil
		}
	}
	return time.Time{}, false
}

// ReadLetter reads these headers. Where there are several of a
// name the last one counts, as we set each once, after those of the record.
func ReadLetter(headers []Header) (Letter, error) { //nolint:cyclop // a table of names
	l := Letter{Partition: -1, Offset: -1, Deliveries: 1, RecordTimeMs: -1, FirstSeenMs: -1}
	var err error
	number := func(h Header, bits int) int64 {
		n, fault := strconv.ParseInt(string(h.Value), 10, bits)
		if fault != nil && err == nil {
			err = fmt.Errorf("header %s: %q is no number", h.Key, shortened(string(h.Value), 32))
		}
		return n
	}
	for _, h := range headers {
		switch h.Key {
		case headerTopic:
			l.Topic = string(h.Value)
		case headerPartition:
			l.Partition = int32(number(h, 32)) //nolint:gosec // parsed with 32 bits
		case headerOffset:
			l.Offset = number(h, 64)
		case headerGroup:
			l.Group = string(h.Value)
		case headerDeliveryCount:
			l.Deliveries = int(number(h, 32))
		case headerMessage:
			l.Message = string(h.Value)
		case headerClass:
			l.Class = string(h.Value)
		case headerStage:
			l.Stage = string(h.Value)
		case headerRecordTime:
			l.RecordTimeMs = number(h, 64)
		case headerFirstSeen:
			l.FirstSeenMs = number(h, 64)
		case headerLastClass:
			l.LastClass = string(h.Value)
		case headerNotBefore:
			l.NotBeforeMs = number(h, 64)
		case headerProgress:
			l.Progress = string(h.Value)
		case headerValueSize:
			l.ValueIsMissing = true
		}
	}
	if err == nil && (l.Topic == "" || l.Partition < 0 || l.Offset < 0) {
		err = fmt.Errorf("headers %s, %s and %s are missing: no dead letter of this service", headerTopic, headerPartition, headerOffset)
	}
	return l, err
}
