package pipeline

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Header names of dead letters and retries (public contract). They are set once and
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
	headerLastClass     = "pulse-last-error-class"
	headerNotBefore     = "pulse-retry-not-before"
	headerProgress      = "pulse-progress"
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

// letters writes dead letters and retries: the record, key and value untouched,
// with what has happened to it.
type letters struct {
	group   string
	headers []Header
}

// dead writes a dead letter. What the record's stages have found goes with it, so
// that it can be sent back to where it failed.
func (l *letters) dead(p *passage, o Outcome, out Sink) {
	in, key := p.in, p.in.Key
	l.headers = l.headers[:0]
	if in.Withheld != nil && sizeOf(in) > maxCarriedBytes {
		key = nil
	} else {
		l.keep(in.Headers)
	}
	l.describe(p, o)
	if p.fate.exhausted {
		l.set(headerLastClass, string(o.Bad.Class))
	}
	if w := in.Withheld; w != nil {
		l.set(headerValueSize, strconv.FormatInt(w.Size, 10))
		l.set(headerValueSHA256, hex.EncodeToString(w.SHA256[:]))
	}
	l.progress(p)
	out.Append(DeadLetters, key, in.Value, l.headers)
}

// retry writes the record of a retry tier.
func (l *letters) retry(p *passage, o Outcome, out Sink) {
	l.headers = l.headers[:0]
	l.keep(p.in.Headers)
	l.describe(p, o)
	l.set(headerNotBefore, strconv.FormatInt(p.fate.notBeforeMs, 10))
	l.progress(p)
	out.Append(Retry(p.fate.tier), p.in.Key, p.in.Value, l.headers)
}

// describe says where the record comes from and what has happened to it.
func (l *letters) describe(p *passage, o Outcome) {
	firstSeenMs := p.firstSeenMs
	if firstSeenMs == 0 {
		firstSeenMs = p.fate.nowMs
	}
	l.set(headerTopic, p.topic)
	l.set(headerPartition, strconv.Itoa(int(p.partition)))
	l.set(headerOffset, strconv.FormatInt(p.offset, 10))
	l.set(headerGroup, l.group)
	l.set(headerDeliveryCount, strconv.Itoa(p.deliveries))
	l.set(headerMessage, shortened(o.Bad.Error(), maxMessageBytes))
	l.set(headerClass, string(p.fate.class(o.Bad)))
	l.set(headerStage, o.Stage.String())
	l.set(headerRecordTime, strconv.FormatInt(p.recordMs, 10))
	l.set(headerFirstSeen, strconv.FormatInt(firstSeenMs, 10))
}

func (l *letters) progress(p *passage) {
	if p.fate.progress != nil {
		l.headers = append(l.headers, Header{Key: headerProgress, Value: p.fate.progress})
	}
}

// keep takes over the original headers. Ours, which a record that comes again
// has, are set anew.
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

// ours tells headers that we set ourselves.
func ours(key string) bool {
	switch key {
	case headerClass, headerStage, headerRecordTime, headerFirstSeen, headerValueSize, headerValueSHA256,
		headerLastClass, headerNotBefore, headerProgress:
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
