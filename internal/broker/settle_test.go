package broker

import "testing"

// What became of a part is told by the group's stable offset, and where that
// cannot tell, by the state.
func TestJudge_GoesByTheStableOffset(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		part   part
		stable int64
		want   verdict
	}{
		"the offset has moved to the batch's end":           {part{before: offsets{10}, next: offsets{20}, records: 10}, 20, committed},
		"the offset is where it was":                        {part{before: offsets{10}, next: offsets{20}, records: 10}, 10, rolledBack},
		"somebody else has moved it":                        {part{before: offsets{10}, next: offsets{20}, records: 10}, 15, unclear},
		"markers only, moved":                               {part{before: offsets{10}, next: offsets{11}}, 11, committed},
		"an owner record alone is written again":            {part{before: offsets{10}, next: offsets{10}}, 10, rolledBack},
		"input read again that ends where the group was":    {part{before: offsets{10}, next: offsets{10}, records: 10}, 10, unclear},
		"input read again from the log's start, moved back": {part{before: offsets{10}, next: offsets{5}, records: 5}, 5, committed},
		"input read again from the log's start, not moved":  {part{before: offsets{10}, next: offsets{5}, records: 5}, 10, rolledBack},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := judge(&c.part, groupOffsets{{offset: c.stable}}); got != c.want {
				t.Errorf("judge(before %v, next %v, %d records; stable %d) = %v, want %v",
					c.part.before, c.part.next, c.part.records, c.stable, got, c.want)
			}
		})
	}
}
