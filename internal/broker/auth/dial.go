package auth

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/segmentio/kafka-go/sasl"

	"pulse-scorer/internal/broker/wire"
)

// DialContext opens a connection that is ready for requests. ctx bounds all of it,
// handshakes included.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.deps.Dial(ctx, network, address)
	if err != nil || (!d.set.TLS && d.login == nil) {
		return conn, err
	}
	// A deadline alone would not end what a cancelled ctx has begun.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	secured, err := d.secure(ctx, conn, address)
	d.judge(err)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, cause)
		}
		return nil, err
	}
	return secured, nil
}

func (d *Dialer) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
	}
	if d.set.TLS {
		encrypted, err := d.encrypt(ctx, conn, address)
		if err != nil {
			return nil, d.tlsRefusal(address, err)
		}
		conn = encrypted
	}
	if d.login != nil {
		secured, err := d.logIn(ctx, conn, address)
		if err != nil {
			return nil, err
		}
		conn = secured
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return conn, nil
}

// encrypt does the TLS handshake. The name that the certificate must have is the one
// that was dialled, which is the one that the broker advertises.
func (d *Dialer) encrypt(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if d.trusted != nil {
		config.RootCAs = d.trusted.get()
	}
	if d.identity != nil {
		config.Certificates = []tls.Certificate{d.identity.get()}
	}
	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, err //nolint:wrapcheck // tlsRefusal says what it means
	}
	if d.login != nil {
		return encrypted, nil // the first request follows at once
	}
	var answer wire.APIVersionsResponse
	if err := roundTrip(encrypted, d.deps.ClientID, 0, &wire.APIVersionsRequest{}, &answer); err != nil {
		return nil, err
	}
	return encrypted, nil
}

// logIn authenticates the connection, and has it done again where the broker says
// that it wants that.
func (d *Dialer) logIn(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	began := d.deps.Now()
	lifetime, err := d.authenticate(ctx, conn, address)
	if err != nil || lifetime <= 0 {
		return conn, err
	}
	return &session{
		Conn: conn, now: d.deps.Now, renewAt: renewal(began, lifetime),
		renew: func(conn net.Conn) (time.Duration, error) {
			lifetime, err := d.authenticate(context.WithoutCancel(ctx), conn, address)
			d.judge(err)
			if err == nil {
				d.deps.Log.Debug("connection authenticated anew", slog.String("broker", address), slog.Duration("lifetime", lifetime))
			}
			return lifetime, err
		},
	}, nil
}

// judge says it where a broker refuses what worked before: at the start it is the
// caller's to say, later it is one failed connection of many and would not be heard.
func (d *Dialer) judge(err error) {
	refused, ok := errors.AsType[*RefusedError](err)
	switch {
	case err == nil:
		d.worked.Store(true)
	case ok && d.worked.Load():
		d.deps.Log.Error("a broker and this process do not accept each other any more; trying again until they do",
			slog.String("variable", refused.Variable), slog.Any("err", refused))
	}
}

// authenticate goes through one exchange and returns for how long it holds, 0 for
// ever.
func (d *Dialer) authenticate(ctx context.Context, conn net.Conn, address string) (time.Duration, error) {
	mechanism := d.login.get()
	var shake wire.SaslHandshakeResponse
	if err := roundTrip(conn, d.deps.ClientID, 0, &wire.SaslHandshakeRequest{Mechanism: mechanism.Name()}, &shake); err != nil {
		return 0, d.tlsRefusal(address, err)
	}
	if shake.Code != 0 {
		return 0, d.handshakeRefusal(address, &shake)
	}
	machine, message, err := mechanism.Start(ctx)
	for correlation := int32(1); err == nil; correlation++ {
		var answer wire.SaslAuthenticateResponse
		if err = roundTrip(conn, d.deps.ClientID, correlation, &wire.SaslAuthenticateRequest{Message: message}, &answer); err != nil {
			break
		}
		if answer.Code != 0 {
			return 0, d.answerRefusal(address, mechanism, &answer)
		}
		var done bool
		if done, message, err = machine.Next(ctx, answer.Message); done && err == nil {
			return answer.Lifetime, nil
		}
	}
	return 0, fmt.Errorf("authenticate to %s with %s: %w", address, mechanism.Name(), err)
}

// answerRefusal tells a refusal from a broker that could not decide.
func (d *Dialer) answerRefusal(address string, mechanism sasl.Mechanism, answer *wire.SaslAuthenticateResponse) error {
	if answer.Code == wire.SaslAuthenticationFailed {
		return d.loginRefusal(address, mechanism, answer.Reason)
	}
	return fmt.Errorf("authenticate to %s with %s: %w", address, mechanism.Name(), answer.Code)
}

// maxAnswer bounds an answer before its sender is known.
const maxAnswer = 1 << 20

// roundTrip sends a request and reads its answer, on a connection that nobody else
// uses now.
func roundTrip(conn net.Conn, clientID string, correlation int32, request wire.Request, answer wire.Response) error {
	if _, err := conn.Write(request.Append(nil, correlation, clientID)); err != nil {
		return fmt.Errorf("%v: %w", request.API(), err)
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return fmt.Errorf("%v: %w", request.API(), err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxAnswer {
		return fmt.Errorf("%v: answer of %d bytes: is this a Kafka broker's port, and does it want PULSE_TLS?: %w", request.API(), n, wire.ErrMalformed)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(conn, payload); err != nil {
		return fmt.Errorf("%v: %w", request.API(), err)
	}
	return answer.Decode(correlation, payload)
}
