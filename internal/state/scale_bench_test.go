package state

import (
	"encoding/binary"
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"
)

var scaleFull = flag.Bool("full", false, "benchmarks of scale with 10 million IDs and records, not a hundredth of it")

// scaled is n, or a hundredth of it where only the functions are tried.
func scaled(n int) int {
	if *scaleFull {
		return n
	}
	return n / 100
}

// logOf is a changelog as a topic holds it: in order, or compacted.
type logOf struct {
	changes []change
	last    map[string]int
	bytes   int
}

func (l *logOf) emit(key, value []byte) {
	c := change{append([]byte(nil), key...), nil}
	if value != nil {
		c.value = append([]byte{}, value...)
	}
	l.last[string(key)] = len(l.changes)
	l.changes = append(l.changes, c)
	l.bytes += len(key) + len(value)
}

// compacted leaves the last value of each key.
func (l *logOf) compacted() *logOf {
	out := &logOf{}
	for i, c := range l.changes {
		if l.last[string(c.key)] == i && c.value != nil {
			out.changes = append(out.changes, c)
			out.bytes += len(c.key) + len(c.value)
		}
	}
	return out
}

// load runs records through a task in batches, and tells each commit's time.
func load(task *Task, records, batch, series int, emit func(key, value []byte), each func(commit time.Duration)) {
	names := make([]string, series)
	for i := range names {
		names[i] = fmt.Sprintf("series-%05d", i)
	}
	identity := []byte("source\x00id-0123456789")
	for i := range records {
		binary.BigEndian.PutUint64(identity[8:], uint64(i))
		id, _ := task.Look(identity, identity)
		task.Remember(id, Scored)
		if task.windowed() {
			task.Observe("source", names[i%series], float64(i)/8)
		} else {
			task.Advance("source", names[i%series], float64(i)/8, int64(i)*1e6)
		}
		task.CountIn()
		if (i+1)%batch == 0 || i == records-1 {
			task.Seal(1_800_000_000_000+int64(i/10), emit)
			start := time.Now()
			task.Commit()
			each(time.Since(start))
		}
	}
}

func nothing(_, _ []byte) {}

func scaleTask(tb testing.TB, maxIDs int) *Task {
	tb.Helper()
	s := testSettings()
	s.DedupeWindow, s.DedupeMaxIDs = 24*time.Hour, maxIDs
	return newTask(tb, s)
}

// BenchmarkScale_Restore reads a changelog after ten times the bound on IDs
// went through, with 10,000 series: compacted as far as can be, and not at all.
func BenchmarkScale_Restore(b *testing.B) {
	ids := scaled(1_000_000)
	b.Run("windows", func(b *testing.B) { scaleRestore(b, ids, 50) })
	b.Run("series", func(b *testing.B) { scaleRestore(b, ids, 0) })
}

func scaleRestore(b *testing.B, ids, window int) {
	b.Helper()
	fresh := func() *Task {
		s := testSettings()
		s.DedupeWindow, s.DedupeMaxIDs, s.WindowSize = 24*time.Hour, ids, window
		return newTask(b, s)
	}
	whole := &logOf{last: make(map[string]int)}
	load(fresh(), 10*ids, 2000, 10_000, whole.emit, func(time.Duration) {})
	for _, c := range []struct {
		name string
		log  *logOf
	}{{"compacted", whole.compacted()}, {"uncompacted", whole}} {
		b.Run(c.name, func(b *testing.B) {
			var task *Task
			for b.Loop() {
				task = fresh()
				for _, c := range c.log.changes {
					if err := task.Restore(c.key, c.value); err != nil {
						b.Fatal(err)
					}
				}
				if err := task.Restored(); err != nil {
					b.Fatal(err)
				}
			}
			got := task.Stats()
			b.ReportMetric(float64(got.IDs), "IDs")
			b.ReportMetric(float64(got.Series), "series")
			b.ReportMetric(float64(len(c.log.changes)), "records")
			b.ReportMetric(float64(c.log.bytes)/1e6, "MB")
		})
	}
}

// BenchmarkScale_Memory: bytes an ID at the bound, while batches of 10,000 go
// through and expire as many, all of the task included: heap in use as the
// runtime counts it.
func BenchmarkScale_Memory(b *testing.B) {
	for _, maxIDs := range []int{1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(maxIDs), func(b *testing.B) {
			for b.Loop() {
				ids := scaled(maxIDs)
				before := heap()
				task := scaleTask(b, ids)
				var worst, longest, sum time.Duration
				var commits int
				peak := 0.0
				load(task, ids*3/2, scaled(10_000), 1, nothing, func(d time.Duration) {
					if task.Stats().Evictions.ByCount == 0 {
						return
					}
					longest, sum, commits = max(longest, d), sum+d, commits+1
					worst = max(worst, d)
					if commits%64 == 1 {
						peak = max(peak, float64(heap()-before)/float64(task.Stats().IDs))
					}
				})
				b.ReportMetric(float64(heap()-before)/float64(task.Stats().IDs), "B/ID")
				b.ReportMetric(peak, "B/ID-peak")
				b.ReportMetric(float64(longest.Microseconds()), "µs/commit-max")
				b.ReportMetric(float64(sum.Microseconds())/float64(commits), "µs/commit")
				runtime.KeepAlive(task)
			}
		})
	}
}

// The same as exact sizes, at the sizes of a test.
func TestTask_TakesFewBytesAnID(t *testing.T) {
	t.Parallel()
	const maxIDs = 200_000
	task := scaleTask(t, maxIDs)
	load(task, 2*maxIDs, 2000, 1, nothing, func(time.Duration) {
		got := task.Stats()
		if got.IDs < maxIDs*9/10 {
			return
		}
		if perID := float64(got.Bytes) / float64(got.IDs); perID > 28 {
			t.Fatalf("%.1f bytes an ID with %d IDs, want 28", perID, got.IDs)
		}
	})
	if got := task.Stats(); got.Evictions.ByCount < maxIDs/2 {
		t.Errorf("%+v: the bound does not bite", got)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkScale_Changelog: what is written for a record, before compression
// and without what the record format adds, by how many series there are in a
// task and how many records a batch has.
func BenchmarkScale_Changelog(b *testing.B) {
	for _, series := range []int{125, 1000, 1250, 10_000} {
		for _, batch := range []int{1, 10, 100, 1000, 10_000} {
			b.Run(fmt.Sprintf("series=%d/batch=%d", series, batch), func(b *testing.B) {
				for b.Loop() {
					var ids, windows, other, records int
					total := min(200_000, 20_000*batch)
					load(scaleTask(b, 1_000_000), total, batch, series, func(key, value []byte) {
						n := len(key) + len(value)
						records++
						switch key[0] {
						case 's':
							ids += n
						case 'w', 'd':
							windows += n
						default:
							other += n
						}
					}, func(time.Duration) {})
					per := func(n int) float64 { return float64(n) / float64(total) }
					b.ReportMetric(per(ids), "B-IDs/rec")
					b.ReportMetric(per(windows), "B-windows/rec")
					b.ReportMetric(per(other), "B-rest/rec")
					b.ReportMetric(per(records), "written/rec")
				}
			})
		}
	}
}
