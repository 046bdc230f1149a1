package pipeline

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/schemas"
)

// FuzzProcess holds, for every record whatever its bytes and headers, that it
//   - ends in exactly one outcome, with one result, one dead letter or nothing;
//   - is never a panic of ours, and its result matches the schema;
//   - keeps key and value when it dies, with headers that match the schema;
//   - is a duplicate when it comes again, or dies again the same way;
//   - writes the same bytes after a rollback.
func FuzzProcess(f *testing.F) {
	seedRecords(f)
	result, letter := compile(f, schemas.Result()), compile(f, schemas.DeadLetterHeaders())
	f.Fuzz(func(t *testing.T, key, value, header []byte, ms int64) {
		s := eachProfile()[len(key)%2]
		task := taskWith(t, s, NewMetrics(prometheus.NewRegistry()), wall)
		in := signalAt(64, "")
		in.Key, in.Value, in.TimestampMs = key, value, ms
		in.Headers = []Header{{Key: string(header), Value: header}, {Key: "content-type", Value: header}}
		if len(header)%2 == 0 {
			in.Headers = in.Headers[:1]
		}
		before := task.Ledger()
		var out pages
		process(task, in, &out)
		if len(out) != 1 {
			t.Fatalf("%d records written", len(out))
		}
		after := task.Ledger()
		if after.In != before.In+1 || after.Scored+uint64(len(after.Dead)) != 1 {
			t.Errorf("ledger %+v", after)
		}
		switch w := out[0]; w.to {
		case Results:
			requireSchema(t, result, w.value)
			again := signalAt(65, "")
			again.Value, again.Headers, again.TimestampMs = value, in.Headers, ms
			none(t, task, again)
		case DeadLetters:
			requireHeaders(t, letter, w)
			if headerOf(w, headerClass) == "stage_panic" || !bytes.Equal(w.key, key) || !bytes.Equal(w.value, value) {
				t.Errorf("dead letter %+v", w)
			}
		case State, Destinations:
			t.Errorf("written to %d", w.to)
		}
		task.Rollback()
		var second pages
		process(task, in, &second)
		if !slices.EqualFunc(out, second, equalWritten) {
			t.Errorf("after a rollback %s, before %s", second[0].value, out[0].value)
		}
	})
}

func seedRecords(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "schemas", "testdata", "signal", "*", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden records: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte("k"), text, []byte("application/json"), int64(recordMs))
	}
	f.Add([]byte(nil), []byte(nil), []byte("application/cloudevents+json"), int64(-1))
	for _, in := range stream(1, 60) {
		f.Add(in.Key, in.Value, []byte(nil), in.TimestampMs)
	}
}
