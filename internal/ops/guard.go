package ops

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"sync"
)

// Token is the admin token: what opens record contents and profiles. It is the text,
// or what is in a file now, so that it can be renewed without a restart.
type Token struct {
	file string
	log  *slog.Logger

	mu     sync.Mutex // guards the rest
	sum    [sha256.Size]byte
	failed bool // the last look at the file; said once
}

// NewToken makes a Token of a text (PULSE_ADMIN_TOKEN) or of a file
// (PULSE_ADMIN_TOKEN_FILE). It is nil when both are empty: what it would open stays
// closed then.
func NewToken(text, file string, log *slog.Logger) (*Token, error) {
	t := &Token{file: file, log: log}
	switch {
	case file != "":
		token, err := readToken(file)
		if err != nil {
			return nil, fmt.Errorf("PULSE_ADMIN_TOKEN_FILE: %w", err)
		}
		t.sum = sha256.Sum256(token)
	case text != "":
		t.sum = sha256.Sum256([]byte(text))
	default:
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	return t, nil
}

func readToken(file string) ([]byte, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("file cannot be read: %w", err)
	}
	if content = bytes.TrimSpace(content); len(content) == 0 {
		return nil, errors.New("file is empty: write the token into it")
	}
	return content, nil
}

// current is the checksum of the token as of now, of the last one when the file
// cannot be used.
func (t *Token) current() [sha256.Size]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == "" {
		return t.sum
	}
	token, err := readToken(t.file)
	if err == nil {
		t.sum = sha256.Sum256(token)
	} else if !t.failed {
		t.log.Error("the admin token cannot be read; the last one stays", slog.String("variable", "PULSE_ADMIN_TOKEN_FILE"), slog.Any("err", err))
	}
	t.failed = err != nil
	return t.sum
}

// admits tells whether a request carries the token. Checksums are compared, and in
// constant time, so that neither a common beginning nor the length can be measured.
func (t *Token) admits(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum, want := sha256.Sum256([]byte(strings.TrimSpace(given))), t.current()
	same := subtle.ConstantTimeCompare(sum[:], want[:]) == 1
	return strings.EqualFold(scheme, "Bearer") && same
}

// guard closes a page to everybody without the token (RFC 6750). Without any token
// there is no such page.
func guard(token *Token, page http.Handler) http.Handler {
	if token == nil {
		return http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !token.admits(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="pulse-scorer"`)
			http.Error(w, "this page wants the bearer token of PULSE_ADMIN_TOKEN", http.StatusUnauthorized)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// profiles are the pages of net/http/pprof. That package puts them into the default
// mux as well, which nobody serves.
func profiles() map[string]http.Handler {
	return map[string]http.Handler{
		"/debug/pprof/":        http.HandlerFunc(pprof.Index),
		"/debug/pprof/cmdline": http.HandlerFunc(pprof.Cmdline),
		"/debug/pprof/profile": http.HandlerFunc(pprof.Profile),
		"/debug/pprof/symbol":  http.HandlerFunc(pprof.Symbol),
		"/debug/pprof/trace":   http.HandlerFunc(pprof.Trace),
	}
}
