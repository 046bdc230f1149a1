//go:build integration

package secure_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"pulse-scorer/internal/broker/auth"
)

// testWrongCredentials: each ends the start with one line that says what to look at.
func testWrongCredentials(ctx context.Context, t *testing.T, l *lab) {
	l.scramUser(ctx, t, "carol", "carol-secret")
	other := newAuthority(t, "other-ca")
	otherCA := l.write(t, "tls/other-ca.pem", other.pem)
	otherCert, otherKey := l.clientFiles(t, other, "mallory")
	scram := []string{"PULSE_SASL_MECHANISM=SCRAM-SHA-512", "PULSE_SASL_USERNAME=carol"}
	token := func(name string, content []byte) []string {
		return []string{"PULSE_SASL_MECHANISM=OAUTHBEARER", "PULSE_SASL_TOKEN_FILE=" + l.write(t, name, content)}
	}
	for _, c := range []struct {
		name      string
		listener  int
		variables []string
		says      []string
	}{
		{"SCRAM password", saslPort, append(scram, "PULSE_SASL_PASSWORD=wrong"), []string{`refuses user "carol" with SCRAM-SHA-512`, "PULSE_SASL_PASSWORD"}},
		{"SCRAM password in a file", saslPort, append(scram, "PULSE_SASL_PASSWORD_FILE="+l.write(t, "wrong", []byte("wrong"))), []string{"PULSE_SASL_PASSWORD_FILE"}},
		{"SCRAM user", saslPort, []string{"PULSE_SASL_MECHANISM=SCRAM-SHA-256", "PULSE_SASL_USERNAME=nobody", "PULSE_SASL_PASSWORD=x"}, []string{`"nobody"`}},
		{"PLAIN password", saslPort, []string{"PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=bob", "PULSE_SASL_PASSWORD=wrong"}, []string{`refuses user "bob" with PLAIN`}},
		{"expired token", saslPort, token("expired", l.keys.token(t, "bob", -time.Hour)), []string{"PULSE_SASL_TOKEN_FILE", "it expired at"}},
		{"token of another issuer", saslPort, token("forged", newIssuer(t).token(t, "bob", time.Hour)), []string{"PULSE_SASL_TOKEN_FILE"}},
		{"no SASL here", 0, append(scram, "PULSE_SASL_PASSWORD=carol-secret"), []string{"takes no SASL", "PULSE_SASL_MECHANISM"}},
		{"CA", tlsPort, []string{"PULSE_TLS=true", "PULSE_TLS_CA=" + otherCA}, []string{"not signed by a CA that is trusted", "PULSE_TLS_CA"}},
		{"no client certificate", mtlsPort, l.trusting(), []string{"PULSE_TLS_CERT"}},
		{"client certificate of another CA", mtlsPort, append(l.trusting(), "PULSE_TLS_CERT="+otherCert, "PULSE_TLS_KEY="+otherKey), []string{"refuses the client certificate"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bounded, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			s := l.site("wrong", c.listener, c.variables...)
			for _, command := range []string{"serve", "lag"} {
				code, _, stderr := s.command(bounded, "", command)
				said := complaint(stderr)
				if code != 1 || !strings.Contains(said, "broker 127.0.0.1:") {
					t.Errorf("%s: exit %d, want 1 and one line about the broker\n%s", command, code, stderr)
				}
				for _, want := range c.says {
					if !strings.Contains(said, want) {
						t.Errorf("%s: %q, want %q in it", command, said, want)
					}
				}
				t.Log(said)
			}
		})
	}
}

// testHostname: the certificate is for the address 127.0.0.1 alone.
func testHostname(ctx context.Context, t *testing.T, l *lab) {
	s := l.site("hostname", tlsPort, l.trusting()...)
	s = s.with("PULSE_BROKERS=" + strings.Replace(l.at(tlsPort), "127.0.0.1", "localhost", 1))
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	code, _, stderr := s.command(bounded, "", "topics")
	if said := complaint(stderr); code != 1 || !strings.Contains(said, "certificate is for another name") {
		t.Errorf("exit %d, want 1 and a line about the name\n%s", code, stderr)
	}
}

// testRotation: the password is renewed at the broker first, then in the file. What is
// refused meanwhile stops nothing, is one line in the log, and after a while makes the
// service not ready. A file that is broken is another line, and changes nothing.
func testRotation(ctx context.Context, t *testing.T, l *lab) {
	l.scramUser(ctx, t, "dave", "old-secret")
	file := l.write(t, "dave", []byte("old-secret\n"))
	s := l.site("rotation", saslPort, "PULSE_SASL_MECHANISM=SCRAM-SHA-256", "PULSE_SASL_USERNAME=dave", "PULSE_SASL_PASSWORD_FILE="+file)
	l.grant(ctx, t, "dave", readmeACLs(t, s.name))
	service := s.serve(ctx, t)
	service.await(ctx, t, 0, 1, "assigned")
	s.plain().must(ctx, t, signals(0, 10), "produce", "-")
	s.expectScored(ctx, t, 10)

	l.scramUser(ctx, t, "dave", "new-secret")
	service.await(ctx, t, 0, 1, "do not accept each other any more")
	service.awaitReady(ctx, t, http.StatusServiceUnavailable)
	from := service.log.length()
	l.write(t, "dave", []byte("new-secret\n"))
	service.await(ctx, t, from, 1, "file has changed")
	s.plain().must(ctx, t, signals(10, 10), "produce", "-")
	s.expectScored(ctx, t, 20)
	service.awaitReady(ctx, t, http.StatusOK)

	from = service.log.length()
	l.write(t, "dave", []byte("\n"))
	service.await(ctx, t, from, 1, "a new file cannot be used")
	service.await(ctx, t, from, 4, "authenticated anew")
	s.plain().must(ctx, t, signals(20, 10), "produce", "-")
	s.expectScored(ctx, t, 30)
	service.end(ctx, t)
	if written, _ := service.log.since(0); strings.Contains(written, "-secret") {
		t.Error("a password is in the log")
	}
}

// testCertificateRotation: new connections use new files, broken ones are passed over.
func testCertificateRotation(ctx context.Context, t *testing.T, l *lab) {
	cert, key := l.clientFiles(t, l.ca, "erin")
	var said strings.Builder
	dialer, err := auth.New(auth.Settings{TLS: true, CAFile: l.dir + "/tls/ca.pem", CertFile: cert, KeyFile: key},
		auth.Deps{Log: slog.New(slog.NewTextHandler(&said, nil)), ClientID: "test", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	dial := func() error {
		conn, err := dialer.DialContext(ctx, "tcp", l.at(mtlsPort))
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	l.write(t, "tls/erin.pem", []byte("no certificate"))
	if err := dial(); err != nil || !strings.Contains(said.String(), "PULSE_TLS_CERT") {
		t.Errorf("with a broken file: %v, and %q; want the old certificate and a line about PULSE_TLS_CERT", err, said.String())
	}
	l.clientFiles(t, newAuthority(t, "other-ca"), "erin")
	refused := new(auth.RefusedError)
	if err := dial(); !errors.As(err, &refused) || refused.Variable != "PULSE_TLS_CERT" {
		t.Errorf("with the certificate of another CA: %v, want a refusal that names PULSE_TLS_CERT", err)
	}
	l.clientFiles(t, l.ca, "erin")
	if err := dial(); err != nil {
		t.Errorf("with a good one again: %v", err)
	}
}
