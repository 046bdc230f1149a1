package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// peakBytes is the most resident memory that a process has had, from Linux's
// /proc; 0 where there is none. What getrusage(2) says of a child will not do: on
// Linux it counts the memory of its parent at the start
// (TestPeak_IsTheChildsOwn).
func peakBytes(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		rest, found := bytes.CutPrefix(line, []byte("VmHWM:"))
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
		if err != nil {
			return 0
		}
		return kib << 10
	}
	return 0
}
