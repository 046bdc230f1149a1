package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/segmentio/kafka-go/sasl"

	"pulse-scorer/internal/broker/wire"
)

// RefusedError says that a broker and this process do not accept each other:
// certificate, user, password, token or mechanism. Trying again changes nothing
// until somebody changes something.
type RefusedError struct {
	Address string
	// Variable is what to look at first.
	Variable string
	// Why says who refuses what, and what to do.
	Why string

	err error
}

// Error is one line.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("broker %s: %s", e.Address, strings.Join(strings.Fields(e.Why), " "))
}

// Unwrap gives the reason where there is one.
func (e *RefusedError) Unwrap() error { return e.err }

// handshakeRefusal is about the mechanism.
func (d *Dialer) handshakeRefusal(address string, shake *wire.SaslHandshakeResponse) error {
	e := &RefusedError{Address: address, Variable: varMechanism, err: shake.Code}
	if shake.Code == wire.UnsupportedSaslMechanism {
		e.Why = fmt.Sprintf("it does not take %s, but %s: set PULSE_SASL_MECHANISM to one of these, or use another listener of it in PULSE_BROKERS",
			d.set.Mechanism, strings.Join(shake.Mechanisms, ", "))
		return e
	}
	if shake.Code == wire.IllegalSaslState {
		e.Why = "this listener takes no SASL: unset PULSE_SASL_MECHANISM, or use the port of a SASL listener in PULSE_BROKERS"
		return e
	}
	return fmt.Errorf("authenticate to %s with %s: %w", address, d.set.Mechanism, shake.Code)
}

// loginRefusal is about user, password or token.
func (d *Dialer) loginRefusal(address string, mechanism sasl.Mechanism, reason string) error {
	e := &RefusedError{Address: address, err: wire.SaslAuthenticationFailed}
	if token, ok := mechanism.(bearer); ok {
		e.Variable = varToken
		expired := ""
		if !token.expires.IsZero() && d.deps.Now().After(token.expires) {
			expired = fmt.Sprintf("; it expired at %s", token.expires.UTC().Format("2006-01-02T15:04:05Z"))
		}
		e.Why = fmt.Sprintf("it refuses the token in %s%s (%s): does what renews PULSE_SASL_TOKEN_FILE run?", d.set.TokenFile, expired, reason)
		return e
	}
	e.Variable = varPassword
	if d.set.PasswordFile != "" {
		e.Variable = varPasswordFile
	}
	e.Why = fmt.Sprintf("it refuses user %q with %s (%s): check PULSE_SASL_USERNAME and %s", d.set.Username, d.set.Mechanism, reason, e.Variable)
	return e
}

// tlsRefusal tells what a failed TLS connection means. What is not about trust stays
// what it is.
func (d *Dialer) tlsRefusal(address string, err error) error {
	e := &RefusedError{Address: address, Variable: varCA, err: err}
	var alert *net.OpError
	switch {
	case isA[x509.UnknownAuthorityError](err):
		e.Why = fmt.Sprintf("its certificate is not signed by a CA that is trusted (%v): name the file with its CA in PULSE_TLS_CA", err)
	case isA[x509.HostnameError](err):
		e.Variable = varTLS
		e.Why = fmt.Sprintf("its certificate is for another name (%v): "+
			"use a name in the certificate, in PULSE_BROKERS and in the broker's advertised.listeners", err)
	case isA[x509.CertificateInvalidError](err):
		e.Why = fmt.Sprintf("its certificate is not valid (%v): renew it, or check the clock", err)
	case isA[tls.RecordHeaderError](err):
		e.Variable = varTLS
		e.Why = "this port speaks no TLS: unset PULSE_TLS, or use the port of a TLS listener in PULSE_BROKERS"
	case errors.As(err, &alert) && alert.Op == "remote error":
		e.Variable = varCert
		if d.identity == nil {
			e.Why = fmt.Sprintf("it ends the TLS connection (%v): does it want a client certificate (PULSE_TLS_CERT, PULSE_TLS_KEY)?", alert.Err)
		} else {
			e.Why = fmt.Sprintf("it refuses the client certificate in %s (%v): is it valid, and signed by a CA that the broker trusts?",
				d.set.CertFile, alert.Err)
		}
	case d.set.TLS && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		// Also what a broker does that stops: no refusal.
		return fmt.Errorf("connect to %s: does this port speak TLS (PULSE_TLS)?: %w", address, err)
	default:
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	return e
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
