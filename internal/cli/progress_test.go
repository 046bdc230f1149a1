package cli

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// runOn runs a command whose stderr is a file of the system's.
func runOn(t *testing.T, stderr *os.File, environ []string, args ...string) {
	t.Helper()
	var stdout bytes.Buffer
	p := Process{Args: args, Environ: environ, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: stderr, Now: time.Now, Version: "1.2.3"}
	if code := run(t.Context(), p, newRoot(p, commands()...)); code != 0 {
		t.Errorf("%v: exit %d\n%s", args, code, stdout.String())
	}
}

// drained is all that is written to the other end, once that is closed.
func drained(from io.Reader) <-chan string {
	all := make(chan string, 1)
	go func() {
		// A terminal without anybody on it ends with an error, a pipe without.
		text, _ := io.ReadAll(from)
		all <- string(text)
	}()
	return all
}

// onTerminal is what a command writes to a terminal.
func onTerminal(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Fatalf("open a terminal: %v", err)
	}
	defer func() { _ = terminal.Close() }()
	drawn := drained(terminal)
	runOn(t, tty, environ, args...)
	_ = tty.Close()
	return <-drawn
}

// onPipe is what a command writes to a pipe.
func onPipe(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	reader, pipe, err := os.Pipe()
	if err != nil {
		t.Fatalf("make a pipe: %v", err)
	}
	defer func() { _ = reader.Close() }()
	written := drained(reader)
	runOn(t, pipe, environ, args...)
	_ = pipe.Close()
	return <-written
}

// A bar is a share and a line between bars; taken away, spaces stand in its place.
var (
	barDrawn   = regexp.MustCompile(`\r[^\r]* \d+% \|[ █]*\| \([^\r]*\)`)
	barCleared = regexp.MustCompile(`\r +\r$`)
)

// Commands that may take long draw a bar for whoever watches at a terminal, and take it
// away again; a log file or a pipe never sees one.
func TestProgress_IsDrawnOnATerminalOnly(t *testing.T) {
	t.Parallel()
	b := served(t, mixedLines...)
	many := file(t, "many.ndjson", slices.Repeat(mixedLines[:4], 3000)...) // more than one read takes
	for _, args := range [][]string{
		{"audit"},
		{"verify"},
		{"find", "a"},
		{"dlq", "list"},
		{"dlq", "redrive", "--dry-run"},
		{"replay", "--output", "again", "--from-offset", "0"},
		{"produce", many},
	} {
		bar := onTerminal(t, at(b), args...)
		if what := args[0]; what != "produce" && !strings.HasPrefix(bar, "\r"+what+" ") || !barDrawn.MatchString(bar) {
			t.Errorf("%v: the terminal is given %q, want a bar", args, bar)
		}
		if !barCleared.MatchString(bar) {
			t.Errorf("%v: the terminal is left with %q, want the bar taken away", args, bar)
		}
		if args[0] == "replay" {
			args = append(slices.Clone(args), "--group", "piped") // each run has its own
		}
		if text := onPipe(t, at(b), args...); strings.ContainsAny(text, "\r\x1b") || strings.Contains(text, "%") {
			t.Errorf("%v: a pipe is given %q, want no bar", args, text)
		}
	}
}
