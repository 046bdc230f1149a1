package ops

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
)

func TestNewLogger_LevelAndFormat(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, flush, err := NewLogger(&out, LogSettings{Level: "warn", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	defer flush()
	log.Info("hidden")
	log.Warn("shown", slog.Int("partition", 3))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != "shown" || line["partition"] != 3.0 {
		t.Errorf("line = %q (%v)", out.String(), err)
	}
	for variable, settings := range map[string]LogSettings{"PULSE_LOG_LEVEL": {"loud", "json"}, "PULSE_LOG_FORMAT": {"info", "xml"}} {
		if _, _, err := NewLogger(&out, settings); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%+v: %v, want %s named", settings, err, variable)
		}
	}
}

func TestDescribe_Build(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-01-01T00:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	got := describe("", info)
	if got.Version != "devel" || got.Revision != "abc+dirty" || got.Time != "2026-01-01T00:00:00Z" {
		t.Errorf("build = %+v", got)
	}
	if got := describe("1.0.0", &debug.BuildInfo{}); got.Version != "1.0.0" || got.Revision != "unknown" {
		t.Errorf("linked build = %+v", got)
	}
	if got := ReadBuild(""); got.Version == "" || !strings.Contains(got.String(), got.Version) {
		t.Errorf("own build = %+v", got)
	}
}
