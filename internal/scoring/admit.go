package scoring

import (
	"fmt"
	"strconv"
	"strings"

	"pulse-scorer/internal/pulse"
)

// Admit says why a signal cannot be scored at all, nil when it can: it is from
// further ahead of its record's time than MaxAheadMicros, or, where the profile
// is strict, an optional field that scoring reads has the wrong type. It belongs
// before anything of the signal enters a state. Fields are named from the signal
// on, "overlays.hope" for one, elements of lists by their index from 0.
//
// What Admit lets through, Enrich can only fail with for numbers too large
// (TestAdmit_WhatItTakesOnlySizeCanFail).
func (p *Profile) Admit(sig *pulse.Signal, nowMicros int64) *pulse.Bad {
	if bad := p.Recency.tooFarAhead(nowMicros, sig.Timestamp.Micros); bad != nil {
		return bad
	}
	if p.StrictTypes && sig.Kind == pulse.Forecasted {
		return p.admitForecast(sig.Record, sig.Context)
	}
	return nil
}

// admitForecast checks what scoring semantics, section 3, says about types, of
// all that is read. Null is a type of its own: it stands where that section says so
// and nowhere else. Neither text nor a boolean is a number.
func (p *Profile) admitForecast(record, context pulse.Value) *pulse.Bad {
	c := checker{}
	c.textOrNull(record, "trace_id")
	c.numbers(record, "overlays", overlayNames[:])
	c.allNumbers(record, "symbolic_change")
	c.number(record, "fragility", false)
	c.number(record, "arc_volatility_score", false)
	c.number(record, "retrodiction_score", true)
	c.text(record, "drift_flag")
	c.inside(record, "forecast", func(inner pulse.Value) {
		c.numbers(inner, "start_capital", p.Assets)
		c.numbers(inner, "end_capital", p.Assets)
		c.allNumbers(inner, "symbolic_change")
		c.inside(inner, "start_state", func(state pulse.Value) { c.allNumbers(state, "overlays") })
	})
	if context.Kind != pulse.Null {
		c.path = "context."
		c.inside(context, "current_state", func(state pulse.Value) { c.allNumbers(state, "overlays") })
		c.allNumbers(context, "arc_drift")
		c.regret(context)
	}
	return c.bad
}

// checker keeps the first fault it finds.
type checker struct {
	path string
	bad  *pulse.Bad
}

// optional returns a member and whether it is there and of the kind wanted. One of
// another kind is a fault.
func (c *checker) optional(of pulse.Value, name string, kind pulse.ValueKind, want string) (pulse.Value, bool) {
	v, present := of.Get(name)
	if c.bad != nil || !present {
		return v, false
	}
	if v.Kind != kind {
		c.refuse(c.path+name, want, v)
		return v, false
	}
	return v, true
}

func (c *checker) refuse(path, want string, got pulse.Value) {
	c.bad = &pulse.Bad{
		Class: pulse.InvalidField, Field: shortened(path),
		Message: fmt.Sprintf("must be %s, is %s", want, kindName(got.Kind)),
	}
}

// maxPath is as long as a path gets: names in it are the sender's.
const maxPath = 120

func shortened(path string) string {
	if len(path) <= maxPath {
		return path
	}
	return strings.ToValidUTF8(path[:maxPath], "") + "..."
}

func (c *checker) number(of pulse.Value, name string, orNull bool) {
	if v, present := of.Get(name); present && orNull && v.Kind == pulse.Null {
		return
	}
	c.optional(of, name, pulse.Number, "a number")
}

func (c *checker) text(of pulse.Value, name string) { c.optional(of, name, pulse.String, "a string") }

func (c *checker) textOrNull(of pulse.Value, name string) {
	if v, present := of.Get(name); present && v.Kind != pulse.Null {
		c.text(of, name)
	}
}

// inside checks the members of an object.
func (c *checker) inside(of pulse.Value, name string, check func(inner pulse.Value)) {
	inner, ok := c.optional(of, name, pulse.Object, "an object")
	if !ok {
		return
	}
	outer := c.path
	c.path += name + "."
	check(inner)
	c.path = outer
}

// numbers checks an object of which the members named are read.
func (c *checker) numbers(of pulse.Value, name string, members []string) {
	c.inside(of, name, func(inner pulse.Value) {
		for _, member := range members {
			c.number(inner, member, false)
		}
	})
}

// allNumbers checks an object of which every member is read.
func (c *checker) allNumbers(of pulse.Value, name string) {
	c.inside(of, name, func(inner pulse.Value) {
		for _, m := range inner.Members {
			if m.Value.Kind != pulse.Number && c.bad == nil {
				c.refuse(c.path+m.Name, "a number", m.Value)
			}
		}
	})
}

// regret checks the list of what was regretted.
func (c *checker) regret(context pulse.Value) {
	log, ok := c.optional(context, "regret", pulse.List, "a list")
	if !ok {
		return
	}
	for i, entry := range log.List {
		path := c.path + "regret." + strconv.Itoa(i)
		if entry.Kind != pulse.Object {
			c.refuse(path, "an object", entry)
			return
		}
		if id, _ := entry.Get("trace_id"); id.Kind != pulse.String && id.Kind != pulse.Null {
			c.refuse(path+".trace_id", "a string", id)
			return
		}
	}
}
