package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/devbroker"
)

const inputPartitions = 5

func inputBroker(t *testing.T) *devbroker.Broker {
	t.Helper()
	return startBroker(t, devbroker.Topic{Name: "pulse.signals", Partitions: inputPartitions})
}

// Each line is a record with the name as key, in the partition that Kafka's own
// partitioner would choose; lines that are no signals have no key.
func TestProduce_KeysAndPartitionsAsUpstreamShould(t *testing.T) {
	t.Parallel()
	b := inputBroker(t)
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf(`{"name":"série-%d","value":%d}`, i%13, i))
	}
	plain := file(t, "a.ndjson", lines[:20]...)
	packed := file(t, "b.ndjson.gz", lines[20:]...)
	stdin := strings.NewReader("nonsense\n\n" + `{"name":"last","value":1}`)
	got := runWith(t.Context(), stdin, at(b), commands(), "produce", plain, packed, "-")
	if got.code != 0 || !strings.HasPrefix(got.stdout, "43 records produced to pulse.signals in ") || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	partition := kgo.StickyKeyPartitioner(nil).ForTopic("pulse.signals") // murmur2 as in the Java client
	values := make(map[string]int)
	for _, r := range read(t, b, "pulse.signals", 43) {
		values[string(r.Value)]++
		var sig struct{ Name string }
		if json.Unmarshal(r.Value, &sig) != nil {
			if r.Key != nil {
				t.Errorf("%q has the key %q", r.Value, r.Key)
			}
			continue
		}
		if want := partition.Partition(&kgo.Record{Key: []byte(sig.Name)}, inputPartitions); string(r.Key) != sig.Name || int(r.Partition) != want {
			t.Errorf("%s: key %q, partition %d, want %d", r.Value, r.Key, r.Partition, want)
		}
	}
	for _, line := range append(lines, "nonsense", "", `{"name":"last","value":1}`) {
		if values[line] != 1 {
			t.Errorf("%q was produced %d times", line, values[line])
		}
	}
}

func TestProduce_ShiftMovesTheNewestToNow(t *testing.T) {
	t.Parallel()
	b := inputBroker(t)
	old := file(t, "old.ndjson", `{"name":"a","value":1,"timestamp":"2014-07-01T00:00:00Z","note":[1.50]}`, `{"name":"a","value":2}`)
	newer := file(t, "newer.ndjson", `{"name":"a","value":3,"timestamp":1404176400}`, `nonsense`)
	before := time.Now()
	got := runWith(t.Context(), nil, at(b), commands(), "produce", "--shift", "now", old, newer)
	if got.code != 0 {
		t.Fatalf("%+v", got)
	}
	moved := make(map[int]time.Time)
	for _, r := range read(t, b, "pulse.signals", 4) {
		var sig struct {
			Value     int
			Timestamp *time.Time
			Note      json.RawMessage
		}
		if json.Unmarshal(r.Value, &sig) != nil {
			continue
		}
		if sig.Timestamp != nil {
			moved[sig.Value] = *sig.Timestamp
		}
		if sig.Value == 1 && string(sig.Note) != "[1.50]" {
			t.Errorf("other members were touched: %s", r.Value)
		}
	}
	if len(moved) != 2 || moved[3].Sub(moved[1]) != time.Hour || moved[3].Before(before.Add(-2*time.Second)) || moved[3].After(time.Now()) {
		t.Errorf("moved to %v", moved)
	}
}

// 21 records at 100 a second take a fifth of a second at least.
func TestProduce_KeepsToTheRate(t *testing.T) {
	t.Parallel()
	b := inputBroker(t)
	path := file(t, "a.ndjson", strings.Split(strings.Repeat(`{"name":"a","value":1}`+" ", 20), " ")...)
	began := time.Now()
	got := runWith(t.Context(), nil, at(b), commands(), "produce", "--rate", "100", path)
	if took := time.Since(began); got.code != 0 || took < 200*time.Millisecond {
		t.Errorf("%+v in %v", got, took)
	}
	if n := len(read(t, b, "pulse.signals", 21)); n != 21 {
		t.Errorf("%d records", n)
	}
}

func TestProduce_WrongUse(t *testing.T) {
	t.Parallel()
	b := inputBroker(t)
	good := file(t, "a.ndjson", `{"name":"a","value":1}`)
	for _, c := range []struct {
		environ []string
		args    []string
		code    int
		says    string
	}{
		{at(b), nil, 2, "requires at least 1 arg"},
		{at(b), []string{"/does/not/exist"}, 1, "/does/not/exist"},
		{at(b), []string{"--shift", "tomorrow", good}, 2, "--shift"},
		{at(b), []string{"--shift", "now", "-"}, 2, "--shift"},
		{at(b), []string{"--rate", "-3", good}, 2, "--rate"},
		{nil, []string{good}, 2, "PULSE_BROKERS"},
		{at(b, "PULSE_TOPIC_INPUT=absent"), []string{good}, 1, "absent"},
	} {
		got := runWith(t.Context(), strings.NewReader(""), c.environ, commands(), append([]string{"produce"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.says) || got.stdout != "" {
			t.Errorf("%v: %+v, want exit %d and %q", c.args, got, c.code, c.says)
		}
	}
}

// A slow producer's records are there before it sends the next.
func TestProduce_DoesNotHoldRecordsBack(t *testing.T) {
	t.Parallel()
	b := inputBroker(t)
	in, feed := io.Pipe()
	r := startWith(t, in, at(b), "produce", "-")
	for n := range 2 {
		if _, err := io.WriteString(feed, `{"name":"a","value":1}`+"\n"+`{"name":`); err != nil {
			t.Fatal(err)
		}
		read(t, b, "pulse.signals", n*2+1)
		if _, err := io.WriteString(feed, `"b","value":2}`+"\n"); err != nil {
			t.Fatal(err)
		}
		read(t, b, "pulse.signals", n*2+2)
	}
	if code, _ := r.interrupt(t); code != 1 || !strings.Contains(r.stderr.String(), "after 4 records") {
		t.Errorf("exit %d, stderr %s", code, r.stderr)
	}
}

// A file that breaks off in the middle says how far it came.
func TestProduce_SaysHowFarItCame(t *testing.T) {
	t.Parallel()
	b := inputBroker(t)
	good := file(t, "a.ndjson", `{"name":"a","value":1}`)
	got := runWith(t.Context(), strings.NewReader(""), at(b), commands(), "produce", good, "/does/not/exist")
	if got.code != 1 || !strings.Contains(got.stderr, "after 1 records") {
		t.Errorf("%+v", got)
	}
	if n := len(read(t, b, "pulse.signals", 1)); n != 1 {
		t.Errorf("%d records", n)
	}
}
