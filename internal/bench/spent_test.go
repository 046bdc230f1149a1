package bench

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestSpent_IsWhatTheSystemSaysElsewhere(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		if got := spentBy(os.Getpid()); got != (Usage{}) {
			t.Errorf("%+v, where nothing tells", got)
		}
		return
	}
	// Both in one figure: the system divides one sum among them.
	sum := func(u Usage) time.Duration { return u.User + u.System }
	own := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			t.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	for own() < 200*time.Millisecond { //nolint:revive // it is to take time
	}
	const rounding = 20 * time.Millisecond // of two figures
	before, got, after := own(), sum(spentBy(os.Getpid())), own()
	if got < before-rounding || got > after {
		t.Errorf("%v, want %v to %v", got, before-rounding, after)
	}
	if got := spentBy(-1); got != (Usage{}) {
		t.Errorf("of no process: %+v", got)
	}
}
