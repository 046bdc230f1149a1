package pipeline

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pulse"
)

// onlooker keeps copies of what it is shown.
type onlooker struct {
	batches         int
	scored, flagged uint32
	trust, quality  uint32
	failed          map[Fault]uint32
	results         []SeenResult
	letters         []SeenLetter
}

// Saw implements Watcher.
func (o *onlooker) Saw(s *Sight) {
	o.batches++
	o.scored += s.Scored
	o.flagged += s.Flagged
	for i := range Steps {
		o.trust += s.Spread[MeasureTrust][i]
		o.quality += s.Spread[MeasureQuality][i]
	}
	for fault, n := range s.Failed {
		o.failed[fault] += n
	}
	for _, r := range s.Results {
		r.Content = bytes.Clone(r.Content)
		o.results = append(o.results, r)
	}
	for _, l := range s.Letters {
		l.Key, l.Value = bytes.Clone(l.Key), bytes.Clone(l.Value)
		o.letters = append(o.letters, l)
	}
}

func watchedTask(tb testing.TB, contents bool) (*Task, *onlooker) {
	tb.Helper()
	o, set := &onlooker{failed: make(map[Fault]uint32)}, v2Settings()
	task, err := New(set, Deps{
		Profile: profileFor(&set), Metrics: NewMetrics(prometheus.NewRegistry()), Now: wall, Watcher: o, Contents: contents,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return task, o
}

// watchedBatch has two raw signals, a forecast, and two dead letters.
func watchedBatch(task *Task) {
	for i, value := range []string{
		`{"id":"1","name":"a","value":1,"source":"s"}`, `{"id":"2","name":"a","value":2,"source":"s"}`,
		`{"id":"3","name":"a","value":3,"source":"s","forecast":{"confidence":0.7}}`,
		`{"name":"a","value":"secret"}`, `secret`,
	} {
		process(task, signalAt(int64(i), value), new(pages))
	}
	task.Seal(wallMs, new(pages))
}

func TestSight_ShowsOnlyWhatHasCommitted(t *testing.T) {
	t.Parallel()
	task, seen := watchedTask(t, true)
	watchedBatch(task)
	task.Rollback()
	if seen.batches != 0 {
		t.Errorf("a batch that was rolled back was shown")
	}
	watchedBatch(task)
	task.Commit()
	if seen.batches != 1 || seen.scored != 3 || seen.quality != 2 || seen.trust != 1 {
		t.Errorf("seen %d batches, %d scored, %d with quality, %d with trust; want 1, 3, 2, 1", seen.batches, seen.scored, seen.quality, seen.trust)
	}
	want := map[Fault]uint32{{pulse.InvalidField, StageDecode}: 1, {pulse.MalformedJSON, StageDecode}: 1}
	if !maps.Equal(seen.failed, want) {
		t.Errorf("dead letters %v, want %v", seen.failed, want)
	}
	if len(seen.results) != 3 || len(seen.letters) != 2 {
		t.Fatalf("%d results and %d letters are shown, want 3 and 2", len(seen.results), len(seen.letters))
	}
	seen.expectContents(t)
}

func (o *onlooker) expectContents(t *testing.T) {
	t.Helper()
	r, l := o.results[2], o.letters[1]
	if r.Kind != pulse.Forecasted || !r.Trust.Valid || r.Offset != 2 || !bytes.Contains(r.Content, []byte(`"id":"3"`)) {
		t.Errorf("result %+v: %s", r, r.Content)
	}
	if string(l.Value) != "secret" || string(l.Key) != "k" || l.Size != 6 || l.Offset != 4 || l.Message == "" {
		t.Errorf("letter %+v", l)
	}
}

// Who may not see contents is given none, and of a large batch little is kept.
func TestSight_KeepsNoContentsThatNobodyMaySee(t *testing.T) {
	t.Parallel()
	task, seen := watchedTask(t, false)
	watchedBatch(task)
	task.Commit()
	for _, r := range seen.results {
		if len(r.Content) > 0 {
			t.Errorf("content is kept: %s", r.Content)
		}
	}
	for _, l := range seen.letters {
		if len(l.Key)+len(l.Value)+len(l.Message) > 0 {
			t.Errorf("content is kept: %+v", l)
		}
	}
	task, seen = watchedTask(t, true)
	for i := range 100 {
		process(task, signalAt(int64(i), fmt.Sprintf(`{"id":"%d","name":"a","value":1,"source":"s"}`, i)), new(pages))
		process(task, signalAt(int64(100+i), strings.Repeat("x", MaxSeenBytes+1)), new(pages))
	}
	task.Seal(wallMs, new(pages))
	task.Commit()
	if len(seen.results) != maxSeen || len(seen.letters) != maxSeen || seen.scored != 100 {
		t.Errorf("%d results, %d letters of %d are kept, want %d", len(seen.results), len(seen.letters), seen.scored, maxSeen)
	}
	if l := seen.letters[0]; len(l.Value) > MaxSeenBytes {
		t.Errorf("%d bytes of a value are kept", len(l.Value))
	}
}

// nobody looks away.
type nobody struct{}

// Saw implements Watcher.
func (nobody) Saw(*Sight) {}

func TestSight_AllocatesNothing(t *testing.T) {
	per := func(w Watcher) float64 {
		set, out := v2Settings(), new(sunk)
		task, err := New(set, Deps{
			Profile: profileFor(&set), Metrics: NewMetrics(prometheus.NewRegistry()), Now: wall, Watcher: w, Contents: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		// Made beforehand: fmt has a sync.Pool, which under the race detector drops a part of what it is given.
		const size, warm, runs = 20, 10, 200
		signals := make([]*Record, 0, size*(warm+1+runs))
		for offset := range cap(signals) {
			signals = append(signals, signalAt(int64(offset), fmt.Sprintf(`{"id":"%d","name":"a","value":1,"source":"s"}`, offset)))
		}
		batch := func() {
			for _, in := range signals[:size] {
				task.Process(in, out)
			}
			signals = signals[size:]
			task.Seal(wallMs, out)
			task.Commit()
		}
		for range warm {
			batch()
		}
		return testing.AllocsPerRun(runs, batch)
	}
	if watched, alone := per(nobody{}), per(nil); watched > alone+0.5 {
		t.Errorf("a batch of 20 makes %.1f allocations while it is watched, %.1f alone", watched, alone)
	}
}

// sunk is a Sink that keeps nothing.
type sunk struct{}

// From implements Sink.
func (*sunk) From(int, int64) (refused Destination, ok bool) { return 0, false }

// Append implements Sink.
func (*sunk) Append(Destination, []byte, []byte, []Header) {}

// BenchmarkSight is what watching costs, a batch of 500 records at a time.
func BenchmarkSight(b *testing.B) {
	for name, w := range map[string]Watcher{"alone": nil, "watched": nobody{}} {
		b.Run(name, func(b *testing.B) {
			set, out := v2Settings(), new(sunk)
			set.State.DedupeMaxIDs = 100_000
			task, err := New(set, Deps{
				Profile: profileFor(&set), Metrics: NewMetrics(prometheus.NewRegistry()), Now: wall, Watcher: w, Contents: true,
			})
			if err != nil {
				b.Fatal(err)
			}
			records := make([]*Record, 500)
			b.ReportAllocs()
			for done := 0; done < b.N; done += len(records) {
				b.StopTimer()
				for i := range records {
					records[i] = signalAt(int64(done+i), fmt.Sprintf(`{"id":"%d","name":"a%d","value":1,"source":"s"}`, done+i, i%50))
				}
				b.StartTimer()
				for _, r := range records {
					task.Process(r, out)
				}
				task.Seal(wallMs, out)
				task.Commit()
			}
		})
	}
}
