package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the server. Everything it serves is small and from memory.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 10 * time.Second
	writeTimeout    = 30 * time.Second // a large scrape over a slow line
	idleTimeout     = 2 * time.Minute  // above the usual scrape interval of 1 min
	shutdownTimeout = 2 * time.Second
	maxHeaderBytes  = 16 << 10
	maxScrapes      = 4
	maxBodyBytes    = 64 << 10 // of requests: none has more than a few words
)

// Status gives what /status shows.
type Status interface {
	// Status returns a value to encode as JSON. It is called concurrently
	// and must not wait.
	Status() any
}

// Settings of the HTTP server.
type Settings struct {
	// Addr is host:port, port 0 for any free one (PULSE_HTTP_ADDR).
	Addr string
	// Token opens the guarded pages; without one they are not there.
	Token *Token
}

// Deps are what the server asks. All but the pages are required.
type Deps struct {
	Gatherer prometheus.Gatherer
	Probe    Probe
	Status   Status
	Logger   *slog.Logger
	// Pages are further handlers by their http.ServeMux pattern.
	Pages map[string]http.Handler
	// Guarded are those that want the token: everything that shows what is in
	// records, or changes something. The profiles are among them.
	Guarded map[string]http.Handler
}

func (d Deps) validate() error {
	if d.Gatherer == nil || d.Probe == nil || d.Status == nil || d.Logger == nil {
		return errors.New("HTTP server: gatherer, probe, status and logger are required")
	}
	return nil
}

// Server serves metrics, probes and status.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Listen binds the port. Call Serve, or Close if that will not happen.
func Listen(ctx context.Context, settings Settings, deps Deps) (*Server, error) {
	if err := deps.validate(); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", settings.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("PULSE_HTTP_ADDR: port of %s is in use; stop what uses it, or choose another, like :9101: %w", settings.Addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("PULSE_HTTP_ADDR: cannot listen on %s; write host:port of this machine, like :9100: %w", settings.Addr, err)
	}
	return newServer(listener, settings.Token, deps), nil
}

// newServer sets its bounds (TestServer_GivesUpOnSlowClients, TestServer_BoundsWhatItTakes).
func newServer(listener net.Listener, token *Token, deps Deps) *Server {
	return &Server{listener: listener, http: &http.Server{
		Handler:           handler(token, deps),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(deps.Logger.Handler(), slog.LevelDebug),
	}}
}

// Addr is the address that is bound, with the real port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close gives the port free without serving.
func (s *Server) Close() error {
	// The http.Server knows the listener only once it serves.
	if err := errors.Join(s.http.Close(), s.listener.Close()); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close HTTP: %w", err)
	}
	return nil
}

// Serve answers until ctx is done, then lets open requests finish, and returns
// nil. Any other end is an error.
func (s *Server) Serve(ctx context.Context) error {
	stopped := make(chan error, 1)
	forget := context.AfterFunc(ctx, func() { stopped <- s.shutdown(ctx) })
	err := s.http.Serve(s.listener)
	if forget() {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return <-stopped
}

// shutdown cuts what has not finished in time: a drain must not hang on a
// slow reader.
func (s *Server) shutdown(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(bounded)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if err != nil {
		return fmt.Errorf("stop HTTP: %w", err)
	}
	return nil
}

// handler is all that the server serves.
func handler(token *Token, deps Deps) http.Handler {
	return secure(http.MaxBytesHandler(routes(token, deps), maxBodyBytes))
}

func routes(token *Token, deps Deps) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/livez", probeHandler(deps.Probe.Live))
	mux.Handle("/readyz", probeHandler(deps.Probe.Ready))
	mux.Handle("/startupz", probeHandler(deps.Probe.Started))
	mux.Handle("GET /status", statusHandler(deps))
	mux.Handle("GET /metrics", promhttp.HandlerFor(deps.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(deps.Logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
	}))
	for pattern, page := range deps.Pages {
		mux.Handle(pattern, page)
	}
	for _, pages := range []map[string]http.Handler{profiles(), deps.Guarded} {
		for pattern, page := range pages {
			mux.Handle(pattern, guard(token, page))
		}
	}
	return mux
}

func statusHandler(deps Deps) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.MarshalIndent(deps.Status.Status(), "", "  ")
		if err != nil {
			deps.Logger.Error("encode status", slog.Any("err", err))
			http.Error(w, "status cannot be encoded; see the log", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// The reader may be gone; there is nobody to tell.
		_, _ = w.Write(append(body, '\n'))
	}
}

// secure sets the headers that the contract wants on every page. A page that
// needs more than the policy allows sets its own.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
