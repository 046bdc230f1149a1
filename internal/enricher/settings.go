package enricher

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Endpoint is one external enricher.
type Endpoint struct {
	// Name is the key of its answers in a result, and the label of its metrics.
	Name string
	URL  string
	// Required: a signal is not scored without its answer.
	Required bool
	// Timeout of one call.
	Timeout time.Duration
}

// The bounds of what PULSE_ENRICHERS may say.
const (
	defaultTimeout = time.Second
	maxTimeout     = 30 * time.Second
	maxEndpoints   = 16
)

var legalName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`) //nolint:gochecknoglobals // a constant in all but syntax

// Parse reads a list of name=url?required=true&timeout=200ms, as PULSE_ENRICHERS has
// it. The parameters required and timeout are ours, and are taken off the URL; others
// stay. It joins all faults, none of which repeats a URL.
func Parse(list []string) ([]Endpoint, error) {
	var endpoints []Endpoint
	var faults []error
	seen := make(map[string]bool)
	for i, text := range list {
		e, err := parseOne(text)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("PULSE_ENRICHERS: item %d: %w", i+1, err))
		case seen[e.Name]:
			faults = append(faults, fmt.Errorf("PULSE_ENRICHERS: item %d: name %q is there twice; give each a name of its own", i+1, e.Name))
		default:
			seen[e.Name] = true
			endpoints = append(endpoints, e)
		}
	}
	if len(list) > maxEndpoints {
		faults = append(faults, fmt.Errorf("PULSE_ENRICHERS: has %d items; give at most %d", len(list), maxEndpoints))
	}
	return endpoints, errors.Join(faults...)
}

func parseOne(text string) (Endpoint, error) {
	name, address, ok := strings.Cut(text, "=")
	if !ok || !legalName.MatchString(name) {
		return Endpoint{}, errors.New("does not begin with a name of lower-case letters, digits, - and _ and '='; " +
			"write name=http://host:8080/path?required=true&timeout=200ms")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
		return Endpoint{}, fmt.Errorf("%s: what follows '=' is no http or https address with a host", name)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%s: what follows '?' cannot be read; write required=true&timeout=200ms", name)
	}
	e := Endpoint{Name: name, Timeout: defaultTimeout}
	if v, given := query["required"]; given {
		if e.Required, err = strconv.ParseBool(v[len(v)-1]); err != nil {
			return Endpoint{}, fmt.Errorf("%s: required is neither true nor false", name)
		}
	}
	if v, given := query["timeout"]; given {
		e.Timeout, err = time.ParseDuration(v[len(v)-1])
		if err != nil || e.Timeout <= 0 || e.Timeout > maxTimeout {
			return Endpoint{}, fmt.Errorf("%s: timeout is no duration over 0 and up to %v; write one like 200ms", name, maxTimeout)
		}
	}
	query.Del("required")
	query.Del("timeout")
	u.RawQuery = query.Encode()
	e.URL = u.String()
	return e, nil
}
