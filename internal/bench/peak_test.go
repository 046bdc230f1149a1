package bench

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
)

func TestPeak_IsTheChildsOwn(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		if got := peakBytes(os.Getpid()); got != 0 {
			t.Errorf("%d bytes, where nothing tells", got)
		}
		return
	}
	mine := make([]byte, 256<<20)
	for i := 0; i < len(mine); i += 4096 {
		mine[i] = 1
	}
	if got := peakBytes(os.Getpid()); got < int64(len(mine)) {
		t.Errorf("this process: %d bytes, less than it has", got)
	}
	child := exec.CommandContext(t.Context(), "cat")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if got := peakBytes(child.Process.Pid); got <= 0 || got > 64<<20 {
		t.Errorf("cat: %d bytes", got)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if got := peakBytes(child.Process.Pid); got != 0 {
		t.Errorf("of a process that has ended: %d bytes", got)
	}
	runtime.KeepAlive(mine)
}
