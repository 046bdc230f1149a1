package broker

import (
	"encoding/binary"
	"slices"
	"testing"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// logEntry is one batch of a log: records of a producer, or its marker.
type logEntry struct {
	offset   int64
	producer int64 // −1: not transactional
	marker   string
}

// entryBytes makes the batch as a broker keeps it.
func entryBytes(t *testing.T, l logEntry) batch.Batch {
	t.Helper()
	const attributesLow, controlBit = 22, 1 << 5
	key := []byte("record")
	switch l.marker {
	case "abort":
		key = []byte{0, 0, 0, 0}
	case "commit":
		key = []byte{0, 0, 0, 1}
	}
	var b batch.Builder
	b.Append(0, key, nil, nil)
	raw := b.Seal(nil)
	if l.marker != "" {
		raw[attributesLow] |= controlBit
	}
	batch.Stamp(raw, l.producer, 0, 0, l.producer >= 0)
	binary.BigEndian.PutUint64(raw, uint64(l.offset))
	got, _, err := batch.Next(raw)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAborted_DropsFromTheFirstOffsetToTheMarker(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		aborted []wire.AbortedTransaction
		log     []logEntry
		want    []int64
	}{
		{"nothing aborted", nil, []logEntry{{0, 1, ""}, {1, 1, "commit"}, {2, -1, ""}}, []int64{0, 2}},
		{
			"aborted, then committed by the same producer",
			[]wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}},
			[]logEntry{{0, 1, ""}, {1, 1, ""}, {2, 1, "abort"}, {3, 1, ""}, {4, 1, "commit"}},
			[]int64{3},
		},
		{
			"committed, then aborted, in one answer",
			[]wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 2}},
			[]logEntry{{0, 1, ""}, {1, 1, "commit"}, {2, 1, ""}, {3, 1, "abort"}},
			[]int64{0},
		},
		{
			"twice aborted",
			[]wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}, {ProducerID: 1, FirstOffset: 4}},
			[]logEntry{{0, 1, ""}, {1, 1, "abort"}, {2, 1, ""}, {3, 1, "commit"}, {4, 1, ""}, {5, 1, "abort"}, {6, 1, ""}},
			[]int64{2, 6},
		},
		{
			"others in between",
			[]wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}},
			[]logEntry{{0, 1, ""}, {1, 2, ""}, {2, -1, ""}, {3, 1, ""}, {4, 2, "commit"}, {5, 1, "abort"}},
			[]int64{1, 2},
		},
		{
			"begun before the answer",
			[]wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 5}},
			[]logEntry{{10, 1, ""}, {11, 1, "abort"}, {12, 1, ""}},
			[]int64{12},
		},
		{
			"a commit marker of the same producer ends nothing that is aborted",
			[]wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 2}},
			[]logEntry{{0, 1, ""}, {2, 1, ""}, {3, 2, "commit"}, {4, 1, ""}, {5, 1, "abort"}},
			[]int64{0},
		},
		{
			// The cleaner removes aborted records before their marker.
			"only the marker is left",
			[]wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}},
			[]logEntry{{3, 1, "abort"}, {4, 1, ""}, {5, 1, "commit"}},
			[]int64{4},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := abortedTransactions{pending: c.aborted}
			var got []int64
			for _, l := range c.log {
				b := entryBytes(t, l)
				if b.Control() {
					if err := a.marker(&b); err != nil {
						t.Fatal(err)
					}
				} else if !a.covers(&b) {
					got = append(got, l.offset)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("delivered %v, want %v", got, c.want)
			}
		})
	}
}

// A worker stops in the middle of a chunk and is shown the same batch again.
func TestAborted_TheSameBatchAgainGivesTheSame(t *testing.T) {
	t.Parallel()
	a := abortedTransactions{pending: []wire.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}}}
	gone, kept := entryBytes(t, logEntry{0, 1, ""}), entryBytes(t, logEntry{1, 2, ""})
	for range 3 {
		if !a.covers(&gone) || a.covers(&kept) {
			t.Fatal("a repeated look gives something else")
		}
	}
}
