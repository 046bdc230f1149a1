package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// spentBy is the processor time that a process has taken so far, from Linux's /proc; none
// where there is none, or when the process is no longer there. It counts in hundredths of
// a second (USER_HZ, see proc_pid_stat(5), the same on every machine that Go knows).
func spentBy(pid int) Usage {
	const (
		tick = 10 * time.Millisecond
		// user and system are the fields utime and stime, counted from the one after the
		// program's name, which may have spaces in it.
		user, system = 11, 12
	)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= system {
		return Usage{}
	}
	var ticks [2]int64
	for i, at := range []int{user, system} {
		if ticks[i], err = strconv.ParseInt(string(fields[at]), 10, 64); err != nil {
			return Usage{}
		}
	}
	return Usage{User: time.Duration(ticks[0]) * tick, System: time.Duration(ticks[1]) * tick}
}
