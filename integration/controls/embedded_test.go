//go:build controls

package controls_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Every guard is missed by the tests that run on the embedded broker.
func TestControls_OnTheEmbeddedBroker(t *testing.T) { //nolint:tparallel // a gate decides how many run at once (prove)
	t.Parallel()
	b := &bench{broker: "the embedded broker", dir: "internal/broker", tests: func(c control) []string {
		return slices.Concat(
			under("TestEngine_OnTheEmbeddedBroker", c.cases),
			under("TestSettle_LostAnswerOfEachRequest", c.faults), c.units)
	}}
	b.build(t, "controls")
	b.prove(t)
}

// The service cannot be told to leave a guard out: it does not know the variable
// that a test binary reads for it.
func TestService_HasNoSeam(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		want bool
		args []string
	}{
		{"service", false, []string{"build", "-o", filepath.Join(dir, "service"), "./cmd/pulse-scorer"}},
		// What is looked for is found where it is.
		{"controls", true, []string{"test", "-c", "-tags", "controls", "-o", filepath.Join(dir, "controls"), "./internal/pipeline"}},
	} {
		command(t, "go", c.args...)
		binary, err := os.ReadFile(filepath.Join(dir, c.name))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(binary, []byte(offVariable)); got != c.want {
			t.Errorf("binary %s names %s: %v, want %v", c.name, offVariable, got, c.want)
		}
	}
}
