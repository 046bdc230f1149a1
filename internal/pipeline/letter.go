package pipeline

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Header names of dead letters (public contract). They are set once and
// replaced, never appended twice.
const (
	headerTopic         = "__dlq.errors.topic"
	headerPartition     = "__dlq.errors.partition"
	headerOffset        = "__dlq.errors.offset"
	headerGroup         = "__dlq.errors.group"
	headerDeliveryCount = "__dlq.errors.delivery.count"
	headerMessage       = "__dlq.errors.message"
	headerClass         = "pulse-error-class"
	headerStage         = "pulse-stage"
	headerRecordTime    = "pulse-record-timestamp"
	headerFirstSeen     = "pulse-first-seen"
	// The next two stand in for a value that could not be passed on.
	headerValueSize   = "pulse-value-size"
	headerValueSHA256 = "pulse-value-sha256"
)

// maxMessageBytes bounds the one header whose length is not ours to choose;
// with it all of ours stay below 4 KiB (TestDeadLetter_HeadersStaySmall).
const maxMessageBytes = 2048

// letters writes dead letters.
type letters struct {
	group   string
	now     func() time.Time
	headers []Header
}

// append writes the record, key and value untouched, with the reason.
func (l *letters) append(in *Record, o Outcome, out Sink) {
	l.headers = l.headers[:0]
	for _, h := range in.Headers {
		if !ours(h.Key) {
			l.headers = append(l.headers, h)
		}
	}
	l.set(headerTopic, in.Topic)
	l.set(headerPartition, strconv.Itoa(int(in.Partition)))
	l.set(headerOffset, strconv.FormatInt(in.Offset, 10))
	l.set(headerGroup, l.group)
	l.set(headerDeliveryCount, "1")
	l.set(headerMessage, shortened(o.Bad.Error(), maxMessageBytes))
	l.set(headerClass, string(o.Bad.Class))
	l.set(headerStage, o.Stage.String())
	l.set(headerRecordTime, strconv.FormatInt(in.TimestampMs, 10))
	l.set(headerFirstSeen, strconv.FormatInt(l.now().UnixMilli(), 10))
	if w := in.Withheld; w != nil {
		l.set(headerValueSize, strconv.FormatInt(w.Size, 10))
		l.set(headerValueSHA256, hex.EncodeToString(w.SHA256[:]))
	}
	out.Append(DeadLetters, in.Key, in.Value, l.headers)
}

func (l *letters) set(key, value string) {
	l.headers = append(l.headers, Header{Key: key, Value: []byte(value)})
}

// ours tells headers that a dead letter sets itself.
func ours(key string) bool {
	return strings.HasPrefix(key, "__dlq.errors.") || slices.Contains([]string{
		headerClass, headerStage, headerRecordTime, headerFirstSeen, headerValueSize, headerValueSHA256,
	}, key)
}

// shortened cuts s to at most n bytes, between two characters.
func shortened(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
