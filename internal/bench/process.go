package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Usage is what a process has taken of the machine, from its start to its end, or from
// when it was ready where its start is not counted (process.forgive).
type Usage struct {
	// User and System are processor time.
	User, System time.Duration
	// PeakBytes is the most memory it had in use (resident) until it was told to end;
	// 0 where the system does not tell.
	PeakBytes int64
}

// process is one that works on the load, and how to tell that it has begun.
type process struct {
	command *exec.Cmd
	group   errgroup.Group
	// lines are those that tell how far it is; begun ends the interest in them.
	lines    chan string
	begun    chan struct{}
	hasBegun sync.Once
	// address is that of a service, from awaitService on.
	address string
	// last are its last lines, for the error if it fails.
	last tail
	// ended is closed when it is no longer there.
	ended chan struct{}
	// forgiven is what it had taken when it was ready, and is not counted.
	forgiven Usage
}

const (
	// patience is for what must come at once on any machine.
	patience = time.Minute
	// warmPatience is for one that warms itself up first. The load's transaction, which is
	// open meanwhile, has more (beginTimeout).
	warmPatience = 90 * time.Second
	// lastLines of a process are shown when it fails.
	lastLines = 15
)

// program is what a process is started from.
type program struct {
	path      string
	args, env []string
}

// start starts a program. Its standard error is read for lines, and standard output too.
func start(ctx context.Context, from program) (*process, error) {
	p := &process{
		command: exec.CommandContext(ctx, from.path, from.args...), //nolint:gosec // G204: itself, or what its user has named
		lines:   make(chan string), begun: make(chan struct{}), ended: make(chan struct{}),
	}
	p.command.Env = from.env
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	p.command.WaitDelay = patience
	reader, writer := io.Pipe()
	p.command.Stdout, p.command.Stderr = writer, writer
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s %v: %w", from.path, from.args, err)
	}
	p.group.Go(func() error {
		err := p.command.Wait()
		close(p.ended)
		_ = writer.Close() // never fails
		return err         //nolint:wrapcheck // end says what it was
	})
	p.group.Go(func() error {
		defer close(p.lines)
		scanner := bufio.NewScanner(reader)
		for scanner.Scan() {
			p.last.add(scanner.Text())
			select {
			case p.lines <- scanner.Text():
			case <-p.begun:
			}
		}
		_, _ = io.Copy(io.Discard, reader)
		return nil
	})
	return p, nil
}

// await returns after the first line that is wanted, which must come within a time.
func (p *process) await(ctx context.Context, within time.Duration, wanted func(line string) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("it does not begin within %v", within))
	defer cancel()
	defer p.ignore()
	for {
		select {
		case line, more := <-p.lines:
			switch {
			case !more:
				return fmt.Errorf("it has ended before it began: %s", p.last.text())
			case wanted(line):
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), p.last.text())
		}
	}
}

func (p *process) ignore() { p.hasBegun.Do(func() { close(p.begun) }) }

// awaitReady waits for the line of a Job.
func (p *process) awaitReady(ctx context.Context, within time.Duration) error {
	return p.await(ctx, within, func(line string) bool { return line == ready })
}

// awaitService waits until a service says, over HTTP, that it does its work.
func (p *process) awaitService(ctx context.Context) error {
	var entry struct {
		Msg  string `json:"msg"`
		HTTP string `json:"http"`
	}
	err := p.await(ctx, patience, func(line string) bool {
		return json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "starting"
	})
	if err != nil {
		return err
	}
	p.address = entry.HTTP
	return p.awaitReadyz(ctx)
}

func (p *process) awaitReadyz(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("/readyz does not answer 200"))
	defer cancel()
	return until(ctx, func() (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/readyz", http.NoBody)
		if err != nil {
			return false, fmt.Errorf("ask the service: %w", err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil // it is not there yet
		}
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode == http.StatusOK, nil
	})
}

// end stops the process and tells what it has taken.
func (p *process) end() (Usage, error) {
	p.ignore()
	peak := peakBytes(p.command.Process.Pid) // as long as it is there
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return Usage{}, fmt.Errorf("end the process: %w", err)
	}
	if err := p.group.Wait(); err != nil {
		return Usage{}, fmt.Errorf("%w: %s", err, p.last.text())
	}
	state := p.command.ProcessState
	return Usage{User: state.UserTime() - p.forgiven.User, System: state.SystemTime() - p.forgiven.System, PeakBytes: peak}, nil
}

// forgive leaves processor time until now out of what is counted.
func (p *process) forgive() { p.forgiven = spentBy(p.command.Process.Pid) }

// tail keeps the last lines.
type tail struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > lastLines {
		t.lines = t.lines[1:]
	}
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
