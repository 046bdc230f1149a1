package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/pulse"
)

// echo answers a line with itself and the time, and finds lines bad that say
// so.
type echo struct{}

func (echo) Skip() {}

var _ lineScorer = echo{}

func (echo) AppendResult(dst, line []byte, now time.Time) ([]byte, *pulse.Bad) {
	if len(line) == 0 || bytes.HasPrefix(line, []byte("bad")) {
		return append(dst, "half a result"...), &pulse.Bad{Class: pulse.MalformedJSON, Message: "no JSON"}
	}
	return fmt.Appendf(dst, "%s@%d", line, now.Unix()), nil
}

func echoCommand() []constructor {
	return []constructor{scoreCommand(func(config.Config, Process) (lineScorer, error) { return echo{}, nil })}
}

func TestScore_AnswersEachLineInItsPlace(t *testing.T) {
	t.Parallel()
	in := "a\n\nbad\n" + strings.Repeat("x", 5000) + "\nlast"
	got := runWith(t.Context(), strings.NewReader(in), []string{"PULSE_MAX_RECORD_BYTES=4096"}, echoCommand(), "score", "--now", "1970-01-01T00:00:07Z")
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	if len(lines) != 5 || lines[0] != "a@7" || lines[4] != "last@7" {
		t.Fatalf("output = %q", lines)
	}
	for i, class := range map[int]string{1: "malformed_json", 2: "malformed_json", 3: "too_large"} {
		var answer struct {
			Error struct {
				Class string `json:"class"`
			} `json:"error"`
			Line int `json:"line"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &answer); err != nil || answer.Error.Class != class || answer.Line != i+1 || len(lines[i]) > 300 {
			t.Errorf("line %d = %q (%v), want class %s", i+1, lines[i], err, class)
		}
	}
	if got.code != 1 || !strings.Contains(got.stderr, "3 of 5 lines were bad") {
		t.Errorf("exit %d, stderr %q", got.code, got.stderr)
	}
}

func TestScore_GoodInputEndsWith0(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, "a\nb\n"); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]io.Reader{"plain": strings.NewReader("a\nb\n"), "compressed": &packed} {
		if got := runWith(t.Context(), in, nil, echoCommand(), "score"); got.code != 0 || strings.Count(got.stdout, "\n") != 2 || got.stderr != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := runWith(t.Context(), strings.NewReader(""), nil, echoCommand(), "score"); got.code != 0 || got.stdout != "" {
		t.Errorf("empty input: %+v", got)
	}
}

func TestScore_WrongUse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"score", "--now", "yesterday"}, {"score", "--profile", "v3"}, {"score", "file"}} {
		if got := runWith(t.Context(), strings.NewReader("a\n"), nil, echoCommand(), args...); got.code != 2 || got.stdout != "" {
			t.Errorf("%q: %+v, want exit 2 and no output", args, got)
		}
	}
}

func TestScore_ProfileFlagWinsOverTheEnvironment(t *testing.T) {
	t.Parallel()
	got := runWith(t.Context(), strings.NewReader("a\n"), []string{"PULSE_PROFILE=nonsense"}, echoCommand(), "score", "--profile", "parity")
	if got.code != 0 {
		t.Errorf("%+v, want exit 0", got)
	}
}

// A slow producer sees the answer to a line before it sends the next.
func TestScore_DoesNotHoldAnswersBack(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		p := Process{Args: []string{"score"}, Stdin: in, Stdout: out, Stderr: io.Discard}
		code <- run(t.Context(), p, newRoot(p, echoCommand()...))
		_ = out.Close()
	}()
	lines := bufio.NewScanner(answers)
	for _, line := range []string{"one", "two"} {
		// The rest of a next line is on its way already.
		if _, err := io.WriteString(feed, line+"\nthr"); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || !strings.Contains(lines.Text(), line+"@") {
			t.Fatalf("answer to %s = %q", line, lines.Text())
		}
		if _, err := io.WriteString(feed, "ee\n"); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "three@") {
			t.Fatalf("answer = %q", lines.Text())
		}
	}
	_ = feed.Close()
	if got := <-code; got != 0 {
		t.Errorf("exit %d", got)
	}
}

func TestScore_StopsWhenInterruptedWhileItWaits(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		p := Process{Args: []string{"score"}, Stdin: in, Stdout: out, Stderr: &stderr}
		done <- run(ctx, p, newRoot(p, echoCommand()...)) //nolint:contextcheck // cobra hands the context on
	}()
	if _, err := io.WriteString(feed, "a\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(answers).ReadString('\n'); err != nil || !strings.HasPrefix(answer, "a@") {
		t.Fatalf("answer = %q, %v", answer, err)
	}
	cancel(errors.New("SIGINT"))
	if code := <-done; code != 1 || !strings.Contains(stderr.String(), "interrupted after 1 lines") {
		t.Errorf("exit %d, stderr %q", code, stderr.String())
	}
	_ = feed.Close()
}

func TestScore_FailsWhenItCannotReadOrWrite(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	p := Process{Args: []string{"score"}, Stdin: strings.NewReader("a\n"), Stdout: full{}, Stderr: &stderr}
	if code := run(t.Context(), p, newRoot(p, echoCommand()...)); code != 1 || !strings.Contains(stderr.String(), "disk full") {
		t.Errorf("stdout full: exit %d, stderr %q", code, stderr.String())
	}
	got := runWith(t.Context(), io.MultiReader(strings.NewReader("a\n"), errorReader{}), nil, echoCommand(), "score")
	if got.code != 1 || !strings.Contains(got.stderr, "read standard input: broken pipe") || !strings.HasPrefix(got.stdout, "a@") {
		t.Errorf("stdin broken: %+v", got)
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("broken pipe") }
