//go:build integration

package secure_test

import (
	"context"
	"strings"
	"testing"
	"time"
)

// way is one way into the broker.
type way struct {
	name     string
	listener int
	user     string
	// variables are those that it takes.
	variables func(t *testing.T, l *lab) []string
	// ends: the broker ends sessions, so that connections have to be authenticated anew.
	ends bool
}

func ways() []way {
	withTLS := func(more ...string) func(*testing.T, *lab) []string {
		return func(_ *testing.T, l *lab) []string { return append(l.trusting(), more...) }
	}
	plain := func(more ...string) func(*testing.T, *lab) []string {
		return func(*testing.T, *lab) []string { return more }
	}
	return []way{
		{"TLS", tlsPort, "", withTLS(), false},
		{"mTLS", mtlsPort, "way-mtls", func(t *testing.T, l *lab) []string {
			cert, key := l.clientFiles(t, l.ca, "way-mtls")
			return append(l.trusting(), "PULSE_TLS_CERT="+cert, "PULSE_TLS_KEY="+key)
		}, false},
		{"PLAIN", saslPort, "bob", plain("PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=bob", "PULSE_SASL_PASSWORD=bob-secret"), true},
		{"PLAIN over TLS", saslTLSPort, "bob", withTLS("PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=bob", "PULSE_SASL_PASSWORD=bob-secret"), false},
		{"SCRAM-SHA-256", saslPort, "alice", plain("PULSE_SASL_MECHANISM=SCRAM-SHA-256", "PULSE_SASL_USERNAME=alice", "PULSE_SASL_PASSWORD=alice-secret"), true},
		{"SCRAM-SHA-512 over TLS, password in a file", saslTLSPort, "alice", func(t *testing.T, l *lab) []string {
			file := l.write(t, "alice", []byte("alice-secret\n"))
			return append(l.trusting(), "PULSE_SASL_MECHANISM=SCRAM-SHA-512", "PULSE_SASL_USERNAME=alice", "PULSE_SASL_PASSWORD_FILE="+file)
		}, false},
		{"OAUTHBEARER", saslPort, "way-token", func(t *testing.T, l *lab) []string {
			return []string{"PULSE_SASL_MECHANISM=OAUTHBEARER", "PULSE_SASL_TOKEN_FILE=" + l.write(t, "way-token", l.keys.token(t, "way-token", time.Hour))}
		}, true},
		// Its token lives for seconds, and is renewed as long as the test runs.
		{"OAUTHBEARER over TLS, token is renewed", saslTLSPort, "way-short", func(t *testing.T, l *lab) []string {
			return append(l.trusting(), "PULSE_SASL_MECHANISM=OAUTHBEARER", "PULSE_SASL_TOKEN_FILE="+l.renewed(t, "way-short"))
		}, true},
	}
}

// trusting are the variables of TLS with the lab's CA.
func (l *lab) trusting() []string {
	return []string{"PULSE_TLS=true", "PULSE_TLS_CA=" + l.dir + "/tls/ca.pem"}
}

// clientFiles makes a client certificate.
func (l *lab) clientFiles(t *testing.T, by *authority, name string) (cert, key string) {
	t.Helper()
	private, certificate := by.issue(t, name)
	return l.write(t, "tls/"+name+".pem", certificate), l.write(t, "tls/"+name+".key", private)
}

// shortToken is the life of a token that is renewed when a quarter of it is over.
const shortToken = 4 * time.Second

// renewed is a token file that somebody keeps fresh until the test ends.
func (l *lab) renewed(t *testing.T, user string) string {
	t.Helper()
	path := l.write(t, user, l.keys.token(t, user, shortToken))
	done := make(chan struct{})
	go func() {
		defer close(done)
		again := time.NewTicker(shortToken / 4)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				l.write(t, user, l.keys.token(t, user, shortToken))
			case <-t.Context().Done():
				return
			}
		}
	}()
	t.Cleanup(func() { <-done }) // the test's context ends before
	return path
}

// testWays goes in by each way, with produce and serve. Where the broker ends sessions,
// the service goes on over several of them without losing a connection.
func testWays(ctx context.Context, t *testing.T, l *lab) {
	l.scramUser(ctx, t, "alice", "alice-secret")
	for i, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := l.site("way-"+string(rune('a'+i)), w.listener, w.variables(t, l)...)
			if w.user != "" {
				l.grant(ctx, t, w.user, readmeACLs(t, s.name))
			}
			service := s.serve(ctx, t)
			service.await(ctx, t, 0, 1, "assigned")
			s.must(ctx, t, signals(0, 20), "produce", "-")
			s.expectScored(ctx, t, 20)
			if w.ends {
				// More than the connections that there are.
				service.await(ctx, t, 0, 6, "authenticated anew")
			}
			s.must(ctx, t, signals(20, 20), "produce", "-")
			s.expectScored(ctx, t, 40)
			for _, command := range [][]string{{"topics"}, {"lag"}, {"find", "7"}, {"audit"}, {"dlq", "list"}, {"dlq", "redrive"}} {
				s.must(ctx, t, "", command...)
			}
			service.end(ctx, t)
			written, _ := service.log.since(0)
			for line := range strings.SplitSeq(written, "\n") {
				for _, secret := range []string{"bob-secret", "alice-secret", "eyJ"} {
					if strings.Contains(line, secret) {
						t.Errorf("a secret is in the log: %s", line)
					}
				}
				for _, cut := range []string{"EOF", "reset by peer", "broken pipe"} {
					if strings.Contains(line, cut) {
						t.Errorf("a connection was cut: %s", line)
					}
				}
			}
		})
	}
}
