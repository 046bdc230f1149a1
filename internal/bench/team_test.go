package bench

import (
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
