package sample

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"testing"
)

func TestFiles_HoldWhatTheySay(t *testing.T) {
	t.Parallel()
	seen, series := map[string]bool{}, map[string]bool{}
	total := 0
	for _, file := range Files() {
		plain, err := gzip.NewReader(file.Open())
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(plain)
		records := 0
		for lines.Scan() {
			var record struct {
				ID        string `json:"id"`
				Name      string `json:"name"`
				Source    string `json:"source"`
				Timestamp string `json:"timestamp"`
			}
			if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
				t.Fatalf("%s line %d: %v", file.Name, records+1, err)
			}
			if record.ID == "" || record.Name == "" || record.Timestamp == "" || seen[record.Source+"\x00"+record.ID] {
				t.Errorf("%s line %d: %+v is incomplete or repeated", file.Name, records+1, record)
			}
			seen[record.Source+"\x00"+record.ID] = true
			if file.Name == "signals.ndjson.gz" {
				series[record.Source+"/"+record.Name] = true
			}
			records++
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		if records != file.Records {
			t.Errorf("%s has %d records, not %d", file.Name, records, file.Records)
		}
		total += records
	}
	if total != 76_704 || len(series) != 37 {
		t.Errorf("%d records of %d series, want 76704 of 37", total, len(series))
	}
}
