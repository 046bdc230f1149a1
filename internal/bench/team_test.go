package bench

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

// busy is a runner whose Streams takes processor time before it is ready.
func busy() *runner {
	return &runner{Settings: Settings{Streams: "testdata/busy.sh", Environ: os.Environ()}, workers: 1}
}

func TestStreams_StartIsNotCounted(t *testing.T) {
	t.Parallel()
	members, err := busy().begin(t.Context(), Streams, Job{})
	if err != nil {
		t.Fatal(err)
	}
	start := members[0].forgiven
	usage, err := members.end()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "linux" {
		return // nothing tells what the start has taken
	}
	state := members[0].command.ProcessState
	whole, spent, counted := state.UserTime()+state.SystemTime(), start.User+start.System, usage.User+usage.System
	if spent < 50*time.Millisecond || counted != whole-spent || counted > spent {
		t.Errorf("%v counted of %v, of which the start took %v", counted, whole, spent)
	}
}

func TestWhileAlive_EndsWithAProcess(t *testing.T) {
	t.Parallel()
	p, err := start(t.Context(), program{path: "/bin/sh", args: []string{"-c", "echo ready"}})
	if err != nil {
		t.Fatal(err)
	}
	members := team{p}
	if err := p.awaitReady(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	err = members.whileAlive(t.Context(), func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, errEnded) {
		t.Errorf("got %v, want %v", err, errEnded)
	}
	if _, err := members.end(); err != nil {
		t.Error(err)
	}
}

func TestWhileAlive_GivesWhatItsWorkGives(t *testing.T) {
	t.Parallel()
	members, err := busy().begin(t.Context(), Streams, Job{})
	if err != nil {
		t.Fatal(err)
	}
	want := errors.New("a fault of the work")
	for _, fault := range []error{nil, want} {
		if err := members.whileAlive(t.Context(), func(context.Context) error { return fault }); !errors.Is(err, fault) {
			t.Errorf("got %v, want %v", err, fault)
		}
	}
	if _, err := members.end(); err != nil {
		t.Error(err)
	}
}
