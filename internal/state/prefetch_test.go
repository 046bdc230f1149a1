package state

import (
	"fmt"
	"testing"
)

// What PrefetchRow fetches is the row that a look finds, at each size of the index.
func TestPrefetch_FindsTheRow(t *testing.T) {
	t.Parallel()
	task := newTask(t, testSettings())
	for i := range 3000 {
		name := fmt.Sprint("series ", i)
		if i > 0 && !task.PrefetchSlots(ID{}, "s", name).known {
			t.Fatal("no hash of a series, though there are some")
		}
		task.Advance("s", name, 1, 1)
		f := task.PrefetchSlots(ID{}, "s", name)
		if got, want := task.series.index.likely(f.hash), task.series.find("s", name); got != want || want == nil {
			t.Fatalf("%s: row %p, want %p", name, got, want)
		}
		task.PrefetchRow(f)
	}
	task.PrefetchRow(SeriesPlace{})
	task.PrefetchRow(task.PrefetchSlots(ID{}, "s", "never seen"))
}
