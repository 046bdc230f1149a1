package enricher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sony/gobreaker/v2"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

const (
	// maxAnswer is the largest answer that is taken, in bytes.
	maxAnswer = 64 << 10
	// breakerFailures in a row open a breaker, if nobody has had an answer for
	// breakerSilence: far more than random failures of one in ten give, and less than
	// one batch. Signals that an enricher fails for come in a row, too, where their
	// series does or where their retries are due at once; between them others are
	// answered.
	breakerFailures = 10
	breakerSilence  = time.Second
	// breakerPause is how long an open breaker waits before one call is let through.
	breakerPause = time.Second
)

// client calls one enricher.
type client struct {
	endpoint Endpoint
	http     *http.Client
	token    func() (string, error)
	now      func() time.Time
	breaker  *gobreaker.CircuitBreaker[[]byte]
	metrics  *metrics
	log      *slog.Logger
	// tokenless: the token could not be read when it was last asked for.
	tokenless atomic.Bool
	// heard is when it last did its work, in ns since 1970; 0 is never.
	heard atomic.Int64
}

func newClient(e Endpoint, d Deps, transport http.RoundTripper, token func() (string, error), m *metrics) *client {
	c := &client{
		endpoint: e, token: token, now: d.Now, metrics: m, log: d.Log,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.breaker = gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
		Name: e.Name, MaxRequests: 1, Timeout: breakerPause,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return counts.ConsecutiveFailures >= breakerFailures && c.now().Sub(c.heardAt()) >= breakerSilence
		},
		IsSuccessful: func(err error) bool { return err == nil || !serviceFailed(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			d.stateChanged(e, from, to)
		},
	})
	return c
}

func (c *client) heardAt() time.Time { return time.Unix(0, c.heard.Load()) }

// down tells whether there is no token, or the breaker lets no calls through, or one
// only.
func (c *client) down() bool {
	_, err := c.bearer()
	return err != nil || c.breaker.State() != gobreaker.StateClosed
}

// bearer is the token to call with. That there is none is no signal's fault, and needs
// no call to be known: the enricher is down then, whatever its breaker has counted.
func (c *client) bearer() (string, error) {
	token, err := c.token()
	switch missing := err != nil; {
	case c.tokenless.Swap(missing) == missing:
	case missing:
		c.log.Error("the token of an external enricher cannot be read: the enricher is down until the file PULSE_ENRICHER_TOKEN_FILE holds one",
			slog.String("enricher", c.endpoint.Name), slog.Bool("required", c.endpoint.Required), slog.Any("err", err))
	default:
		c.log.Info("the token of an external enricher can be read again", slog.String("enricher", c.endpoint.Name))
	}
	return token, err
}

// failure is why a call gave nothing.
type failure struct {
	*pulse.Bad

	// service: it is the service that failed, and not what it was sent.
	service bool
}

// Unwrap gives the class.
func (f *failure) Unwrap() error { return f.Bad }

func serviceFailed(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.service
}

func (c *client) unavailable(message string, service bool) *failure {
	return &failure{&pulse.Bad{Class: pulse.EnricherUnavailable, Message: c.endpoint.Name + ": " + message}, service}
}

func (c *client) rejected(message string) *failure {
	return &failure{&pulse.Bad{Class: pulse.EnricherRejected, Message: c.endpoint.Name + ": " + message}, false}
}

// ask calls unless there is no token or the breaker is open. The answer is a JSON
// object, empty when there is nothing to add.
func (c *client) ask(ctx context.Context, q *pipeline.Inquiry, encoded []byte) ([]byte, error) {
	token, err := c.bearer()
	if err != nil {
		return nil, c.outage(time.Time{})
	}
	object, err := c.breaker.Execute(func() ([]byte, error) {
		start := c.now()
		object, err := c.call(ctx, q, token, encoded)
		end := c.now()
		c.metrics.duration.WithLabelValues(c.endpoint.Name).Observe(end.Sub(start).Seconds())
		if err == nil || !serviceFailed(err) && !errors.Is(err, context.Canceled) {
			c.heard.Store(end.UnixNano())
		}
		return object, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return nil, c.outage(time.Time{})
	}
	return object, err //nolint:wrapcheck // it is our own, from call
}

func (c *client) call(parent context.Context, q *pipeline.Inquiry, token string, encoded []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(parent, c.endpoint.Timeout)
	defer cancel()
	req, err := c.newRequest(ctx, q, token, encoded)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.noAnswer(parent, ctx)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, c.noAnswer(parent, ctx)
	}
	return c.judge(res, content)
}

// noAnswer tells a time-out from a connection that failed, and from the end of the
// batch, which is nobody's fault.
func (c *client) noAnswer(parent, ctx context.Context) error {
	switch {
	case parent.Err() != nil:
		return context.Canceled
	case ctx.Err() != nil:
		return c.unavailable("no answer within "+c.endpoint.Timeout.String(), true)
	default:
		return c.unavailable("the connection failed", true)
	}
}

func (c *client) judge(res *http.Response, content []byte) ([]byte, error) {
	status := res.StatusCode
	switch {
	case status == http.StatusNoContent:
		return nil, nil
	case status == http.StatusOK:
		return c.object(content)
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		f := c.unavailable("answered with status "+strconv.Itoa(status), status != http.StatusTooManyRequests)
		f.RetryAfter = retryAfter(res.Header.Get("Retry-After"), c.now())
		return nil, f
	default:
		return nil, c.rejected("answered with status " + strconv.Itoa(status))
	}
}

func (c *client) object(content []byte) ([]byte, error) {
	if len(content) > maxAnswer {
		return nil, c.rejected("the answer is larger than " + strconv.Itoa(maxAnswer) + " bytes")
	}
	content = bytes.TrimSpace(content)
	var compact bytes.Buffer
	// Compact takes strings of any bytes, and the object goes into the result as it is.
	if len(content) == 0 || content[0] != '{' || !utf8.Valid(content) || json.Compact(&compact, content) != nil {
		return nil, c.rejected("the answer is not a JSON object")
	}
	return compact.Bytes(), nil
}

// maxRetryAfter bounds what a service may ask for. Not-before times of a tier never go
// back, so all that comes into the tier later waits as long as this one record.
const maxRetryAfter = time.Hour

// retryAfter reads the header in both its forms, seconds and date (RFC 9110, section
// 10.2.3); 0 when it does not say.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(0, seconds), int64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), maxRetryAfter)
	}
	return 0
}
