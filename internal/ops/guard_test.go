package ops

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// guarded pages: the profiles and one that was handed in.
var guarded = []string{
	"/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/symbol",
	"/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1", "/api/dlq",
}

func guardedDeps() Deps {
	d := deps(service{live: good, ready: good, started: good})
	d.Guarded = map[string]http.Handler{"GET /api/dlq": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "records") })}
	return d
}

func tokenOf(t *testing.T, text, file string) *Token {
	t.Helper()
	token, err := NewToken(text, file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func askWith(t *testing.T, token *Token, path, authorization string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	handler(token, guardedDeps()).ServeHTTP(recorder, request)
	return recorder
}

func TestGuard_NothingIsThereWithoutAToken(t *testing.T) {
	t.Parallel()
	for _, path := range guarded {
		for _, authorization := range []string{"", "Bearer ", "Bearer x"} {
			if got := askWith(t, tokenOf(t, "", ""), path, authorization); got.Code != http.StatusNotFound {
				t.Errorf("%s with %q: %d, want 404", path, authorization, got.Code)
			}
		}
	}
}

func TestGuard_ClosedToAllButTheToken(t *testing.T) {
	t.Parallel()
	token := tokenOf(t, "correct horse", "")
	for _, path := range guarded {
		for _, authorization := range []string{
			"", "correct horse", "Bearer", "Bearer ", "Bearer correct", "Bearer correct horse battery", "Bearer CORRECT HORSE",
			"Basic correct horse", "Token correct horse", "Bearer correct horse\x00",
		} {
			got := askWith(t, token, path, authorization)
			if got.Code != http.StatusUnauthorized || !strings.HasPrefix(got.Header().Get("WWW-Authenticate"), "Bearer") || got.Header().Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s with %q: %d, %v; want 401", path, authorization, got.Code, got.Header())
			}
			if strings.Contains(got.Body.String(), "records") || strings.Contains(got.Body.String(), "goroutine") {
				t.Errorf("%s with %q shows %q", path, authorization, got.Body)
			}
		}
	}
	for _, authorization := range []string{"Bearer correct horse", "bearer correct horse", "BEARER  correct horse "} {
		if got := askWith(t, token, "/api/dlq", authorization); got.Code != http.StatusOK || got.Body.String() != "records" {
			t.Errorf("with %q: %d %q, want the page", authorization, got.Code, got.Body)
		}
	}
	if got := askWith(t, token, "/debug/pprof/goroutine?debug=2", "Bearer correct horse"); !strings.Contains(got.Body.String(), "goroutine") {
		t.Errorf("profile: %d %q", got.Code, got.Body)
	}
	for _, open := range []string{"/livez", "/readyz", "/startupz", "/metrics"} {
		if got := askWith(t, token, open, ""); got.Code != http.StatusOK {
			t.Errorf("%s: %d, want 200: it is open", open, got.Code)
		}
	}
}

func TestToken_FollowsItsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewToken("", file, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "PULSE_ADMIN_TOKEN_FILE: ") {
		t.Errorf("a file that is not there: %v", err)
	}
	write(" \n")
	if _, err := NewToken("", file, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an empty file was taken: everybody would have the token")
	}
	write("one\n")
	var said bytes.Buffer
	token, err := NewToken("", file, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(opens, closed string) {
		t.Helper()
		if got := askWith(t, token, "/api/dlq", "Bearer "+opens).Code; got != http.StatusOK {
			t.Errorf("%q: %d, want 200", opens, got)
		}
		if got := askWith(t, token, "/api/dlq", "Bearer "+closed).Code; got != http.StatusUnauthorized {
			t.Errorf("%q: %d, want 401", closed, got)
		}
	}
	expect("one", "two")
	write("two\n")
	expect("two", "one")
	write("\n")
	expect("two", "")
	expect("two", "one")
	if got := strings.Count(said.String(), "PULSE_ADMIN_TOKEN_FILE"); got != 1 || strings.Contains(said.String(), "two") {
		t.Errorf("log %q, want one line about the variable, without the token", said.String())
	}
	write("three")
	expect("three", "two")
}

// pipes is a listener in memory, for synctest: its connections are handed in.
type pipes struct {
	conns chan net.Conn
	end   func() // closes conns, once
}

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error {
	p.end()
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial is a client's connection to a server of these pages, in a bubble of synctest.
func dial(t *testing.T, d Deps) net.Conn {
	t.Helper()
	conns := make(chan net.Conn, 1)
	listener := pipes{conns, sync.OnceFunc(func() { close(conns) })}
	server := newServer(listener, nil, d)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.http.Serve(listener)
	}()
	client, inner := net.Pipe()
	listener.conns <- inner
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.http.Close()
		<-ended
	})
	return client
}

// Somebody who sends or reads slowly, or not at all, does not keep a connection.
func TestServer_GivesUpOnSlowClients(t *testing.T) {
	t.Parallel()
	large := guardedDeps()
	large.Pages = map[string]http.Handler{
		"/large": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }),
		"/read": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}),
	}
	for name, c := range map[string]struct {
		send  string
		limit time.Duration
	}{
		"header that does not end": {"GET /livez HTTP/1.1\r\nHost: x\r\n", headerTimeout},
		"nothing":                  {"", headerTimeout},
		"body that does not end":   {"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", readTimeout},
		"answer that is not read":  {"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", writeTimeout},
		"idle after an answer":     {"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", idleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, began := dial(t, large), time.Now()
				if _, err := io.WriteString(client, c.send); err != nil {
					t.Fatal(err)
				}
				reader := bufio.NewReader(client)
				if strings.HasPrefix(name, "answer") {
					<-time.After(writeTimeout + time.Second/2) // at the limit itself either may come first
				}
				// To the end of the connection.
				if _, err := io.Copy(io.Discard, reader); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.limit || took > c.limit+time.Second {
					t.Errorf("the connection ended after %v, want %v", took, c.limit)
				}
			})
		})
	}
}

func TestServer_BoundsWhatItTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := dial(t, guardedDeps())
		go func() {
			_, _ = io.WriteString(client, "GET /livez HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 2*maxHeaderBytes)+"\r\n\r\n")
		}()
		answer, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		_, _ = io.Copy(io.Discard, client) // until the server has ended the connection
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of %d bytes: %d, want 431", 2*maxHeaderBytes, answer.StatusCode)
		}
	})
	read := guardedDeps()
	var failure error
	read.Pages = map[string]http.Handler{"/read": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, failure = io.Copy(io.Discard, r.Body)
	})}
	for size, tooLarge := range map[int]bool{maxBodyBytes: false, maxBodyBytes + 1: true} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/read", bytes.NewReader(make([]byte, size)))
		handler(nil, read).ServeHTTP(httptest.NewRecorder(), request)
		if limit := new(http.MaxBytesError); errors.As(failure, &limit) != tooLarge {
			t.Errorf("a body of %d bytes: %v, refused should be %v", size, failure, tooLarge)
		}
	}
}
