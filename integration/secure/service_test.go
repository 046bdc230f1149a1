//go:build integration

package secure_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/cli"
)

// site is one set of topics and a group, and the environment of a program that works
// with them.
type site struct {
	*lab

	name    string
	environ []string
}

// site makes the environment of a way in.
func (l *lab) site(name string, listener int, variables ...string) *site {
	environ := []string{
		"PULSE_BROKERS=" + l.at(listener), "PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_GROUP=" + name, "PULSE_TOPIC_INPUT=" + name + ".in",
		"PULSE_TOPIC_OUTPUT=" + name + ".out", "PULSE_TOPICS_PARTITIONS=1", "PULSE_RETRY_DELAYS=1s", "PULSE_SESSION_TIMEOUT=6s",
		"PULSE_LOG_FORMAT=text", "PULSE_LOG_LEVEL=debug",
	}
	return &site{lab: l, name: name, environ: append(environ, variables...)}
}

// with is the same site for another environment.
func (s *site) with(variables ...string) *site {
	return &site{lab: s.lab, name: s.name, environ: append(slices.Clone(variables), s.environ...)} // the first of a name wins
}

// command runs one command of the program to its end.
func (s *site) command(ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = cli.Main(ctx, cli.Process{Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &err, Now: time.Now, Environ: s.environ})
	return code, out.String(), err.String()
}

// must runs one that has to end well.
func (s *site) must(ctx context.Context, t *testing.T, stdin string, args ...string) string {
	t.Helper()
	code, stdout, stderr := s.command(ctx, stdin, args...)
	if code != 0 {
		t.Fatalf("%v: exit %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// running is a service that goes on until it is stopped.
type running struct {
	site *site
	stop context.CancelFunc
	code chan int
	log  *log
}

// log is what a service has written.
type log struct {
	mu      sync.Mutex // guards the rest
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at every line
}

// Write implements io.Writer.
func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(b)
}

// since is what was written after the first n bytes.
func (l *log) since(n int) (text string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()[n:], l.changed
}

func (l *log) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Len()
}

// serve starts the service.
func (s *site) serve(ctx context.Context, t *testing.T) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	r := &running{site: s, stop: cancel, code: make(chan int, 1), log: &log{changed: make(chan struct{})}}
	go func() {
		r.code <- cli.Main(ctx, cli.Process{Args: []string{"serve"}, Stdin: strings.NewReader(""), Stdout: r.log, Stderr: r.log, Now: time.Now, Environ: s.environ})
	}()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			text, _ := r.log.since(0)
			t.Logf("log of %s:\n%s", s.name, text)
		}
	})
	return r
}

// await waits until the service has written a text n times after the first from bytes.
func (r *running) await(ctx context.Context, t *testing.T, from, n int, text string) {
	t.Helper()
	for {
		written, changed := r.log.since(from)
		if strings.Count(written, text) >= n {
			return
		}
		select {
		case <-changed:
		case code := <-r.code:
			t.Fatalf("%s: exit %d before it has said %q", r.site.name, code, text)
		case <-ctx.Done():
			t.Fatalf("%s: never said %q %d times", r.site.name, text, n)
		}
	}
}

// end stops the service, which must drain.
func (r *running) end(ctx context.Context, t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case code := <-r.code:
		if code != 0 {
			t.Errorf("%s: exit %d, want 0", r.site.name, code)
		}
	case <-ctx.Done():
		t.Errorf("%s: does not end", r.site.name)
	}
}

// signals are n of them as NDJSON, from a number on.
func signals(from, n int) string {
	var lines strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&lines, `{"id":"%d","name":"s","value":%d,"source":"test"}`+"\n", i, i)
	}
	return lines.String()
}

// expectScored waits until the results topic has that many results, each once.
func (s *site) expectScored(ctx context.Context, t *testing.T, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.at(0)), kgo.ConsumeTopics(s.name+".out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	defer client.Close()
	for seen := 0; seen < n; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s: %d results, want %d", s.name, seen, n)
		}
		if seen += fetches.NumRecords(); seen > n {
			t.Fatalf("%s: %d results, want %d", s.name, seen, n)
		}
	}
}

// makeTopics makes the site's input and what belongs to it.
func (s *site) makeTopics(ctx context.Context, t *testing.T) {
	t.Helper()
	s.plain().must(ctx, t, "", "topics", "create")
}

// plain is the site as the super user sees it.
func (s *site) plain() *site {
	kept := slices.DeleteFunc(slices.Clone(s.environ), func(v string) bool {
		return strings.HasPrefix(v, "PULSE_TLS") || strings.HasPrefix(v, "PULSE_SASL")
	})
	return &site{lab: s.lab, name: s.name, environ: append([]string{"PULSE_BROKERS=" + s.at(0)}, kept...)}
}

// scramUser gives a user a password, for both SCRAM mechanisms.
func (l *lab) scramUser(ctx context.Context, t *testing.T, user, password string) {
	t.Helper()
	for mechanism, salted := range map[int8]func(salt []byte) []byte{1: saltedSHA256(password), 2: saltedSHA512(password)} {
		one := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
		one.Name, one.Mechanism, one.Iterations, one.Salt = user, mechanism, scramIterations, []byte("salt of "+user)
		one.SaltedPassword = salted(one.Salt)
		req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest() // takes a user once
		req.Upsertions = append(req.Upsertions, one)
		res, err := req.RequestWith(ctx, l.admin)
		if err == nil {
			err = kerr.ErrorForCode(res.Results[0].ErrorCode)
		}
		if err != nil {
			t.Fatalf("password of %s: %v", user, err)
		}
	}
}
