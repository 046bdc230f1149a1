package auth

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/wire"
)

// hangGuard ends a test that would never end by itself.
const hangGuard = time.Minute

// answering is a broker that answers each request with what script says; nil closes the
// connection.
func answering(t *testing.T, script func(kmsg.Request) kmsg.Response) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answerAll(conn, script)
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func answerAll(conn net.Conn, script func(kmsg.Request) kmsg.Response) {
	reader := bufio.NewReader(conn)
	for {
		var size [4]byte
		if _, err := io.ReadFull(reader, size[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > maxAnswer {
			return // as a broker does that takes a TLS handshake for a size
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(reader, body); err != nil {
			return
		}
		request := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(body)))
		request.SetVersion(int16(binary.BigEndian.Uint16(body[2:])))
		client := int(binary.BigEndian.Uint16(body[8:]))
		if err := request.ReadFrom(body[10+client:]); err != nil {
			return
		}
		answer := script(request)
		if answer == nil {
			return
		}
		answer.SetVersion(request.GetVersion())
		payload := answer.AppendTo(bytes.Clone(body[4:8]))
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)); err != nil {
			return
		}
	}
}

func dialer(t *testing.T, set Settings, log *slog.Logger) *Dialer {
	t.Helper()
	d, err := New(set, Deps{Log: log, ClientID: "test", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// shake answers handshakes with a code, and authentications with the answers in turn.
func shake(code int16, answers ...*kmsg.SASLAuthenticateResponse) func(kmsg.Request) kmsg.Response {
	return func(r kmsg.Request) kmsg.Response {
		if _, ok := r.(*kmsg.SASLHandshakeRequest); ok {
			return &kmsg.SASLHandshakeResponse{ErrorCode: code, SupportedMechanisms: []string{"GSSAPI", "SCRAM-SHA-256"}}
		}
		if len(answers) == 0 {
			return nil
		}
		answer := answers[0]
		answers = answers[1:]
		return answer
	}
}

func TestRefusal_NamesWhatToDo(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "opaque")
	user := Settings{Mechanism: Plain, Username: "bob", Password: "hunter2"}
	refused := &kmsg.SASLAuthenticateResponse{ErrorCode: int16(wire.SaslAuthenticationFailed), ErrorMessage: new("bad\ncredentials")}
	for name, c := range map[string]struct {
		set      Settings
		script   func(kmsg.Request) kmsg.Response
		variable string
		says     string
	}{
		"password":       {user, shake(0, refused), varPassword, `refuses user "bob" with PLAIN (bad credentials)`},
		"mechanism":      {user, shake(33), varMechanism, "does not take PLAIN, but GSSAPI, SCRAM-SHA-256"},
		"no SASL":        {user, shake(34), varMechanism, "takes no SASL"},
		"token":          {Settings{Mechanism: OAuthBearer, TokenFile: token}, shake(0, &kmsg.SASLAuthenticateResponse{SASLAuthBytes: []byte("{}")}, refused), varToken, token},
		"broker is away": {user, shake(0), "", "EOF"},
		"broker fails":   {user, shake(0, &kmsg.SASLAuthenticateResponse{ErrorCode: -1}), "", "UNKNOWN_SERVER_ERROR"},
		"TLS is not spoken": {
			Settings{TLS: true}, func(kmsg.Request) kmsg.Response { return nil }, "", "PULSE_TLS",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
			defer cancel()
			_, err := dialer(t, c.set, slog.New(slog.DiscardHandler)).DialContext(ctx, "tcp", answering(t, c.script))
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("%v, want one line with %q", err, c.says)
			}
			var refusal *RefusedError
			if errors.As(err, &refusal); (refusal != nil) != (c.variable != "") || refusal != nil && refusal.Variable != c.variable {
				t.Errorf("%#v, want a refusal that names %q", refusal, c.variable)
			}
		})
	}
}

// kafka-go v0.4.51 sets no deadline for this exchange: a broker that hangs in it would
// keep a goroutine for ever.
func TestDial_ABrokerThatHangsIsLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	held := make(chan struct{})
	address := answering(t, func(kmsg.Request) kmsg.Response {
		cancel(enough)
		<-held
		return nil
	})
	t.Cleanup(func() { close(held) }) // before the broker is waited for
	_, err := dialer(t, Settings{Mechanism: Plain, Username: "u", Password: "p"}, slog.New(slog.DiscardHandler)).DialContext(ctx, "tcp", address)
	if !errors.Is(err, enough) {
		t.Errorf("%v, want the context's cause", err)
	}
}

// A refusal is the caller's to report at the start. Later it is in the log.
func TestDial_SaysARefusalAfterItHasWorked(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	refused := false
	address := answering(t, func(r kmsg.Request) kmsg.Response {
		if _, ok := r.(*kmsg.SASLHandshakeRequest); ok {
			return &kmsg.SASLHandshakeResponse{}
		}
		if refused {
			return &kmsg.SASLAuthenticateResponse{ErrorCode: 58}
		}
		return &kmsg.SASLAuthenticateResponse{}
	})
	d := dialer(t, Settings{Mechanism: Plain, Username: "u", Password: "hunter2"}, slog.New(slog.NewTextHandler(&said, nil)))
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil || said.Len() > 0 {
		t.Fatalf("%v, log %q; want neither", err, said.String())
	}
	_ = conn.Close()
	refused = true
	if _, err := d.DialContext(ctx, "tcp", address); err == nil || !strings.Contains(said.String(), varPassword) || strings.Contains(said.String(), "hunter2") {
		t.Errorf("%v, log %q; want an error, and a line that names the variable and not the password", err, said.String())
	}
}
