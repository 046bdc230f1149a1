package brokertest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// realPath makes the service's own record path.
func (b *bundle) realPath() func(int32) broker.Task {
	metrics := pipeline.NewMetrics(prometheus.NewRegistry())
	set := pipeline.Settings{
		Group: b.group, ScorerVersion: "test", DefaultSource: "unknown", MaxRecordBytes: 1 << 20,
		State: state.Settings{DedupeWindow: 24 * time.Hour, DedupeMaxIDs: 100_000, WindowSize: 50, MemorySize: 100},
	}
	return func(int32) broker.Task {
		var key [16]byte
		_, _ = rand.Read(key[:]) // never fails (crypto/rand)
		t, err := pipeline.New(set, pipeline.Deps{Profile: scoring.Parity(), Metrics: metrics, HashKey: key, Now: time.Now})
		if err != nil {
			panic(fmt.Sprintf("record path: %v", err)) // the settings above are valid
		}
		return t
	}
}

// signals makes n signals with IDs from first on.
func (b *bundle) signals(first, n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		id := first + i
		name := fmt.Sprintf("series-%d", id%7)
		records[i] = &kgo.Record{
			Partition: int32(id) % b.tasks, Key: []byte(name),
			Value: fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%d.5,"source":"suite","timestamp":1700000000}`, id, name, id%90),
		}
	}
	return records
}

// realPathOnce: each signal ID has one result, although a tenth is sent twice, a
// worker dies inside a transaction and an operator sets the offsets back.
func realPathOnce(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	const ids = 2000
	first := b.startWith(b.realPath())
	second := b.startWith(b.realPath())
	b.awaitTasks([]*worker{first, second}, 2, 2)
	b.sendWith(b.client, b.signals(0, ids/2)...)
	died := first.network.arm(endTxn, dieBefore)
	b.sendWith(b.client, b.signals(0, ids/10)...)
	await(t, "the first worker is to die in a transaction", died.fired)
	first.kill()
	b.sendWith(b.client, b.signals(ids/2, ids/2)...)
	b.awaitCommitted()
	b.onePerID(ids)
	second.stop()
	b.commitAs(0, 0)
	b.awaitOffset(0, 0)
	b.startWith(b.realPath())
	b.awaitCommitted()
	b.onePerID(ids)
}

// onePerID checks that the results hold each ID once.
func (b *bundle) onePerID(ids int) {
	b.t.Helper()
	seen := make(map[string]int)
	for _, records := range b.read(b.topology.Results) {
		for _, r := range records {
			var result struct{ ID string }
			if err := json.Unmarshal(r.Value, &result); err != nil {
				b.t.Fatalf("result at offset %d: %v", r.Offset, err)
			}
			seen[result.ID]++
		}
	}
	for id := range ids {
		if n := seen[fmt.Sprint(id)]; n != 1 {
			b.t.Errorf("ID %d has %d results, want 1", id, n)
		}
	}
	if len(seen) != ids {
		b.t.Errorf("%d IDs have results, want %d", len(seen), ids)
	}
}

// realPathDead: bad input of many kinds ends as dead letters with its bytes
// untouched, between good signals that are scored.
func realPathDead(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 1, input: largeRecords(), deadLetter: largeRecords()})
	bad := map[string]string{
		"empty":         "",
		"not JSON":      "{",
		"invalid UTF-8": "{\"name\":\"\xff\",\"value\":1}",
		"deep":          string(bytes.Repeat([]byte("["), 20_000)),
		"wrong type":    `{"name":"a","value":"x"}`,
		"no name":       `{"value":1}`,
		"2 MiB":         noise(1, 2<<20),
		"conflict":      `{"id":"1","name":"series-1","value":99,"source":"suite","timestamp":1700000000}`,
	}
	b.sendWith(b.client, b.signals(0, 10)...)
	for name, value := range bad {
		b.sendWith(b.client, &kgo.Record{Key: []byte(name), Value: []byte(value)})
	}
	zip := b.newClient(kgo.ProducerBatchCompression(kgo.GzipCompression()))
	bad["10 MiB"] = string(bytes.Repeat([]byte("compressible "), 10<<20/13))
	b.sendWith(zip, &kgo.Record{Key: []byte("10 MiB"), Value: []byte(bad["10 MiB"])})
	b.sendWith(b.client, b.signals(10, 10)...)
	b.startWith(b.realPath())
	b.awaitCommitted()
	b.onePerID(20)
	letters := b.read(b.topology.DeadLetters)[0]
	if len(letters) != len(bad) {
		t.Errorf("%d dead letters, want %d", len(letters), len(bad))
	}
	for _, r := range letters {
		name := string(r.Key)
		switch want, ok := bad[name]; {
		case !ok:
			t.Errorf("a dead letter for %q, which is good or has one already", name)
		case string(r.Value) != want && name != "10 MiB": // its letter may be too large for the topic
			t.Errorf("dead letter %q: %d bytes, want the %d that were sent", name, len(r.Value), len(want))
		}
		delete(bad, name)
	}
}
