//go:build integration

package secure_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lab is a broker with a listener for each way in, and what opens them.
type lab struct {
	dir  string
	port int
	// admin may do everything.
	admin *kgo.Client
	ca    *authority
	keys  *issuer
}

// The listeners, as ports after the first (kafka/secure.sh).
const (
	saslPort    = 1
	saslTLSPort = 2
	tlsPort     = 3
	mtlsPort    = 4
)

// hangGuard ends a test that would never end by itself; it is no measure of speed.
const hangGuard = 5 * time.Minute

// newLab starts a broker that ends with the test.
func newLab(ctx context.Context, t *testing.T) *lab {
	t.Helper()
	l := &lab{dir: filepath.Join(t.ArtifactDir(), "kafka"), port: freePorts(t), ca: newAuthority(t, "test-ca"), keys: newIssuer(t)}
	key, certificate := l.ca.issue(t, "broker")
	l.write(t, "tls/broker.pem", append(key, certificate...))
	l.write(t, "tls/ca.pem", l.ca.pem)
	l.write(t, "jwks.json", l.keys.jwks(t))
	t.Cleanup(func() {
		var wipe []string
		if !t.Failed() {
			wipe = append(wipe, "--wipe")
		}
		l.stop(context.WithoutCancel(ctx), t, wipe...) // the test's own context has ended by now
	})
	l.start(ctx, t)
	var err error
	if l.admin, err = kgo.NewClient(kgo.SeedBrokers(l.at(0)), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))); err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(l.admin.Close)
	// make integration looks for this line: it is the proof that the test had a Kafka.
	t.Logf("real Kafka: %s, secured, from its jars", l.at(0))
	return l
}

// sessionLifetime is how long the broker takes requests of a user on the SASL listener
// without TLS: it does not take a second authentication within a second of the first.
const sessionLifetime = 2500 * time.Millisecond

func (l *lab) start(ctx context.Context, t *testing.T) {
	t.Helper()
	up := exec.CommandContext(ctx, "../kafka/secure.sh", l.dir, strconv.Itoa(l.port))
	up.Env = append(os.Environ(), fmt.Sprintf("REAUTH_MS=%d", sessionLifetime.Milliseconds()))
	// Into a file: the broker outlives the script and would keep a pipe open.
	log, err := os.Create(filepath.Join(l.dir, "up.log"))
	if err != nil {
		t.Fatalf("log of the broker's start: %v", err)
	}
	defer func() { _ = log.Close() }()
	up.Stdout, up.Stderr = log, log
	if err := up.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("start the broker: %v\n%s", err, said)
	}
}

// stop ends the broker.
func (l *lab) stop(ctx context.Context, t *testing.T, options ...string) {
	t.Helper()
	if out, err := exec.CommandContext(ctx, "../kafka/down.sh", append([]string{l.dir}, options...)...).CombinedOutput(); err != nil {
		t.Errorf("stop the broker: %v\n%s", err, out)
	}
}

// at is a listener's address.
func (l *lab) at(listener int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port+listener))
}

// write makes a file of the lab, as what renews secrets does: aside, then by one rename.
// It returns its path.
func (l *lab) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(l.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path+".new", content, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatalf("write %s: %v", name, err)
	}
	return path
}

// freePorts finds a block of ports below the kernel's ephemeral range, where a client
// that dials could get one of them, and above those of package integration.
func freePorts(t *testing.T) int {
	t.Helper()
	const first, step, last = 30200, 10, 32000
	for port := first; port < last; port += step {
		free := true
		for _, i := range []int{0, saslPort, saslTLSPort, tlsPort, mtlsPort, 100} {
			listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i))) //nolint:noctx // closed at once
			if err != nil {
				free = false
				break
			}
			_ = listener.Close()
		}
		if free {
			return port
		}
	}
	t.Fatalf("no free block of ports from %d to %d", first, last)
	return 0
}
