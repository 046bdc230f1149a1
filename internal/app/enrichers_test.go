package app

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pulse-scorer/internal/config"
)

// What is wrong with the enrichers is told beside all other faults, and their time-outs
// only where it is known what they are measured against.
func TestLoad_ReportsEnrichersWithTheOthers(t *testing.T) {
	t.Parallel()
	const slow, unclear = "PULSE_ENRICHERS=a=http://x?timeout=5s,b=ftp://y", "PULSE_ENRICHERS=a=http://x,b=ftp://secret"
	for _, c := range []struct {
		environ []string
		want    []string
	}{
		{
			[]string{slow, "PULSE_STALL_TIMEOUT=10s", "PULSE_RETRY_OVERRIDES=too_large=1,stage_panic=x", "PULSE_GRUOP=x"},
			[]string{"PULSE_BROKERS", "PULSE_ENRICHERS", "PULSE_ENRICHERS", "PULSE_GRUOP", "PULSE_RETRY_OVERRIDES", "PULSE_RETRY_OVERRIDES"},
		},
		{[]string{unclear, "PULSE_STALL_TIMEOUT=x"}, []string{"PULSE_BROKERS", "PULSE_ENRICHERS", "PULSE_STALL_TIMEOUT"}},
		{[]string{"PULSE_ENRICHERS=a=http://x"}, []string{"PULSE_BROKERS"}},
	} {
		_, err := Load(c.environ, config.NeedBrokers)
		faults, ok := errors.AsType[*config.Error](err)
		if !ok {
			t.Fatalf("%q: %v, want faults", c.environ, err)
		}
		var got []string
		for _, f := range faults.Faults {
			got = append(got, f.Variable)
			if strings.Contains(f.Message, "PULSE_ENRICHERS") || strings.Contains(f.Message, "secret") {
				t.Errorf("%s: %s", f.Variable, f.Message)
			}
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.environ, err, c.want)
		}
	}
}

// Whoever has not asked Load is refused all the same: named, with its variable, and all
// at once.
func TestNewService_RefusesBadEnrichers(t *testing.T) {
	t.Parallel()
	for name, environ := range map[string][]string{
		"enrichers": {"PULSE_ENRICHERS=a=ftp://x,b=http://y?timeout=x"},
		"time-outs": {"PULSE_ENRICHERS=a=http://x?timeout=5s,b=http://y?timeout=4999ms,c=http://z?timeout=30s", "PULSE_STALL_TIMEOUT=10s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(append(environ, "PULSE_BROKERS=127.0.0.1:1", "PULSE_HTTP_ADDR=127.0.0.1:0"), config.NeedBrokers)
			if err != nil {
				t.Fatal(err)
			}
			s, err := NewService(t.Context(), c, Deps{})
			if err == nil {
				_ = s.Close()
				t.Fatal("taken")
			}
			if faults, ok := errors.AsType[*config.Error](err); !ok || len(faults.Faults) != 2 {
				t.Errorf("%v, want two faults", err)
			}
		})
	}
}
