package pipeline

import (
	"strings"
	"testing"
)

// What goes back keeps the sender's headers, has each of ours once, and arrives at
// the time it arrived at first.
func TestRedrive_HeadersAreReplacedNotAppended(t *testing.T) {
	t.Parallel()
	letter := []Header{
		{Key: "traceparent", Value: []byte("t")},
		{Key: headerRedrives, Value: []byte("1")},
		{Key: headerTopic, Value: []byte("in")},
		{Key: headerOffset, Value: []byte("7")},
		{Key: headerRecordTime, Value: []byte("42")},
		{Key: headerProgress, Value: []byte("{}")},
		{Key: headerClass, Value: []byte("x")},
		{Key: headerNotBefore, Value: []byte("1")},
		{Key: headerLastClass, Value: []byte("y")},
	}
	names := func(headers []Header) string {
		var all []string
		for _, h := range headers {
			all = append(all, h.Key+"="+string(h.Value))
		}
		return strings.Join(all, " ")
	}
	input := BackToInput(nil, letter, 2)
	if got, want := names(input), "traceparent=t pulse-record-timestamp=42 pulse-redrive-count=2"; got != want {
		t.Errorf("input: %s, want %s", got, want)
	}
	// A clock that is ahead does not count.
	if got, want := names(BackToTier(nil, &Record{TimestampMs: 99, Headers: letter}, 2, 3_600_099)), "traceparent=t __dlq.errors.topic=in __dlq.errors.offset=7 pulse-record-timestamp=42 "+
		"pulse-progress={} pulse-error-class=x pulse-retry-not-before=99 pulse-redrive-count=2"; got != want {
		t.Errorf("tier: %s, want %s", got, want)
	}
	if at := ArrivedMs(&Record{TimestampMs: 1000, Headers: input}); at != 42 || Redrives(input) != 2 {
		t.Errorf("arrived at %d, sent back %d times", at, Redrives(input))
	}
	if at := ArrivedMs(&Record{TimestampMs: 1000, Headers: []Header{{Key: headerRecordTime, Value: []byte("42")}}}); at != 1000 {
		t.Errorf("a sender moved the time to %d", at)
	}
	if n := Redrives([]Header{{Key: headerRedrives, Value: []byte("-3")}}); n < 1000 {
		t.Errorf("a count that is none counts %d", n)
	}
}
