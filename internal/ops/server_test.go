package ops

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// service is a Probe and a Status that say what they are told.
type service struct {
	live, ready, started func() Report
	status               any
}

var (
	_ Probe  = service{}
	_ Status = service{}
)

func (s service) Live() Report    { return s.live() }
func (s service) Ready() Report   { return s.ready() }
func (s service) Started() Report { return s.started() }
func (s service) Status() any     { return s.status }

func good() Report { return nil }

func deps(s service) Deps {
	return Deps{
		Gatherer: NewRegistry(Build{Version: "1.2.3", Revision: "abc", Go: "go1.26"}),
		Probe:    s, Status: s, Logger: slog.New(slog.DiscardHandler),
	}
}

func ask(t *testing.T, d Deps, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler(nil, d).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return recorder
}

func TestProbes_AnswerOnly200And503(t *testing.T) {
	t.Parallel()
	reports := map[string]struct {
		ask  func() Report
		want int
	}{
		"no checks":         {good, 200},
		"all good":          {func() Report { return Report{{Name: "a", OK: true}} }, 200},
		"one bad":           {func() Report { return Report{{Name: "a", OK: true}, {Name: "b"}} }, 503},
		"only advisory bad": {func() Report { return Report{{Name: "breaker", Advisory: true}} }, 200},
		"panic":             {func() Report { panic("broken") }, 503},
	}
	for name, report := range reports {
		for i, path := range []string{"/livez", "/readyz", "/startupz"} {
			three := [3]func() Report{good, good, good}
			three[i] = report.ask
			d := deps(service{live: three[0], ready: three[1], started: three[2]})
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"} {
				for _, query := range []string{"", "?verbose", "?verbose=1&x=%zz"} {
					if got := ask(t, d, method, path+query).Code; got != report.want {
						t.Errorf("%s: %s %s%s = %d, want %d", name, method, path, query, got, report.want)
					}
				}
			}
		}
	}
}

func TestProbe_SaysWhatFailsAndVerboseSaysEverything(t *testing.T) {
	t.Parallel()
	d := deps(service{ready: func() Report {
		return Report{
			{Name: "joined", OK: true, Detail: "generation 4"},
			{Name: "restored", Detail: "task 3\nis behind"},
			{Name: "enricher", Advisory: true},
		}
	}})
	if got, want := ask(t, d, "GET", "/readyz").Body.String(), "not ok\n[-] restored: task 3 is behind\n[!] enricher\n"; got != want {
		t.Errorf("body = %q, want %q", got, want)
	}
	if got := ask(t, d, "GET", "/readyz?verbose").Body.String(); !strings.Contains(got, "[+] joined: generation 4\n") {
		t.Errorf("verbose body = %q, joined is missing", got)
	}
}

func TestServer_SecurityHeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	d := deps(service{live: good, ready: func() Report { return Report{{Name: "x"}} }, status: math.Inf(1)})
	for path, status := range map[string]int{"/livez": 200, "/readyz": 503, "/metrics": 200, "/status": 500, "/nothing": 404} {
		answer := ask(t, d, "GET", path)
		if answer.Code != status {
			t.Errorf("%s = %d, want %d", path, answer.Code, status)
		}
		for header, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		} {
			if got := answer.Header().Get(header); !strings.Contains(got, want) {
				t.Errorf("%s: %s = %q, want %q", path, header, got, want)
			}
		}
	}
}

func TestMetrics_BuildAndRuntime(t *testing.T) {
	t.Parallel()
	body := ask(t, deps(service{}), "GET", "/metrics").Body.String()
	for _, want := range []string{
		`pulse_build_info{goversion="go1.26",revision="abc",version="1.2.3"} 1`, "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in /metrics", want)
		}
	}
}

func TestStatus_IsJSON(t *testing.T) {
	t.Parallel()
	answer := ask(t, deps(service{status: map[string]int{"tasks": 8}}), "GET", "/status")
	var got map[string]int
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || got["tasks"] != 8 {
		t.Errorf("status = %q (%v)", answer.Body, err)
	}
	if got := answer.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type = %q", got)
	}
}

func TestListen_NamesTheVariable(t *testing.T) {
	t.Parallel()
	first := listen(t, "127.0.0.1:0")
	for addr, want := range map[string]string{first.Addr(): "is in use", "192.0.2.1:1": "cannot listen"} {
		_, err := Listen(t.Context(), Settings{Addr: addr}, deps(service{}))
		if err == nil || !strings.Contains(err.Error(), "PULSE_HTTP_ADDR") || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen(%s) = %v, want PULSE_HTTP_ADDR and %q in it", addr, err, want)
		}
	}
	if _, err := Listen(t.Context(), Settings{Addr: "127.0.0.1:0"}, Deps{Gatherer: prometheus.NewRegistry()}); err == nil {
		t.Error("missing dependencies accepted")
	}
}

func listen(t *testing.T, addr string) *Server {
	t.Helper()
	s, err := Listen(t.Context(), Settings{Addr: addr}, deps(service{live: good}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestServe_StopsWhenAsked(t *testing.T) {
	t.Parallel()
	s := listen(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || string(body) != "ok\n" {
		t.Errorf("livez = %d %q %v", answer.StatusCode, body, err)
	}
	_ = answer.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

func TestServe_AnotherEndIsAnError(t *testing.T) {
	t.Parallel()
	s := listen(t, "127.0.0.1:0")
	_ = s.Close()
	if err := s.Serve(t.Context()); err == nil {
		t.Error("Serve on a closed server returned nil")
	}
}
