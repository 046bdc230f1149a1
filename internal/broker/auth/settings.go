package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// The mechanisms, as Kafka names them.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// The variables that settings come from.
const (
	varTLS          = "PULSE_TLS"
	varCA           = "PULSE_TLS_CA"
	varCert         = "PULSE_TLS_CERT"
	varMechanism    = "PULSE_SASL_MECHANISM"
	varPassword     = "PULSE_SASL_PASSWORD"      //nolint:gosec // a name
	varPasswordFile = "PULSE_SASL_PASSWORD_FILE" //nolint:gosec // a name
	varToken        = "PULSE_SASL_TOKEN_FILE"    //nolint:gosec // a name
)

// Settings say how connections are secured. The zero value does nothing.
type Settings struct {
	TLS bool
	// CAFile has the certificates to trust, in PEM; empty for the system's.
	CAFile string
	// CertFile and KeyFile are the client's, in PEM; both or none.
	CertFile, KeyFile string

	// Mechanism is one of the constants; empty for none.
	Mechanism string
	Username  string
	// Password, or the file that has it.
	Password, PasswordFile string
	// TokenFile is for OAUTHBEARER.
	TokenFile string
}

// Deps are what a Dialer uses and does not own.
type Deps struct {
	Log *slog.Logger
	// ClientID is told to the brokers.
	ClientID string
	// Now is the clock that session lifetimes are measured with.
	Now func() time.Time
	// Dial opens the plain connection; nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Dialer opens secured connections. It is safe for concurrent use.
type Dialer struct {
	set  Settings
	deps Deps

	trusted  *source[*x509.CertPool]  // nil: the system's
	identity *source[tls.Certificate] // nil: none
	login    *source[sasl.Mechanism]  // nil: no SASL

	worked atomic.Bool // a connection was made
}

// New reads the files and makes a Dialer. The error joins all that is wrong, each
// with its variable.
func New(set Settings, deps Deps) (*Dialer, error) {
	if deps.Dial == nil {
		deps.Dial = new(net.Dialer).DialContext
	}
	d := &Dialer{set: set, deps: deps}
	var caErr, certErr, loginErr error
	if set.TLS && set.CAFile != "" {
		d.trusted, caErr = newSource(varCA, deps.Log, parseCA, set.CAFile)
	}
	if set.TLS && set.CertFile != "" {
		d.identity, certErr = newSource(varCert, deps.Log, parseKeyPair, set.CertFile, set.KeyFile)
	}
	if set.Mechanism != "" {
		d.login, loginErr = newLogin(set, deps.Log)
	}
	return d, errors.Join(caErr, certErr, loginErr)
}

func parseCA(files [][]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(files[0]) {
		return nil, errors.New("holds no certificate in PEM; write one that begins with -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}

func parseKeyPair(files [][]byte) (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("is no pair with PULSE_TLS_KEY: %w", err)
	}
	return pair, nil
}

// newLogin makes what a mechanism needs, from its file if it has one.
func newLogin(set Settings, log *slog.Logger) (*source[sasl.Mechanism], error) {
	if set.Mechanism == OAuthBearer {
		return newSource(varToken, log, func(files [][]byte) (sasl.Mechanism, error) { return newBearer(files[0]) }, set.TokenFile)
	}
	if set.PasswordFile == "" {
		return newSource(varPassword, log, func([][]byte) (sasl.Mechanism, error) { return withPassword(set, set.Password) })
	}
	return newSource(varPasswordFile, log, func(files [][]byte) (sasl.Mechanism, error) {
		password := strings.TrimRight(string(files[0]), "\r\n") // editors and echo end with one
		if password == "" {
			return nil, errEmpty
		}
		return withPassword(set, password)
	}, set.PasswordFile)
}

var errEmpty = errors.New("is empty")

func withPassword(set Settings, password string) (sasl.Mechanism, error) { //nolint:ireturn // kafka-go's port
	algorithm := scram.SHA512
	switch set.Mechanism {
	case Plain:
		if strings.ContainsRune(set.Username+password, 0) {
			return nil, errors.New("user or password holds a NUL, which PLAIN has no place for")
		}
		return plain.Mechanism{Username: set.Username, Password: password}, nil
	case ScramSHA256:
		algorithm = scram.SHA256
	case ScramSHA512:
	default:
		return nil, fmt.Errorf("mechanism %q is not known", set.Mechanism)
	}
	m, err := scram.Mechanism(algorithm, set.Username, password)
	if err != nil {
		// The error of the library would quote what it refuses.
		return nil, errors.New("user or password holds characters that SCRAM does not allow (RFC 4013)")
	}
	return m, nil
}
