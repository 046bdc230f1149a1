//go:build unix

package bench

import (
	"os"
	"runtime"
	"syscall"
)

// peakBytes is the resident memory at its most: getrusage(2) has it in KiB, but for
// Apple's systems.
func peakBytes(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return usage.Maxrss << 10
}
