package pipeline

import (
	"strings"
	"testing"
)

// What a dead letter says about its record is read back from its headers.
func TestReadLetter_ReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	in := signalAt(77, `{"name":`)
	in.Headers = append(in.Headers, Header{Key: headerOffset, Value: []byte("5")}, Header{Key: "x"})
	w := one(t, newTask(t, wall), in)
	got, err := ReadLetter(w.headers)
	if err != nil {
		t.Fatal(err)
	}
	message := got.Message
	got.Message = ""
	want := Letter{
		Topic: in.Topic, Partition: in.Partition, Offset: 77, Group: testSettings().Group, Deliveries: 1,
		Class: "malformed_json", Stage: "decode", RecordTimeMs: in.TimestampMs, FirstSeenMs: wallMs,
	}
	if got != want || !strings.Contains(message, "malformed_json") {
		t.Errorf("got %+v, message %q, want %+v", got, message, want)
	}
}

func TestReadLetter_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	good := map[string]string{headerTopic: "in", headerPartition: "3", headerOffset: "5"}
	for name, change := range map[string][2]string{
		"no topic": {headerTopic, ""}, "no number": {headerOffset, "x"}, "negative": {headerOffset, "-1"},
		"too large": {headerPartition, "4294967296"}, "absent": {headerPartition, "absent"},
	} {
		var headers []Header
		for key, value := range good {
			if key == change[0] {
				value = change[1]
			}
			if value != "absent" {
				headers = append(headers, Header{Key: key, Value: []byte(value)})
			}
		}
		if l, err := ReadLetter(headers); err == nil {
			t.Errorf("%s: taken for a dead letter: %+v", name, l)
		}
	}
}
