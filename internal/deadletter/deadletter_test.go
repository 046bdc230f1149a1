package deadletter

import (
	"testing"

	"pulse-scorer/internal/pipeline"
)

// What a redrive does with a letter is one table.
func TestDecide(t *testing.T) {
	t.Parallel()
	ingested := pipeline.Letter{Progress: `{}`}
	for _, c := range []struct {
		name   string
		letter Letter
		has    Standing
		tiers  bool
		want   Decision
	}{
		{"failed before ingest", Letter{}, Open, true, Decision{ToInput, Redriven}},
		{"failed after ingest", Letter{Letter: ingested}, Open, true, Decision{ToTier, Redriven}},
		{"failed after ingest, no tiers", Letter{Letter: ingested}, Open, false, Decision{ToInput, Redriven}},
		{"tombstone", Letter{Tombstone: true}, Open, true, Decision{Hold, HeldTombstone}},
		{"withheld", Letter{Withheld: true}, Open, true, Decision{Hold, HeldWithheld}},
		{"once more", Letter{Redrives: 2}, Open, true, Decision{ToInput, Redriven}},
		{"too often", Letter{Letter: ingested, Redrives: 3}, Open, true, Decision{Hold, HeldTooOften}},
		{"sent before", Letter{}, Redriven, true, Decision{Stay, Redriven}},
		{"held", Letter{}, HeldByHand, true, Decision{Stay, HeldByHand}},
	} {
		if got := Decide(&c.letter, c.has, 3, c.tiers); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// A book says what the last mark says, for the offsets it names and no other.
func TestBook_TheLastMarkCounts(t *testing.T) {
	t.Parallel()
	b := NewBook()
	for i, m := range []Mark{{Redriven, []int64{1, 2, 3, 5000}}, {HeldByHand, []int64{7}}, {Open, []int64{7, 2}}} {
		value, headers := m.Append()
		if !IsMark(headers) {
			t.Fatalf("%v is no mark", headers)
		}
		if err := b.Take(&pipeline.Record{Offset: int64(6000 + i), Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	for offset, want := range map[int64]Standing{0: Open, 1: Redriven, 2: Open, 3: Redriven, 4: Open, 7: Open, 5000: Redriven, 9000: Open} {
		if got := b.Of(offset); got != want {
			t.Errorf("offset %d is %v, want %v", offset, got, want)
		}
	}
	for _, bad := range []string{`x`, `{}`, `{"schema":"pulse.dlq-mark/2","mark":"held"}`, `{"schema":"pulse.dlq-mark/1","mark":"held","offsets":[[0,99]]}`} {
		if b.Take(&pipeline.Record{Offset: 50, Value: []byte(bad)}) == nil {
			t.Errorf("%s was taken for a mark", bad)
		}
	}
}
