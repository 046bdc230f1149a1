package app

import (
	"context"
	"time"
)

// Outcomes are the committed records of a service by outcome.
type Outcomes struct {
	Scored, Duplicate, Dead int
}

// Outcomes reads metric pulse_records_total.
func (s *Service) Outcomes() Outcomes {
	var o Outcomes
	families, err := s.registry.Gather()
	if err != nil {
		return o
	}
	for _, f := range families {
		if f.GetName() != "pulse_records_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			n := int(m.GetCounter().GetValue())
			switch m.GetLabel()[0].GetValue() {
			case "scored":
				o.Scored = n
			case "duplicate":
				o.Duplicate = n
			case "dead":
				o.Dead = n
			}
		}
	}
	return o
}

// WaitReady waits until the service does its work.
func (s *Service) WaitReady(ctx context.Context) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for s.Ready() != nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
