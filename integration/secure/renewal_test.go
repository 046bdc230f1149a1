//go:build integration

package secure_test

import (
	"context"
	"strings"
	"testing"
)

// A CA comes to its end: broker and service get certificates of another, which trust
// nothing of the old one. The service is not restarted: its files are replaced under it,
// and when the broker comes back with the new ones, its next connections use them. It has
// a broker of its own, before the others, because it takes that away.
func TestAuthority_IsReplacedUnderARunningService(t *testing.T) { //nolint:paralleltest // it has a broker to itself
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	l := newLab(ctx, t)
	ca := l.write(t, "tls/renewed-ca.pem", l.ca.pem)
	cert, key := l.clientFiles(t, l.ca, "renewed")
	s := l.site("renewed", mtlsPort, "PULSE_TLS=true", "PULSE_TLS_CA="+ca, "PULSE_TLS_CERT="+cert, "PULSE_TLS_KEY="+key)
	l.grant(ctx, t, "renewed", readmeACLs(t, s.name))
	service := s.serve(ctx, t)
	service.await(ctx, t, 0, 1, "assigned")
	s.plain().must(ctx, t, signals(0, 10), "produce", "-")
	s.expectScored(ctx, t, 10)

	next := newAuthority(t, "next-ca")
	brokerKey, brokerCertificate := next.issue(t, "broker")
	l.write(t, "tls/broker.pem", append(brokerKey, brokerCertificate...))
	l.write(t, "tls/ca.pem", next.pem)
	l.write(t, "tls/renewed-ca.pem", next.pem)
	l.clientFiles(t, next, "renewed")
	from := service.log.length()
	l.stop(ctx, t)
	l.start(ctx, t)
	service.await(ctx, t, from, 1, "file has changed; new connections use what is in it now\" variable=PULSE_TLS_CA")
	service.await(ctx, t, from, 1, "file has changed; new connections use what is in it now\" variable=PULSE_TLS_CERT")
	s.plain().must(ctx, t, signals(10, 10), "produce", "-")
	s.expectScored(ctx, t, 20)
	service.end(ctx, t)

	// Who still has the old files does not come in: it was the new ones that opened.
	oldCert, oldKey := l.clientFiles(t, l.ca, "stale")
	oldCA := l.write(t, "tls/stale-ca.pem", l.ca.pem)
	s.with("PULSE_TLS_CERT="+oldCert, "PULSE_TLS_KEY="+oldKey).expectRefused(ctx, t, "refuses the client certificate in "+oldCert)
	s.with("PULSE_TLS_CA="+oldCA).expectRefused(ctx, t, "not signed by a CA that is trusted")
}

// expectRefused runs a command that must end with one line about the broker that says why it did not come in.
func (s *site) expectRefused(ctx context.Context, t *testing.T, why string) {
	t.Helper()
	code, _, stderr := s.command(ctx, "", "topics")
	if said := complaint(stderr); code != 1 || !strings.Contains(said, "broker 127.0.0.1:") || !strings.Contains(said, why) {
		t.Errorf("exit %d, want 1 and one line that says %q\n%s", code, why, stderr)
	}
}
