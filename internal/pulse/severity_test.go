package pulse_test

import (
	"errors"
	"fmt"
	"testing"

	"pulse-scorer/internal/pulse"
)

// What becomes of a record for each class: the table of the README.
func TestClass_SeverityOfEach(t *testing.T) {
	t.Parallel()
	for class, want := range map[pulse.Class]struct {
		severity  pulse.Severity
		retriable bool
	}{
		pulse.MalformedJSON:       {pulse.SeverityBad, false},
		pulse.InvalidField:        {pulse.SeverityBad, false},
		pulse.TooLarge:            {pulse.SeverityBad, false},
		pulse.FutureTimestamp:     {pulse.SeverityBad, false},
		pulse.IDConflict:          {pulse.SeverityBad, false},
		pulse.StagePanic:          {pulse.SeverityBad, true},
		pulse.EnricherRejected:    {pulse.SeverityBad, true},
		pulse.EnricherUnavailable: {pulse.SeverityTransient, true},
		pulse.Unknown:             {pulse.SeverityTransient, true},
		pulse.EnricherDown:        {pulse.SeveritySystemic, false},
		pulse.RetriesExhausted:    {pulse.SeverityBad, false},
		"of another release":      {pulse.SeverityTransient, false},
	} {
		if got := class.Severity(); got != want.severity || class.Retriable() != want.retriable {
			t.Errorf("%s is %v, retriable %v; want %v, %v", class, got, class.Retriable(), want.severity, want.retriable)
		}
	}
}

func TestSeverity_NamesAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	for i, want := range []string{"bad", "transient", "systemic", "fatal", "unknown"} {
		if got := pulse.Severity(i).String(); got != want {
			t.Errorf("severity %d is %s, want %s", i, got, want)
		}
	}
}

func TestClassify_WhatNobodyKnowsIsTransient(t *testing.T) {
	t.Parallel()
	down := &pulse.Bad{Class: pulse.EnricherDown, Message: "risk"}
	if got := pulse.Classify(fmt.Errorf("ask: %w", down)); got != down {
		t.Errorf("got %v, want %v", got, down)
	}
	got := pulse.Classify(errors.New("odd"))
	if got.Class != pulse.Unknown || got.Message != "odd" || got.Class.Severity() != pulse.SeverityTransient {
		t.Errorf("got %v, severity %v", got, got.Class.Severity())
	}
}
