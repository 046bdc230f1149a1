package enricher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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

// Connections are used again, whatever was answered: one call after the other needs one,
// and calls at a time need about as many as there are.
func TestAsk_UsesConnectionsAgain(t *testing.T) {
	t.Parallel()
	// A connection whose call is answered before it knows that it has sent it is given up.
	const limit, busy = 8, 10
	var dialled, calls atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		status := []int{http.StatusOK, http.StatusNotFound, http.StatusTooManyRequests, http.StatusNoContent}[calls.Add(1)%4]
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, `{"a":"`+strings.Repeat("x", maxAnswer/2)+`"}`)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	e := newEnrichers(t, limit, Endpoint{Name: "a", URL: s.URL, Required: true, Timeout: hangGuard})
	for range 100 {
		e.Ask(t.Context(), []*pipeline.Inquiry{inquiry("1")})
	}
	if n := dialled.Load(); n > busy {
		t.Errorf("%d connections for %d calls one after the other, want 1, or at most %d on a busy machine", n, calls.Load(), busy)
	}
	for range 20 {
		var batch []*pipeline.Inquiry
		for i := range 50 {
			batch = append(batch, inquiry(fmt.Sprint(i)))
		}
		e.Ask(t.Context(), batch)
	}
	// One that is still being dialled when another is free again is one too many, and a
	// busy machine dials slowly.
	if n := dialled.Load(); n > 8*limit || calls.Load() != 1100 {
		t.Errorf("%d connections for %d calls, %d at a time, want at most %d", n, calls.Load(), limit, 8*limit)
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
