package enricher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

func deps() Deps {
	return Deps{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Now: time.Now}
}

func newEnrichers(tb testing.TB, concurrency int, endpoints ...Endpoint) *Enrichers {
	tb.Helper()
	return New(Settings{Endpoints: endpoints, Concurrency: concurrency}, deps())
}

func serverOf(tb testing.TB, handle http.HandlerFunc) string {
	tb.Helper()
	s := httptest.NewServer(handle)
	tb.Cleanup(s.Close)
	return s.URL
}

func inquiry(id string) *pipeline.Inquiry {
	return &pipeline.Inquiry{
		Signal: &pulse.Signal{ID: id, Name: "n", Source: "s", Value: 1.5}, Ingest: &pulse.Ingest{SignalTag: "hope", STI: 0.5}, Attempt: 1,
		Headers: []pipeline.Header{{Key: "traceparent", Value: []byte("00-aa-bb-01")}},
	}
}

// hangGuard is far over what a slow machine needs.
const hangGuard = time.Minute

// What each answer means, for a required enricher.
func TestAsk_ByAnswer(t *testing.T) {
	t.Parallel()
	object := func(size int) string { return `{"x":"` + strings.Repeat("a", size-8) + `"}` }
	for name, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		object string
		class  pulse.Class
		after  time.Duration
	}{
		"an object":                {status: 200, body: "{\n \"a\": 1 }", object: `{"a":1}`},
		"the largest":              {status: 200, body: object(maxAnswer), object: object(maxAnswer)},
		"nothing to add":           {status: 204},
		"too large":                {status: 200, body: object(maxAnswer + 1), class: pulse.EnricherRejected},
		"a list":                   {status: 200, body: `[1]`, class: pulse.EnricherRejected},
		"no JSON":                  {status: 200, body: `{"a":`, class: pulse.EnricherRejected},
		"a string not in UTF-8":    {status: 200, body: "{\"a\":\"\xff\"}", class: pulse.EnricherRejected},
		"a key not in UTF-8":       {status: 200, body: "{\"\xc3\":1}", class: pulse.EnricherRejected},
		"empty":                    {status: 200, class: pulse.EnricherRejected},
		"two values":               {status: 200, body: `{} {}`, class: pulse.EnricherRejected},
		"bad request":              {status: 400, body: `{}`, class: pulse.EnricherRejected},
		"not found":                {status: 404, class: pulse.EnricherRejected},
		"somewhere else":           {status: 302, header: map[string]string{"Location": "/other"}, class: pulse.EnricherRejected},
		"created":                  {status: 201, body: `{}`, class: pulse.EnricherRejected},
		"time-out":                 {status: 408, class: pulse.EnricherUnavailable},
		"too many":                 {status: 429, header: map[string]string{"Retry-After": "7"}, class: pulse.EnricherUnavailable, after: 7 * time.Second},
		"broken":                   {status: 500, class: pulse.EnricherUnavailable},
		"unavailable, says when":   {status: 503, header: map[string]string{"Retry-After": "120"}, class: pulse.EnricherUnavailable, after: 2 * time.Minute},
		"unavailable, says not so": {status: 503, header: map[string]string{"Retry-After": "soon"}, class: pulse.EnricherUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serverOf(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			e := newEnrichers(t, 4, Endpoint{Name: "risk", URL: url, Required: true, Timeout: hangGuard})
			q := inquiry("1")
			e.Ask(t.Context(), []*pipeline.Inquiry{q})
			if c.class == "" {
				if q.Err != nil || len(q.Answers) != 1 || string(q.Answers[0].Object) != c.object || q.Answers[0].Enricher != "risk" {
					t.Fatalf("answers %q, %v", q.Answers, q.Err)
				}
				return
			}
			bad, ok := errors.AsType[*pulse.Bad](q.Err)
			if !ok {
				t.Fatalf("answers %q, %v, want class %s", q.Answers, q.Err, c.class)
			}
			if bad.Class != c.class || bad.RetryAfter != c.after {
				t.Fatalf("%v after %v, want class %s after %v", q.Err, bad.RetryAfter, c.class, c.after)
			}
		})
	}
}

// What an enricher is told.
func TestAsk_TellsTheSignalAndWhoItIs(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got *http.Request
	var content []byte
	url := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = &http.Request{Method: r.Method, URL: r.URL, Header: r.Header.Clone()}
		content, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := New(Settings{Endpoints: []Endpoint{{Name: "a", URL: url + "/x?k=v", Timeout: hangGuard}}, Concurrency: 1, TokenFile: file}, deps())
	e.Ask(t.Context(), []*pipeline.Inquiry{inquiry("ä\n1")})
	mu.Lock()
	defer mu.Unlock()
	for name, want := range map[string]string{
		"Idempotency-Key": `"\u00e4\n1"`, "Traceparent": "00-aa-bb-01", "Authorization": "Bearer secret", "Content-Type": "application/json",
		"Pulse-Attempt": "1",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if got.Method != http.MethodPost || got.URL.String() != "/x?k=v" {
		t.Errorf("%s %s", got.Method, got.URL)
	}
	want := `{"id":"ä\n1","name":"n","value":1.5,"source":"s","timestamp":"1970-01-01T00:00:00+00:00","kind":"raw",` +
		`"ingest":{"signal_tag":"hope","recency_score":0,"anomaly_flag":false,"anomaly_score":null,"sti":0.5}}`
	if string(content) != want {
		t.Errorf("body %s\nwant %s", content, want)
	}
}

// A key that comes again comes with the same body: services that keep to keys refuse
// others.
func TestAsk_TriesDifferInTheirHeadersOnly(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var bodies, keys, attempts []string
	url := serverOf(t, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies, keys = append(bodies, string(content)), append(keys, r.Header.Get("Idempotency-Key"))
		attempts = append(attempts, r.Header.Get("Pulse-Attempt"))
		w.WriteHeader(http.StatusNoContent)
	})
	e := newEnrichers(t, 1, Endpoint{Name: "a", URL: url, Timeout: hangGuard})
	for attempt := range 3 {
		q := inquiry("1")
		q.Attempt = attempt + 1
		e.Ask(t.Context(), []*pipeline.Inquiry{q})
	}
	mu.Lock()
	defer mu.Unlock()
	if len(slices.Compact(bodies)) != 1 || len(slices.Compact(keys)) != 1 {
		t.Errorf("bodies %q under keys %q, want one each", bodies, keys)
	}
	if want := []string{"1", "2", "3"}; !slices.Equal(attempts, want) {
		t.Errorf("attempts %q, want %q", attempts, want)
	}
}

// An outage costs no signal a try: what had failed before the breaker opened is told as
// one, too. Later the service is asked once, and when it answers all goes on.
func TestAsk_AnOutageIsToldForAllOfABatch(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	down.Store(true)
	var calls atomic.Int64
	url := serverOf(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	})
	e := newEnrichers(t, 8, Endpoint{Name: "risk", URL: url, Required: true, Timeout: hangGuard})
	var batch []*pipeline.Inquiry
	for i := range 200 {
		batch = append(batch, inquiry(fmt.Sprint(i)))
	}
	e.Ask(t.Context(), batch)
	for _, q := range batch {
		if class := pulse.Classify(q.Err).Class; class != pulse.EnricherDown {
			t.Fatalf("signal %s: %v, want %s", q.Signal.ID, q.Err, pulse.EnricherDown)
		}
	}
	if n := calls.Load(); n < breakerFailures || n > breakerFailures+16 {
		t.Errorf("%d calls of a service that is down, want %d and those under way", n, breakerFailures)
	}
	if required, _ := e.Down(); !slices.Equal(required, []string{"risk"}) {
		t.Errorf("down: %q", required)
	}
	down.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	for left := len(batch); left > 0; {
		if ctx.Err() != nil {
			t.Fatalf("%d signals have no answer although the service is back", left)
		}
		left = 0
		for _, q := range batch {
			q.Err = nil
		}
		e.Ask(ctx, batch)
		for _, q := range batch {
			if q.Err != nil {
				left++
			}
		}
	}
	if required, _ := e.Down(); required != nil {
		t.Errorf("still down: %q", required)
	}
}

// An optional enricher that is down holds nobody up.
func TestAsk_AnOptionalOneIsLeftOut(t *testing.T) {
	t.Parallel()
	bad := serverOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	good := serverOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"g":1}`) })
	e := newEnrichers(t, 8, Endpoint{Name: "bad", URL: bad, Timeout: hangGuard}, Endpoint{Name: "good", URL: good, Required: true, Timeout: hangGuard})
	for range 3 * breakerFailures {
		q := inquiry("1")
		e.Ask(t.Context(), []*pipeline.Inquiry{q})
		if q.Err != nil || len(q.Answers) != 1 || q.Answers[0].Enricher != "good" {
			t.Fatalf("answers %q, %v", q.Answers, q.Err)
		}
	}
	if _, optional := e.Down(); !slices.Equal(optional, []string{"bad"}) {
		t.Errorf("down: %q", optional)
	}
}

// Who answered an earlier try is not asked again, and answers are in the order of the
// enrichers whoever was faster.
func TestAsk_AsksWhoHasNotAnswered(t *testing.T) {
	t.Parallel()
	var asked sync.Map
	of := func(name string) Endpoint {
		return Endpoint{Name: name, Required: true, Timeout: hangGuard, URL: serverOf(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Store(name, true)
			_, _ = io.WriteString(w, `{"by":"`+name+`"}`)
		})}
	}
	e := newEnrichers(t, 8, of("a"), of("b"), of("c"))
	q := inquiry("1")
	q.Answers = []pulse.External{{Enricher: "b", Object: []byte(`{"by":"before"}`)}}
	e.Ask(t.Context(), []*pipeline.Inquiry{q})
	var got []string
	for _, a := range q.Answers {
		got = append(got, a.Enricher+string(a.Object))
	}
	if want := []string{`a{"by":"a"}`, `b{"by":"before"}`, `c{"by":"c"}`}; !slices.Equal(got, want) || q.Err != nil {
		t.Errorf("answers %q, %v; want %q", got, q.Err, want)
	}
	if _, again := asked.Load("b"); again {
		t.Error("b is asked again")
	}
}

// A signal that several required enrichers fail for comes again when the last of them has
// asked for it. What an optional one asks for delays nobody.
func TestAsk_TheLongestRetryAfterCounts(t *testing.T) {
	t.Parallel()
	of := func(name string, required bool, seconds string) Endpoint {
		return Endpoint{Name: name, Required: required, Timeout: hangGuard, URL: serverOf(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", seconds)
			w.WriteHeader(http.StatusServiceUnavailable)
		})}
	}
	e := newEnrichers(t, 8, of("a", true, "5"), of("b", false, "600"), of("c", true, "120"), of("d", true, "7"))
	q := inquiry("1")
	e.Ask(t.Context(), []*pipeline.Inquiry{q})
	if got := pulse.Classify(q.Err); got.RetryAfter != 2*time.Minute || !strings.HasPrefix(got.Message, "a: ") {
		t.Errorf("%v after %v, want the failure of a after 2m", got, got.RetryAfter)
	}
}

// No more calls at a time than there may be, over all tasks.
func TestAsk_BoundsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	const limit = 5
	var now, most atomic.Int64
	url := serverOf(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for most.Load() < n && !most.CompareAndSwap(most.Load(), n) {
			runtime.Gosched()
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // a service that takes its time
		now.Add(-1)
		w.WriteHeader(http.StatusNoContent)
	})
	e := newEnrichers(t, limit, Endpoint{Name: "a", URL: url, Required: true, Timeout: hangGuard})
	var tasks sync.WaitGroup
	for range 4 {
		tasks.Go(func() {
			var batch []*pipeline.Inquiry
			for i := range 50 {
				batch = append(batch, inquiry(fmt.Sprint(i)))
			}
			e.Ask(t.Context(), batch)
			for _, q := range batch {
				if q.Err != nil {
					t.Error(q.Err)
				}
			}
		})
	}
	tasks.Wait()
	if m := most.Load(); m > limit || m < 2 {
		t.Errorf("%d calls at a time, want up to %d", m, limit)
	}
}

// A service that hangs costs its time-out; the end of the work ends the calls, and is
// no failure of the service.
func TestAsk_EndsWithItsTimeoutOrItsWork(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	arrived := make(chan struct{}, 100)
	url := serverOf(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	e := newEnrichers(t, 4, Endpoint{Name: "a", URL: url, Required: true, Timeout: 10 * time.Millisecond})
	q := inquiry("1")
	e.Ask(t.Context(), []*pipeline.Inquiry{q})
	if bad := pulse.Classify(q.Err); bad.Class != pulse.EnricherUnavailable || !strings.Contains(bad.Message, "10ms") {
		t.Errorf("%v, want no answer within 10ms", q.Err)
	}
	<-arrived
	e = newEnrichers(t, 4, Endpoint{Name: "a", URL: url, Required: true, Timeout: hangGuard})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	var batch []*pipeline.Inquiry
	for i := range 50 {
		batch = append(batch, inquiry(fmt.Sprint(i)))
	}
	e.Ask(ctx, batch)
	if required, _ := e.Down(); required != nil {
		t.Errorf("the end of the work opens the breaker of %q", required)
	}
}

// A token that changes is used, one that cannot be read any more is kept.
func TestToken_IsReadAgain(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	file := filepath.Join(t.TempDir(), "token")
	token := tokenOf(file, func() time.Time { return now })
	if got, err := token(); err == nil {
		t.Errorf("no file: %q", got)
	}
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := token(); err == nil {
		t.Errorf("empty file: %q", got)
	}
	for _, want := range []string{"one", "two"} {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		now = now.Add(tokenAge)
		if got, err := token(); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	now = now.Add(tokenAge)
	if got, err := token(); err != nil || got != "two" {
		t.Errorf("without the file: %q, %v; want the last one", got, err)
	}
}

// A token that is not there is no fault of a signal: nothing is asked without it, and
// even one signal waits until it is there, as it does for a service that is down.
func TestAsk_WithoutItsTokenAllWaits(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2 * breakerFailures} {
		var asked atomic.Int64
		file := filepath.Join(t.TempDir(), "token")
		writeToken(t, file, "")
		d, registry := deps(), prometheus.NewRegistry()
		d.Registry = registry
		e := New(Settings{Endpoints: []Endpoint{particular(t, &asked)}, Concurrency: 8, TokenFile: file}, d)
		var batch []*pipeline.Inquiry
		for i := range n {
			batch = append(batch, inquiry(fmt.Sprint(i)))
		}
		e.Ask(t.Context(), batch)
		if got := classes(batch); asked.Load() != 0 || got[pulse.EnricherDown] != n {
			t.Errorf("%d of %d were asked about; answers %v, want all of them held", asked.Load(), n, got)
		}
		if required, _ := e.Down(); !slices.Equal(required, []string{"risk"}) || breakerOpen(t, registry) != 1 {
			t.Errorf("without a token, down: %q, pulse_breaker_open %v", required, breakerOpen(t, registry))
		}
		writeToken(t, file, "secret")
		e.Ask(t.Context(), batch)
		if got := classes(batch); asked.Load() != int64(n) || got[""] != n {
			t.Errorf("%d of %d were asked about with the token; answers %v, want one each", asked.Load(), n, got)
		}
		if required, _ := e.Down(); required != nil || breakerOpen(t, registry) != 0 {
			t.Errorf("with a token, down: %q, pulse_breaker_open %v", required, breakerOpen(t, registry))
		}
	}
}

// Without its token an optional enricher is left out, as one that is down.
func TestAsk_WithoutItsTokenAnOptionalOneIsLeftOut(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	endpoint := particular(t, &asked)
	endpoint.Required = false
	e := New(Settings{Endpoints: []Endpoint{endpoint}, Concurrency: 8, TokenFile: filepath.Join(t.TempDir(), "token")}, deps())
	q := inquiry("1")
	e.Ask(t.Context(), []*pipeline.Inquiry{q})
	if q.Err != nil || q.Answers != nil || asked.Load() != 0 {
		t.Errorf("answers %q, %v, after %d calls", q.Answers, q.Err, asked.Load())
	}
	if _, optional := e.Down(); !slices.Equal(optional, []string{"risk"}) {
		t.Errorf("down: %q", optional)
	}
}

func writeToken(t *testing.T, file, token string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

// breakerOpen is what pulse_breaker_open shows of the only enricher.
func breakerOpen(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "pulse_breaker_open" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no pulse_breaker_open")
	return 0
}

func TestRetryAfter_InBothForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "1e3": 0, "99999999999999": maxRetryAfter,
		"Thu, 01 Jan 2026 12:00:30 GMT": 30 * time.Second, "Thu, 01 Jan 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestParse_TakesAndRefuses(t *testing.T) {
	t.Parallel()
	got, err := Parse([]string{"risk=http://risk:8080/enrich?required=true&timeout=200ms&k=v", "geo=https://geo/"})
	want := []Endpoint{
		{Name: "risk", URL: "http://risk:8080/enrich?k=v", Required: true, Timeout: 200 * time.Millisecond},
		{Name: "geo", URL: "https://geo/", Timeout: defaultTimeout},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for text, part := range map[string]string{
		"http://x":                "does not begin with a name",
		"A=http://x":              "does not begin with a name",
		"a=ftp://x":               "http or https",
		"a=http:///x":             "http or https",
		"a=http://x?required=yes": "neither true nor false",
		"a=http://x?timeout=5":    "timeout",
		"a=http://x?timeout=1h":   "timeout",
		"a=http://x?timeout=-1s":  "timeout",
		"a=http://x#f":            "http or https",
		"a=http://x?%zz":          "cannot be read",
	} {
		if _, err := Parse([]string{text}); err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "http://x") {
			t.Errorf("%q: %v, want one that says %q, without the address", text, err, part)
		}
	}
	if _, err := Parse([]string{"a=http://x", "a=http://y"}); err == nil {
		t.Error("two of one name are taken")
	}
}

func FuzzParse_TakesNothingThatCannotBeCalled(f *testing.F) {
	for _, s := range []string{"risk=http://risk:8080/enrich?required=true&timeout=200ms", "a=http://[::1]:1/?x=%20", "=", "a=http://user:pw@h/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse([]string{s})
		if (err == nil) != (len(got) == 1) {
			t.Fatalf("%d endpoints and %v", len(got), err)
		}
		if err != nil {
			return
		}
		if got[0].Timeout <= 0 || got[0].Timeout > maxTimeout {
			t.Errorf("time-out %v", got[0].Timeout)
		}
		if _, err := http.NewRequestWithContext(t.Context(), http.MethodPost, got[0].URL, http.NoBody); err != nil {
			t.Errorf("taken, and no request can be made: %v", err)
		}
	})
}

// BenchmarkAsk_50ms shows that 128 calls at a time of 50 ms each are over 2,000 a second.
func BenchmarkAsk_50ms(b *testing.B) {
	url := serverOf(b, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // a service that takes its time
		_, _ = io.WriteString(w, `{"a":1}`)
	})
	e := newEnrichers(b, 128, Endpoint{Name: "a", URL: url, Required: true, Timeout: hangGuard})
	var batch []*pipeline.Inquiry
	for i := range 512 {
		batch = append(batch, inquiry(fmt.Sprint(i)))
	}
	for b.Loop() {
		for _, q := range batch {
			q.Answers = nil
		}
		e.Ask(b.Context(), batch)
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "calls/s")
}
