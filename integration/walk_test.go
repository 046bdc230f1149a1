//go:build integration

package integration_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// walkGuard ends a walk that would never end.
const walkGuard = 8 * time.Minute

// shell is a bash in the repository that is typed into, as a reader of the README does.
type shell struct {
	in    io.WriteCloser
	lines *bufio.Scanner
}

func newShell(ctx context.Context, t *testing.T) *shell {
	t.Helper()
	command := exec.CommandContext(ctx, "bash")
	command.Dir = ".."
	// What runs behind it has its output, and ends with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatalf("start bash: %v", err)
	}
	t.Cleanup(func() {
		_ = command.Cancel() // there may be nothing left
		_ = command.Wait()
	})
	return &shell{in, bufio.NewScanner(out)}
}

// typed tells what a line says, and whether it ended well.
func (s *shell) typed(t *testing.T, line string) (said string, ok bool) {
	t.Helper()
	const end = "=== the line has ended with "
	// One command tells the code: after another one it would be that one's.
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '\\n%s%%d\\n' $?\n", line, end); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	for s.lines.Scan() {
		if code, ended := strings.CutPrefix(s.lines.Text(), end); ended {
			return said, code == "0"
		}
		said += s.lines.Text() + "\n"
	}
	t.Fatalf("%s: the shell has ended: %v\n%s", line, s.lines.Err(), said)
	return "", false
}

// groupWalk are the blocks of the README's part about a group: what to type, and what is said.
func groupWalk(t *testing.T) (lines []string, said string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(readme), "\n## A group of two\n")
	part, _, _ = strings.Cut(part, "\n## ")
	_, commands, _ := strings.Cut(part, "\n```sh\n")
	commands, rest, _ := strings.Cut(commands, "\n```\n")
	_, said, _ = strings.Cut(rest, "\n```\n")
	said, _, _ = strings.Cut(said, "\n```\n")
	lines = strings.Split(commands, "\n")
	if len(lines) < 10 || strings.Count(said, "\n") < 10 {
		t.Fatalf("the README's part about a group has %d lines to type, and shows\n%s", len(lines), said)
	}
	return lines, said
}

// owned counts the partitions of each owner in what lag says: a is a-9a160fd2-….
func owned(said string) map[string]int {
	owners := make(map[string]int)
	for _, found := range regexp.MustCompile(`(?m)^pulse\.signals .* (\w+)-[0-9a-f-]{36}@\S+$`).FindAllStringSubmatch(said, -1) {
		owners[found[1]]++
	}
	return owners
}

// The README's lines are typed one after the other, on other ports. Nothing of what they say is hidden from the reader, so what the
// README shows must come, except for times and for what is drawn by chance.
func TestWalk_OfAGroupOfTwo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), walkGuard)
	defer cancel()
	lines, shown := groupWalk(t)
	port := freePorts(t)
	ports := strings.NewReplacer("9092", strconv.Itoa(port), "9101", strconv.Itoa(port+1), "9102", strconv.Itoa(port+2))
	t.Cleanup(func() {
		// The last line does this, if the walk comes as far.
		if out, err := exec.CommandContext(context.WithoutCancel(ctx), "kafka/down.sh", "../.cache/group", "--wipe").CombinedOutput(); err != nil {
			t.Errorf("stop the broker: %v\n%s", err, out)
		}
	})
	s, all, began := newShell(ctx, t), "", time.Now()
	shares := []map[string]int{{"a": 4, "b": 4}, {"a": 8}}
	for _, line := range lines {
		line = ports.Replace(line)
		if !strings.HasPrefix(line, "bin/pulse-scorer lag") {
			said, ok := s.typed(t, line)
			if !ok {
				t.Fatalf("%s\n%s", line, said)
			}
			all += said
			continue
		}
		if len(shares) == 0 {
			t.Fatalf("the README looks at the lag more often than this test knows what must be seen")
		}
		all += s.typedUntil(t, line, fmt.Sprintf("nothing behind, and the partitions owned by %v", shares[0]), idleAnd(shares[0]))
		shares = shares[1:]
	}
	t.Logf("from make build to the end: %v", time.Since(began).Round(time.Second))
	if len(shares) > 0 {
		t.Errorf("the README does not look at %v", shares)
	}
	heard := strings.Split(walked(all), "\n")
	for line := range strings.SplitSeq(walked(shown), "\n") {
		if !slices.Contains(heard, line) {
			t.Errorf("the README shows what is not said: %q in\n%s", line, all)
		}
	}
}

// walked leaves out what differs from walk to walk: who owns, how long it took, and blanks at a line's end.
func walked(text string) string {
	text = regexp.MustCompile(`\w+-[0-9a-f-]{36}@\S+`).ReplaceAllString(text, "OWNER")
	return regexp.MustCompile(`(?m)(in [0-9.]+m?s)? *$`).ReplaceAllString(text, "")
}

// idleAnd is whether lag says that nothing is behind and these own the partitions.
func idleAnd(share map[string]int) func(said string) bool {
	idle := regexp.MustCompile(`(?m)^ +all +0 *$`)
	return func(said string) bool { return idle.MatchString(said) && fmt.Sprint(owned(said)) == fmt.Sprint(share) }
}

// typedUntil types a line again, as a reader does, until it ends well and says what is awaited, and tells how often that was.
func (s *shell) typedUntil(t *testing.T, line, what string, says func(said string) bool) string {
	t.Helper()
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	patience, began := time.After(time.Minute), time.Now()
	for tries := 1; ; tries++ {
		said, ok := s.typed(t, line)
		if ok && says(said) {
			t.Logf("%s: %s, at try %d, after %v", line, what, tries, time.Since(began).Round(10*time.Millisecond))
			return said
		}
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("%s: typed %d times, and never %s:\n%s", line, tries, what, said)
		}
	}
}
