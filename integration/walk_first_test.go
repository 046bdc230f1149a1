//go:build integration

package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// makeRun is what a reader has started in another terminal.
type makeRun struct {
	cmd     *exec.Cmd
	said    string       // up to where it stays
	errors  bytes.Buffer // read once it has ended
	broker  string
	console string
	token   string
}

// startRun starts make run, and reads until it has summed up and says how to go on.
func startRun(ctx context.Context, t *testing.T) *makeRun {
	t.Helper()
	r := &makeRun{cmd: exec.CommandContext(ctx, "make", "--no-print-directory", "run")}
	r.cmd.Dir, r.cmd.Stderr = "..", &r.errors
	// make, go and the program end together, as by Ctrl-C in a terminal.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Cancel = func() error { return syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) }
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("make run: %v", err)
	}
	lines, stays := bufio.NewScanner(out), false
	for !stays && lines.Scan() {
		r.said += lines.Text() + "\n"
		stays = lines.Text() == "Ctrl-C ends."
	}
	broker := regexp.MustCompile(` -b (\S+) `).FindStringSubmatch(r.said)
	console := regexp.MustCompile(`(?m)^ +(http://\S+/)#token=(\S+)$`).FindStringSubmatch(r.said)
	if !stays || broker == nil || console == nil {
		_ = r.cmd.Cancel() // it may have ended
		_ = r.cmd.Wait()
		t.Fatalf("make run does not say how to go on:\n%s%s", r.said, r.errors.String())
	}
	r.broker, r.console, r.token = broker[1], console[1], console[2]
	return r
}

// end is Ctrl-C, after which nothing may be left.
func (r *makeRun) end(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Errorf("make run has ended before Ctrl-C: %v", err)
	}
	_ = r.cmd.Wait() // make calls an interrupt a failure
	if t.Failed() {
		t.Logf("make run:\n%s%s", r.said, r.errors.String())
	}
	if err := syscall.Kill(-r.cmd.Process.Pid, 0); err == nil {
		_ = r.cmd.Cancel()
		t.Error("make run has left processes behind")
	}
}

// firstWalkOf are the blocks of the README's first part, to type and shown.
func firstWalkOf(t *testing.T) (summary string, typed []string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(readme), "\n## What you see\n")
	part, _, _ = strings.Cut(part, "\n## ")
	for _, block := range regexp.MustCompile("(?ms)^```(sh)?\n(.*?\n)```$").FindAllStringSubmatch(part, -1) {
		if block[1] == "" {
			summary += block[2]
			continue
		}
		typed = append(typed, strings.Split(strings.TrimSpace(block[2]), "\n")...)
	}
	if strings.Count(summary, "\n") < 6 || len(typed) != 7 {
		t.Fatalf("the README's first part has %d lines to type, and shows\n%s", len(typed), summary)
	}
	return summary, typed
}

// expectSummary compares counts; times and speeds are those of the machine.
func (r *makeRun) expectSummary(t *testing.T, shown string) {
	t.Helper()
	var said []string
	for line := range strings.Lines(r.said) {
		said = append(said, strings.Join(strings.Fields(line), " "))
	}
	for line := range strings.Lines(shown) {
		line = strings.Join(strings.Fields(line), " ")
		if strings.HasPrefix(line, "records/s") || strings.HasPrefix(line, "append to visible") {
			line = line[:strings.LastIndexByte(line, ' ')+1]
		}
		if !slices.ContainsFunc(said, func(s string) bool { return s == line || strings.HasSuffix(line, " ") && strings.HasPrefix(s, line) }) {
			t.Errorf("the README shows what is not said: %q", line)
		}
	}
}

// look is one of the lines that look, and what it must say sooner or later.
type look struct {
	begins, what string
	says         func(said string) bool
}

// says is whether each of the patterns matches.
func says(patterns ...string) func(said string) bool {
	return func(said string) bool {
		return !slices.ContainsFunc(patterns, func(p string) bool { return !regexp.MustCompile(`(?m)` + p).MatchString(said) })
	}
}

// hasResult is whether one of the lines is the result of such a signal.
func hasResult(name, source string, value float64) func(said string) bool {
	return func(said string) bool {
		for line := range strings.Lines(said) {
			var result struct {
				Schema, Name, Source string
				Value                float64
				QualityScore         *float64 `json:"quality_score"`
			}
			if json.Unmarshal([]byte(line), &result) == nil && result.Schema == "pulse.result/1" && result.Name == name &&
				result.Source == source && result.Value == value && result.QualityScore != nil {
				return true
			}
		}
		return false
	}
}

const (
	walkDead   = `^dead +pulse\.signals\.pulse-scorer\.dlq .* invalid_field: value: must be a number$`
	walkScored = `^scored +pulse\.signals\.scored .* me +result of input offset \d+$`
)

// The README's first walk: make run, a signal of one's own, a wrong one, and the same corrected. The lines are typed as they are there,
// with the port that make run prints.
func TestWalk_OfAFirstSignal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), walkGuard)
	defer cancel()
	summary, typed := firstWalkOf(t)
	began := time.Now()
	run := startRun(ctx, t)
	defer run.end(t)
	t.Logf("make run has summed up after %v", time.Since(began).Round(time.Second))
	run.expectSummary(t, summary)
	looks := []look{
		{"kcat -C ", "the result", hasResult("my_signal", "me", 1.5)},
		{"PULSE_BROKERS=", "dead, and why", says(walkDead)},
		{"PULSE_BROKERS=", "scored, and the dead letter", says(walkScored, walkDead)},
		{"echo ", "a result without Kafka", hasResult("cpi", "bls", 3.2)},
	}
	s := newShell(ctx, t)
	for _, line := range typed {
		line = strings.ReplaceAll(line, "127.0.0.1:PORT", run.broker)
		if strings.Contains(line, "| kcat -P ") {
			if said, ok := s.typed(t, line); !ok {
				t.Fatalf("%s\n%s", line, said)
			}
			continue
		}
		if len(looks) == 0 || !strings.HasPrefix(line, looks[0].begins) {
			t.Fatalf("the README looks at something that this test does not know: %s", line)
		}
		s.typedUntil(t, line, looks[0].what, looks[0].says)
		if looks = looks[1:]; len(looks) == 2 {
			run.expectLetter(ctx, t)
		}
	}
	if len(looks) > 0 {
		t.Errorf("the README leaves out the last %d of the looks that this test knows", len(looks))
	}
}

// expectLetter waits until the console has the one dead letter.
func (r *makeRun) expectLetter(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	awaitThat(ctx, t, func() string {
		letters := r.letters(ctx, t)
		if len(letters) != 1 || letters[0].Key != "my_signal" || letters[0].Class != "invalid_field" ||
			letters[0].Message != "invalid_field: value: must be a number" || !strings.Contains(letters[0].Value, `"a-1"`) {
			return "the console does not have the dead letter of a-1"
		}
		return ""
	})
	t.Logf("the console had the dead letter %v after find", time.Since(began).Round(10*time.Millisecond))
}

// shownLetter is a dead letter as /api/dlq has it.
type shownLetter struct{ Class, Key, Message, Value string }

func (r *makeRun) letters(ctx context.Context, t *testing.T) []shownLetter {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.console+"api/dlq", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		DeadLetters []shownLetter `json:"dead_letters"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", req.URL, res.Status, err)
	}
	return got.DeadLetters
}
