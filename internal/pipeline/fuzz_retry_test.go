package pipeline

import (
	"bytes"
	"slices"
	"testing"

	"pulse-scorer/schemas"
)

// FuzzProcess_Tier holds, for every record of a tier whatever its headers say, that
// it
//   - ends in exactly one outcome, with one record written or, as a duplicate, none;
//   - keeps key and value, with headers that match the schema when it dies;
//   - never unbalances the ledger, nor leaves its series with an observation twice;
//   - writes the same bytes after a rollback.
func FuzzProcess_Tier(f *testing.F) {
	source := asking(f, retrySettings(), &oracle{answer: unavailable})
	failed := only(f, take(f, source, named(1, "a", "n")))
	f.Add(failed.value, []byte(headerProgress), []byte(headerOf(failed, headerProgress)), 1)
	f.Add(failed.value, []byte(headerOffset), []byte("-7"), 2)
	f.Add(failed.value, []byte(headerDeliveryCount), []byte("2147483647"), 3)
	f.Add([]byte(`{"id":"a"`), []byte(headerRecordTime), []byte("x"), 1)
	f.Add([]byte(`{"id":"a","name":"n","value":9,"source":"s"}`), []byte("x"), []byte(nil), 3)
	letter := compile(f, schemas.DeadLetterHeaders())
	f.Fuzz(func(t *testing.T, value, name, header []byte, tier int) {
		task := asking(t, retrySettings(), &oracle{answer: failing("a")})
		w := only(t, take(t, task, named(1, "a", "n")))
		commit(task)
		in := back(w, 5)
		in.Tier, in.Value = 1+max(0, tier)%3, value
		in.Headers = slices.Clone(in.Headers)
		set(in, string(name), string(header))
		out := take(t, task, in)
		balanced(t, task)
		if len(out) > 1 || len(out) == 0 && task.Ledger().Duplicate != 1 {
			t.Fatalf("wrote %s, ledger %+v", brief(out), task.Ledger())
		}
		if len(out) == 1 && out[0].to != Results && (!bytes.Equal(out[0].key, in.Key) || !bytes.Equal(out[0].value, value)) {
			t.Errorf("the record was touched: %+v", out[0])
		}
		if len(out) == 1 && out[0].to == DeadLetters {
			requireHeaders(t, letter, out[0])
		}
		if got := task.state.Window("s", "n"); len(got) > 2 || len(got) == 2 && bytes.Equal(value, w.value) {
			t.Errorf("window %v", got)
		}
		task.Rollback()
		if again := take(t, task, in); !slices.EqualFunc(out, again, equalWritten) {
			t.Errorf("wrote %s, and %s after a rollback", brief(out), brief(again))
		}
	})
}
