package pipeline

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"pulse-scorer/internal/pulse"
)

const (
	// maxCauseBytes leaves room for the stack behind what was panicked with.
	maxCauseBytes = 512
	// maxFrames is how many callers are told.
	maxFrames = 24
)

// panicked describes a panic and where it came from, in one line and the same
// for the same fault: no addresses, no goroutine numbers. It must be called by
// the deferred function that recovered.
func panicked(cause any) *pulse.Bad {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(fmt.Sprint(cause), "\uFFFD")), " ")
	message := "panic: " + shortened(text, maxCauseBytes) + stack()
	return &pulse.Bad{Class: pulse.StagePanic, Message: shortened(message, maxMessageBytes)}
}

// stack lists the functions below the panic, the one that panicked first.
func stack() string {
	var counters [2 * maxFrames]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(1, counters[:])])
	var b strings.Builder
	for n := 0; n < maxFrames; {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			// What came before it is the way from the panic to here.
			b.Reset()
			n = 0
		case frame.Function != "" && !strings.HasPrefix(frame.Function, "runtime."):
			b.WriteString(map[bool]string{true: " at ", false: " < "}[n == 0])
			b.WriteString(strings.TrimPrefix(frame.Function, "pulse-scorer/internal/"))
			b.WriteString(" (" + filepath.Base(frame.File) + ":" + strconv.Itoa(frame.Line) + ")")
			n++
		}
		if !more {
			break
		}
	}
	return b.String()
}
