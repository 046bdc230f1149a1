//go:build integration

package integration_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildWorker builds the program that a user runs.
func buildWorker(ctx context.Context, t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pulse-scorer")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "pulse-scorer/cmd/pulse-scorer")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the worker: %v\n%s", err, out)
	}
	return path
}

// worker is one process of the service.
type worker struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended

	mu       sync.Mutex // guards the rest
	lines    []string   // the last ones of its log
	addr     string     // of its HTTP server, once it is ready to be asked
	gained   int        // tasks that the latest assignment brought, not yet restored
	restored int
	changed  chan struct{} // closed and replaced at every line
}

// keptLines of a worker's log are shown when a test fails.
const keptLines = 40

// startWorker starts a process with the settings that the lab's tests share, and
// kills it at the end of the test if it still runs.
func (l *lab) startWorker(t *testing.T, program, name string) *worker {
	t.Helper()
	return l.startWorkerAt(t, program, name, l.brokers)
}

// startWorkerAt starts one that reaches the cluster from addresses of its own. Its
// whole log is among the test's artifacts.
func (l *lab) startWorkerAt(t *testing.T, program, name string, brokers []string) *worker {
	t.Helper()
	logFile, err := os.Create(filepath.Join(t.ArtifactDir(), name+".log"))
	if err != nil {
		t.Fatalf("log of worker %s: %v", name, err)
	}
	cmd := exec.Command(program, "serve") //nolint:noctx // it must outlive contexts to be killed in its own way
	cmd.Env = []string{
		"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"),
		"PULSE_BROKERS=" + strings.Join(brokers, ","), "PULSE_GROUP=" + l.group,
		"PULSE_TOPIC_INPUT=" + l.topics.Input, "PULSE_TOPIC_OUTPUT=" + l.topics.Results,
		"PULSE_TOPIC_DLQ=" + l.topics.DeadLetters, "PULSE_TOPIC_STATE=" + l.topics.State,
		"PULSE_SESSION_TIMEOUT=" + sessionTimeout.String(), "PULSE_HTTP_ADDR=127.0.0.1:0",
	}
	cmd.Env = append(cmd.Env, l.env...)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("start worker %s: %v", name, err)
	}
	w := &worker{name: name, cmd: cmd, done: make(chan struct{}), changed: make(chan struct{})}
	go w.follow(io.TeeReader(stderr, logFile))
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-w.done
		_ = logFile.Close()
		if t.Failed() {
			t.Logf("last words of worker %s:\n%s", name, strings.Join(w.tail(), "\n"))
		}
	})
	return w
}

// sessionTimeout is the least that a broker takes by default.
const sessionTimeout = 6 * time.Second

// follow reads the log until the process ends.
func (w *worker) follow(log io.Reader) {
	defer close(w.done)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		w.note(lines.Text())
	}
	_ = w.cmd.Wait() // the state is asked for where it matters
}

func (w *worker) note(line string) {
	var said struct {
		Msg    string  `json:"msg"`
		Gained []int32 `json:"gained"`
		HTTP   string  `json:"http"`
	}
	_ = json.Unmarshal([]byte(line), &said) // what is no JSON is kept all the same
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines = append(w.lines, line); len(w.lines) > keptLines {
		w.lines = w.lines[1:]
	}
	w.addr = cmp.Or(w.addr, said.HTTP)
	switch said.Msg {
	case "assigned":
		if len(said.Gained) > 0 {
			w.gained, w.restored = len(said.Gained), 0
		}
	case "state restored":
		w.restored++
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *worker) tail() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}

// restoring says how many tasks the latest assignment brought and how many of
// them are restored.
func (w *worker) restoring() (gained, restored int, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gained, w.restored, w.changed
}

// awaitGained waits until the worker has said that it was given tasks.
func (w *worker) awaitGained(ctx context.Context, t *testing.T) {
	t.Helper()
	for {
		gained, _, changed := w.restoring()
		if gained > 0 {
			return
		}
		select {
		case <-changed:
		case <-w.done:
			t.Fatalf("worker %s has ended: %v", w.name, w.cmd.ProcessState)
		case <-ctx.Done():
			t.Fatalf("worker %s was given no task", w.name)
		}
	}
}

func (w *worker) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%v to worker %s: %v", s, w.name, err)
	}
}

// freeze stops the process and returns when it really stands still: what is read
// about it afterwards stays true.
func (w *worker) freeze(ctx context.Context, t *testing.T) {
	t.Helper()
	w.signal(t, syscall.SIGSTOP)
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid))
		if err != nil {
			t.Fatalf("state of worker %s: %v", w.name, err)
		}
		// The state follows the command's name, which stands in brackets.
		if _, rest, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(rest, "T") {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("worker %s does not stop", w.name)
		}
	}
}

// kill ends the process without a chance to clean up.
func (w *worker) kill(t *testing.T) {
	t.Helper()
	w.signal(t, syscall.SIGKILL)
	<-w.done
}

// drain ends the process as an operator does, and returns how long it took.
func (w *worker) drain(ctx context.Context, t *testing.T) time.Duration {
	t.Helper()
	took := w.stop(ctx, t)
	if took > drainTimeout {
		t.Errorf("worker %s took %v to drain, want at most %v", w.name, took, drainTimeout)
	}
	return took
}

// stop is the same, but the process may take as long as it likes.
func (w *worker) stop(ctx context.Context, t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	w.signal(t, syscall.SIGTERM)
	select {
	case <-w.done:
	case <-ctx.Done():
		t.Fatalf("worker %s does not end after SIGTERM", w.name)
	}
	took := time.Since(start)
	if state := w.cmd.ProcessState; state.ExitCode() != 0 {
		t.Errorf("worker %s ended with %v after SIGTERM, want exit 0", w.name, state)
	}
	return took
}

// drainTimeout is the default of PULSE_DRAIN_TIMEOUT.
const drainTimeout = 15 * time.Second
