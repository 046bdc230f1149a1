package app

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/enricher"
)

// Load is config.Load with what only other packages can say about the values, so that a
// command reports it beside all other faults.
func Load(environ []string, need config.Need) (config.Config, error) {
	return config.Load(environ, need, enricherFaults)
}

// enricherFaults is a config.Check.
func enricherFaults(c config.Config, faulty func(variables ...string) bool) (faults []config.Fault) {
	const variable = "PULSE_ENRICHERS"
	endpoints, err := enricher.Parse(c.Enrichers)
	if !faulty("PULSE_STALL_TIMEOUT") {
		err = errors.Join(err, checkTimeouts(endpoints, c.StallTimeout))
	}
	if err == nil {
		return nil
	}
	for _, one := range flat(err) {
		faults = append(faults, config.Fault{Variable: variable, Message: strings.TrimPrefix(one.Error(), variable+": ")})
	}
	return faults
}

// newEnrichers makes the external enrichers of an environment, nil when it has none.
func newEnrichers(c config.Config, d Deps, registry prometheus.Registerer) (*enricher.Enrichers, error) {
	endpoints, err := enricher.Parse(c.Enrichers)
	if err := errors.Join(err, checkTimeouts(endpoints, c.StallTimeout)); err != nil {
		return nil, faultsOf(err)
	}
	if len(endpoints) == 0 {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	return enricher.New(
		enricher.Settings{Endpoints: endpoints, Concurrency: c.EnricherConcurrency, TokenFile: c.EnricherTokenFile},
		enricher.Deps{Log: d.Log, Registry: registry, Now: d.Now}), nil
}

// checkTimeouts joins a fault for each enricher that could keep a task from progress for
// the stall time-out by not answering: until its outage is known, a batch waits for a
// call and may wait for one more. Tasks would be given up for an outage.
func checkTimeouts(endpoints []enricher.Endpoint, stall time.Duration) error {
	var faults []error
	for _, e := range endpoints {
		if 2*e.Timeout >= stall {
			faults = append(faults, fmt.Errorf("PULSE_ENRICHERS: %s: timeout %v is not under half of PULSE_STALL_TIMEOUT (%v); lower it, or raise that",
				e.Name, e.Timeout, stall))
		}
	}
	return errors.Join(faults...)
}

// faultsOf makes configuration faults of joined errors that begin with the variable
// which sets the value.
func faultsOf(err error) error {
	f := &config.Error{}
	for _, one := range flat(err) {
		variable, message, ok := strings.Cut(one.Error(), ": ")
		if !ok || !strings.HasPrefix(variable, "PULSE_") {
			return err
		}
		f.Faults = append(f.Faults, config.Fault{Variable: variable, Message: message})
	}
	return f
}

func flat(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		if one != nil {
			all = append(all, flat(one)...)
		}
	}
	return all
}
