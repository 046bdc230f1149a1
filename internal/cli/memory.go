package cli

import (
	"runtime/debug"
	"slices"
	"strings"
)

const (
	// servePercent is how much may be allocated before memory is collected, in percent
	// of what is in use; Go's own is 100. Most of a worker's memory has no pointers, so
	// that looking at it costs little, and a pod's limit is on the most there ever is.
	servePercent = 40
	// serveFloor is counted as in use besides, so that a worker with little to do does
	// not collect its few megabytes all the time: at 1,000 signals a second that took a
	// fifth of its processor time.
	serveFloor = 24 << 20
)

// boundMemory sets that, unless the environment says how memory is to be collected.
// What it returns must be kept as long as it is to hold; it is never written to, so
// the system gives no memory for it.
func boundMemory(environ []string) []byte {
	asked := func(variable string) bool {
		return strings.HasPrefix(variable, "GOGC=") || strings.HasPrefix(variable, "GOMEMLIMIT=")
	}
	if slices.ContainsFunc(environ, asked) {
		return nil
	}
	debug.SetGCPercent(servePercent)
	return make([]byte, serveFloor)
}
