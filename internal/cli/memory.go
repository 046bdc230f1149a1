package cli

import (
	"runtime/debug"
	"slices"
	"strings"
)

// servePercent is how much may be allocated before memory is collected, in percent of
// what is in use; Go's own is 100. Most of a worker's memory has no pointers, so
// that looking at it costs little, and a pod's limit is on the most there ever is.
const servePercent = 50

// boundMemory sets that, unless the environment says how memory is to be collected.
func boundMemory(environ []string) {
	asked := func(variable string) bool {
		return strings.HasPrefix(variable, "GOGC=") || strings.HasPrefix(variable, "GOMEMLIMIT=")
	}
	if !slices.ContainsFunc(environ, asked) {
		debug.SetGCPercent(servePercent)
	}
}
