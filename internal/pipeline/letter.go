package pipeline

import (
	"encoding/hex"
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

const (
	// maxMessageBytes and maxGroupBytes bound the headers whose length others
	// choose (Kafka itself bounds topic names, to 249); with them all of ours
	// stay below 4 KiB (TestDeadLetter_HeadersStaySmall).
	maxMessageBytes = 2048
	maxGroupBytes   = 1024
	// maxCarriedBytes is how much key and original headers may have in a dead
	// letter whose value is withheld. More would be refused like the value,
	// again and again (TestDeadLetter_OfAWithheldRecordIsSmall).
	maxCarriedBytes = 256 << 10
)

// letters writes dead letters.
type letters struct {
	group   string
	now     func() time.Time
	headers []Header
}

// append writes the record, key and value untouched, with the reason.
func (l *letters) append(in *Record, o Outcome, out Sink) {
	key := in.Key
	l.headers = l.headers[:0]
	if in.Withheld != nil && sizeOf(in) > maxCarriedBytes {
		key = nil
	} else {
		l.keep(in.Headers)
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
	out.Append(DeadLetters, key, in.Value, l.headers)
}

// keep takes over the original headers. Ours, which a dead letter that was sent
// again has, are set anew.
func (l *letters) keep(headers []Header) {
	for _, h := range headers {
		if !ours(h.Key) {
			l.headers = append(l.headers, h)
		}
	}
}

// sizeOf is the size of key and headers.
func sizeOf(in *Record) int {
	n := len(in.Key)
	for _, h := range in.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func (l *letters) set(key, value string) {
	l.headers = append(l.headers, Header{Key: key, Value: []byte(value)})
}

// ours tells headers that a dead letter sets itself.
func ours(key string) bool {
	switch key {
	case headerClass, headerStage, headerRecordTime, headerFirstSeen, headerValueSize, headerValueSHA256:
		return true
	}
	return strings.HasPrefix(key, "__dlq.errors.")
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
