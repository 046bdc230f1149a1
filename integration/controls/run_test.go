package controls_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// root is the repository's, seen from this package.
const root = "../.."

const (
	offVariable = "PULSE_TEST_GUARD_OFF"
	// atOnce: the tests wait for sessions to end most of their time.
	atOnce = 4
	// tail is how much of a run that did not end as it must is shown.
	tail = 8 << 10
)

// bench is a test binary with guards that can be switched off.
type bench struct {
	broker string // for the table
	binary string
	dir    string
	env    []string
	// tests of a control that this binary has.
	tests func(control) []string
}

// build makes the test binary of a package.
func (b *bench) build(t *testing.T, tags string) {
	t.Helper()
	b.binary = filepath.Join(t.TempDir(), "controls.test")
	command(t, "go", "test", "-c", "-tags", tags, "-o", b.binary, "./"+b.dir)
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// prove switches each guard off in turn and expects red, and green with all on.
func (b *bench) prove(t *testing.T) {
	t.Helper()
	var all []string
	gate := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for _, c := range table() {
		tests := b.tests(c)
		if len(tests) == 0 {
			continue
		}
		all = append(all, tests...)
		running.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			t.Run("without "+c.guard, func(t *testing.T) { b.expectRed(t, c.guard, tests) })
		})
	}
	running.Wait()
	slices.Sort(all)
	all = slices.Compact(all)
	t.Run("with all guards", func(t *testing.T) { b.expectGreen(t, all) })
	if !t.Failed() {
		t.Logf("without a guard these tests went red, with all guards they are green; on %s:\n%s", b.broker, b.report())
	}
}

func (b *bench) expectRed(t *testing.T, guard string, tests []string) {
	t.Helper()
	out, err := b.run(t.Context(), guard, tests)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run: %v", err)
	}
	failed := verdicts(out, "FAIL")
	for _, name := range tests {
		if !failed[name] {
			t.Errorf("%s stays green without the guard %s; end of its output:\n%s", name, guard, end(out))
		}
	}
}

func (b *bench) expectGreen(t *testing.T, tests []string) {
	t.Helper()
	out, err := b.run(t.Context(), "", tests)
	if err != nil {
		t.Fatalf("red with all guards on: %v; end of the output:\n%s", err, end(out))
	}
	passed := verdicts(out, "PASS")
	for _, name := range tests {
		if !passed[name] {
			t.Errorf("there is no test %s", name)
		}
	}
}

// run runs tests without one guard, or with all.
func (b *bench) run(ctx context.Context, guard string, tests []string) (string, error) {
	cmd := exec.CommandContext(ctx, b.binary, "-test.v", "-test.timeout=10m", "-test.run="+pattern(tests))
	cmd.Dir = filepath.Join(root, filepath.FromSlash(b.dir))
	cmd.Env = append(append(os.Environ(), b.env...), offVariable+"="+guard)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// pattern matches exactly the tests.
func pattern(tests []string) string {
	exact := make([]string, len(tests))
	for i, name := range tests {
		parts := strings.Split(name, "/")
		for n, part := range parts {
			parts[n] = "^" + regexp.QuoteMeta(part) + "$"
		}
		exact[i] = strings.Join(parts, "/")
	}
	return strings.Join(exact, "|")
}

var verdictLine = regexp.MustCompile(`(?m)^ *--- (FAIL|PASS): (\S+) \(`)

// verdicts are the names of the tests that ended in a way.
func verdicts(out, as string) map[string]bool {
	names := make(map[string]bool)
	for _, m := range verdictLine.FindAllStringSubmatch(out, -1) {
		if m[1] == as {
			names[m[2]] = true
		}
	}
	return names
}

func end(out string) string { return out[max(0, len(out)-tail):] }

// report is the table of what was proved.
func (b *bench) report() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "guard\tpromise\tred without it")
	for _, c := range table() {
		guard, promise := c.guard, c.promise
		for _, name := range b.tests(c) {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", guard, promise, name)
			guard, promise = "", ""
		}
	}
	_ = w.Flush()
	return text.String()
}

// under names cases below a test.
func under(test string, cases []string) []string {
	names := make([]string, len(cases))
	for i, name := range cases {
		names[i] = test + "/" + name
	}
	return names
}
