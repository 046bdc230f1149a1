package bench

import (
	"testing"
	"time"
)

func TestRatio_OfTheHighestAndTheLowest(t *testing.T) {
	t.Parallel()
	took := func(each ...time.Duration) Row {
		var r Row
		for _, d := range each {
			r.Rounds = append(r.Rounds, Measured{Records: 1e6, Took: d, Usage: Usage{User: d / 2, System: d / 2}})
		}
		return r
	}
	d := Dimension{Rows: []Row{took(2e9, 9e9, 1e9), took(3e9), took(1e9, 2e9)}}
	if got := d.Ratio(); got != 2 {
		t.Errorf("%v, want 3 s / 1.5 s", got)
	}
	if got := (&Dimension{Rows: []Row{{}}}).Ratio(); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for n, want := range map[int]string{1: "1", 999: "999", 1500: "1500", 10_000: "10k", 1_000_000: "1M", 1_500_000: "1500k"} {
		if got := short(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// A row is not a measurement of what it costs to begin, nor of how many records there were.
func TestDimensions_RowsHaveEnoughRecordsAndAllAsMany(t *testing.T) {
	t.Parallel()
	s := ScaleSettings{Load: Load{Records: 1000, Series: 10, Partitions: 8}, Partitions: []int{1, 8, 64}, Series: []int{10, 500}, IDs: []int{800, 9000}}
	want := map[string]int{byPartitions: 64 * perPartition, bySeries: 500 * observations, byIDs: 9000}
	for _, d := range s.dimensions() {
		for _, row := range d.Rows {
			if row.Load.Records != want[d.Name] {
				t.Errorf("%s %d: %d records, want %d", d.Name, row.Value, row.Load.Records, want[d.Name])
			}
		}
	}
}
