package app

import (
	"errors"
	"testing"

	"pulse-scorer/internal/config"
)

// What is wrong with the enrichers, or with what is tried again, is a fault of the
// configuration: named, with its variable, and all at once.
func TestNewService_RefusesBadEnrichers(t *testing.T) {
	t.Parallel()
	for name, environ := range map[string][]string{
		"enrichers": {"PULSE_ENRICHERS=a=ftp://x,b=http://y?timeout=x"},
		"time-outs": {"PULSE_ENRICHERS=a=http://x?timeout=5s,b=http://y?timeout=4999ms,c=http://z?timeout=30s", "PULSE_STALL_TIMEOUT=10s"},
		"overrides": {"PULSE_RETRY_OVERRIDES=malformed_json=1,too_large=1"},
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
