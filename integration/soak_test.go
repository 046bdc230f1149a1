//go:build integration

package integration_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"pulse-scorer/integration/kafkatest"
)

var (
	soakFor  = flag.Duration("soak", 10*time.Second, "how long TestSoak keeps a worker under load (make soak)")
	soakRate = flag.Int("soak-rate", 200, "records a second of TestSoak; 0: as many as the worker takes")
	soakPlot = flag.String("soak-plot", "", "where TestSoak writes its plot (SVG), and beside it the samples (CSV); empty: among its artifacts")
)

// watchedMetrics are what must show no trend. growth is the share by which the last third
// of the samples may lie above the second sixth, slack what that may be at least.
var watchedMetrics = []struct {
	name, unit    string
	divide        float64
	growth, slack float64
}{
	{"process_resident_memory_bytes", "resident memory, MB", 1 << 20, 0.05, 4},
	{"go_memstats_heap_inuse_bytes", "heap in use, MB", 1 << 20, 0.05, 4},
	{"go_goroutines", "goroutines", 1, 0.02, 3},
	{"process_open_fds", "open file descriptors", 1, 0.02, 2},
}

// sample is one look at the worker.
type sample struct {
	at     time.Duration // since the load began
	values []float64     // of watchedMetrics
	scored float64
	// done are all that have an outcome.
	done float64
}

// sampler looks at the worker once in a while.
type sampler struct {
	url   string
	began time.Time
	taken []sample
}

// every is how often it looks: two hundred times, but not all the time. Under full load
// what is sent depends on it.
func (*sampler) every() time.Duration {
	if *soakRate == 0 {
		return 500 * time.Millisecond
	}
	return max(500*time.Millisecond, min(15*time.Second, *soakFor/200))
}

func (s *sampler) take(ctx context.Context, t *testing.T) {
	t.Helper()
	_, text := get(ctx, t, s.url+"/metrics")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("/metrics: %v", err)
	}
	now := sample{at: time.Since(s.began)}
	for _, m := range watchedMetrics {
		f := families[m.name]
		if f == nil {
			t.Fatalf("no metric %s in /metrics", m.name)
		}
		now.values = append(now.values, f.GetMetric()[0].GetGauge().GetValue()/m.divide)
	}
	for _, m := range families["pulse_records_total"].GetMetric() {
		now.done += m.GetCounter().GetValue()
		if m.GetLabel()[0].GetValue() == "scored" {
			now.scored = m.GetCounter().GetValue()
		}
	}
	s.taken = append(s.taken, now)
}

// A worker is kept under a modest load, or a full one, and its memory, goroutines and file
// descriptors are watched. make soak DURATION=8h does so for long; integration just long enough to
// prove that it works.
func TestSoak(t *testing.T) { //nolint:paralleltest // what it measures is the process alone
	ctx, cancel := context.WithTimeout(t.Context(), *soakFor+enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("soak"), 4)
	addr := "127.0.0.1:" + strconv.Itoa(freePorts(t)+150)
	l.env = []string{"PULSE_HTTP_ADDR=" + addr}
	if *soakRate == 0 {
		l.keepLittle(ctx, t)
	} else {
		// Few enough IDs that the table of them is full long before the end: what grows then is a leak.
		l.env = append(l.env, "PULSE_DEDUPE_MAX_IDS="+strconv.Itoa(max(1000, *soakRate*int(soakFor.Seconds())/l.partitions/10)))
	}
	l.startWorker(t, buildWorker(ctx, t), "soak")
	awaitThat(ctx, t, func() string {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return "the worker does not listen: " + err.Error()
		}
		_ = conn.Close()
		return ""
	})
	s := &sampler{url: "http://" + addr, began: time.Now()}
	sent := l.soak(ctx, t, s)
	l.awaitEnd(ctx, t)
	s.take(ctx, t)
	s.report(t, sent)
}

// verdictAfter is the least time that says anything about a trend: below it caches fill.
const verdictAfter = 5 * time.Minute

// report writes samples and plot, and says whether there is a trend.
func (s *sampler) report(t *testing.T, sent int) {
	t.Helper()
	path := *soakPlot
	if path == "" {
		path = filepath.Join(t.ArtifactDir(), "soak.svg")
	}
	for name, text := range map[string]string{path: s.svg(), strings.TrimSuffix(path, ".svg") + ".csv": s.csv()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	last := s.taken[len(s.taken)-1]
	if last.scored < float64(sent)*0.98 {
		t.Errorf("%v of %d records are scored; a hundredth are repetitions and a thousandth no signals", last.scored, sent)
	}
	if early, late := s.rate(1./6, 1./3), s.rate(2./3, 1); *soakFor >= verdictAfter && late < early/2 {
		t.Errorf("%.0f records/s in the last third, %.0f in the second sixth: it was not under the same load", late, early)
	}
	t.Logf("%v at %.0f records a second, %d sent, %d samples; plot in %s", *soakFor, float64(sent)/soakFor.Seconds(), sent, len(s.taken), path)
	for i, m := range watchedMetrics {
		early, late := s.parts(i)
		grown := late - early
		verdict := "no trend"
		switch trend := grown > max(m.slack, early*m.growth); {
		case *soakFor < verdictAfter:
			verdict = "too short to say"
		case trend:
			verdict = "GROWS"
			t.Errorf("%s: from %.1f to %.1f at the median of the second sixth and the last third", m.unit, early, late)
		}
		t.Logf("%-24s %8.1f then %8.1f: %s", m.unit, early, late, verdict)
	}
}

// parts are the medians of the second sixth of the time, when caches and tables are full,
// and of the last third: of half an hour, minutes 5 to 10 and 20 to 30.
func (s *sampler) parts(metric int) (early, late float64) {
	median := func(of []sample) float64 {
		var values []float64
		for _, one := range of {
			values = append(values, one.values[metric])
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	n := len(s.taken)
	return median(s.taken[n/6 : n/3+1]), median(s.taken[2*n/3:])
}

// rate is how many records a second had an outcome from one part of the samples to another.
func (s *sampler) rate(from, to float64) float64 {
	last := len(s.taken) - 1
	a, b := s.taken[int(from*float64(last))], s.taken[int(to*float64(last))]
	return (b.done - a.done) / (b.at - a.at).Seconds()
}

func (s *sampler) csv() string {
	var text strings.Builder
	text.WriteString("seconds,scored")
	for _, m := range watchedMetrics {
		text.WriteString("," + m.name)
	}
	for _, one := range s.taken {
		fmt.Fprintf(&text, "\n%.1f,%.0f", one.at.Seconds(), one.scored)
		for _, v := range one.values {
			fmt.Fprintf(&text, ",%.2f", v)
		}
	}
	return text.String() + "\n"
}

// svg is a plot with a panel for each metric, from 0 upwards.
func (s *sampler) svg() string {
	const width, panel, left, top = 900, 150, 60, 30
	var text strings.Builder
	fmt.Fprintf(&text, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		width+left+20, len(watchedMetrics)*(panel+top)+30)
	text.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	end := s.taken[len(s.taken)-1].at.Seconds()
	for i, m := range watchedMetrics {
		base := (i+1)*(panel+top) - 5
		most := 0.0
		for _, one := range s.taken {
			most = max(most, one.values[i])
		}
		most *= 1.1
		fmt.Fprintf(&text, `<text x="%d" y="%d">%s</text>`+"\n", left, base-panel-6, m.unit)
		for _, share := range []float64{0, 0.5, 1} {
			y := float64(base) - share*panel
			fmt.Fprintf(&text, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
				left, left+width, y, y, left-5, y+4, most*share)
		}
		text.WriteString(`<polyline fill="none" stroke="#0a6" points="`)
		for _, one := range s.taken {
			fmt.Fprintf(&text, "%.1f,%.1f ", left+width*one.at.Seconds()/end, float64(base)-panel*one.values[i]/most)
		}
		text.WriteString(`"/>` + "\n")
	}
	fmt.Fprintf(&text, `<text x="%d" y="%d" text-anchor="end">%v at %.0f records/s</text>`+"\n</svg>\n",
		left+width, len(watchedMetrics)*(panel+top)+20, *soakFor, s.taken[len(s.taken)-1].scored/end)
	return text.String()
}
