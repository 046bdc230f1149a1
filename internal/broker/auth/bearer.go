package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/segmentio/kafka-go/sasl"
)

// bearer is SASL's OAUTHBEARER (RFC 7628), which kafka-go does not have.
type bearer struct {
	token string
	// expires is what the token says, if it is one that can be read; else zero.
	expires time.Time
}

var (
	_ sasl.Mechanism    = bearer{}
	_ sasl.StateMachine = (*bearerExchange)(nil)
)

// tokenSyntax is b64token of RFC 6750, section 2.1. Anything else could end the
// field that the token stands in.
var tokenSyntax = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

func newBearer(file []byte) (bearer, error) {
	token := bytes.TrimSpace(file)
	switch {
	case len(token) == 0:
		return bearer{}, errEmpty
	case !tokenSyntax.Match(token):
		return bearer{}, errors.New("holds no bearer token; write the token alone, without quotes or the word Bearer")
	}
	return bearer{token: string(token), expires: expiry(string(token))}, nil
}

// expiry reads a JSON Web Token's exp. It is for messages only: whether a token is
// valid is for the broker to say.
func expiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if err := json.Unmarshal(body, &claims); err != nil || claims.Exp <= 0 || claims.Exp > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Exp), 0)
}

// Name implements sasl.Mechanism.
func (bearer) Name() string { return OAuthBearer }

// Start implements sasl.Mechanism: the GS2 header without an authorization
// identity, and the token (RFC 7628, section 3.1).
func (b bearer) Start(context.Context) (machine sasl.StateMachine, initial []byte, err error) { //nolint:ireturn // kafka-go's port
	return &bearerExchange{}, []byte("n,,\x01auth=Bearer " + b.token + "\x01\x01"), nil
}

type bearerExchange struct{ failed bool }

// Next implements sasl.StateMachine. A server that refuses the token says why in
// its challenge, waits for a message of one byte, and fails then (RFC 7628, section
// 3.2.3; Apache Kafka puts the reason into the failure as well).
func (x *bearerExchange) Next(_ context.Context, challenge []byte) (done bool, response []byte, err error) {
	switch {
	case len(challenge) == 0 && !x.failed:
		return true, nil, nil
	case x.failed:
		return false, nil, errors.New("the broker goes on after it has refused the token")
	}
	x.failed = true
	return false, []byte{1}, nil
}
