package ops

import (
	"fmt"
	"net/http"
	"strings"
)

// Probe answers the orchestrator. Its methods are called on every request,
// concurrently, and must not wait.
type Probe interface {
	// Live fails when only a restart helps.
	Live() Report
	// Ready fails while the service does not do its work.
	Ready() Report
	// Started fails until the service has been ready once.
	Started() Report
}

// Report is the outcome of the checks of one probe. An empty one is good.
type Report []Check

// Check is one line of a Report.
type Check struct {
	Name string
	OK   bool
	// Advisory checks are shown and do not turn the probe to 503.
	Advisory bool
	// Detail is for people, one line, without record contents.
	Detail string
}

// OK reports whether every check that counts is good.
func (r Report) OK() bool {
	for _, check := range r {
		if !check.OK && !check.Advisory {
			return false
		}
	}
	return true
}

// text is the body of a probe: the outcome, then what failed, or everything
// when verbose.
func (r Report) text(verbose bool) string {
	var text strings.Builder
	text.WriteString("ok\n")
	if !r.OK() {
		text.Reset()
		text.WriteString("not ok\n")
	}
	for _, check := range r {
		if check.OK && !verbose {
			continue
		}
		mark := "+"
		switch {
		case !check.OK && check.Advisory:
			mark = "!"
		case !check.OK:
			mark = "-"
		}
		fmt.Fprintf(&text, "[%s] %s", mark, check.Name)
		if check.Detail != "" {
			fmt.Fprintf(&text, ": %s", strings.ReplaceAll(check.Detail, "\n", " "))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// probeHandler answers 200 or 503. Any method will do: whoever asks wants to
// know the state, and a 405 would be taken for a failure.
func probeHandler(ask func() Report) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		report := safely(ask)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		status := http.StatusOK
		if !report.OK() {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		// The reader may be gone; there is nobody to tell.
		_, _ = w.Write([]byte(report.text(r.URL.Query().Has("verbose"))))
	}
}

// safely turns a check that panics into one that fails. net/http would cut the
// connection, which is neither 200 nor 503.
func safely(ask func() Report) (report Report) {
	defer func() {
		if cause := recover(); cause != nil {
			report = Report{{Name: "probe", Detail: fmt.Sprintf("panic: %v", cause)}}
		}
	}()
	return ask()
}
