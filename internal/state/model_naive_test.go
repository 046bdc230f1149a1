package state

import (
	"maps"
	"slices"

	"pulse-scorer/internal/learn"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/series"
)

// naive is the state in maps that are copied as a whole, the way nobody would
// run it and anybody can read it.
type naive struct {
	ids     map[string]naiveID
	windows map[seriesKey][]float64
	memory  map[seriesKey][]pulse.Value
	// series and sources are never changed, only replaced.
	series  map[seriesKey]*series.Series
	sources map[string]series.Source
	model   *learn.Model
	ledger  map[string]uint64
	// waiting are the IDs that wait, with content and series; "" is none.
	waiting   map[string]naiveWait
	parked    map[seriesKey][]string
	notBefore [3]int64
}

type naiveWait struct {
	content string
	series  seriesKey
}

type naiveID struct {
	content string
	status  Status
	// bornMs is the commit clock when it was last remembered.
	bornMs int64
}

func newNaive() naive {
	return naive{
		ids: map[string]naiveID{}, windows: map[seriesKey][]float64{},
		memory: map[seriesKey][]pulse.Value{}, ledger: map[string]uint64{},
		waiting: map[string]naiveWait{}, parked: map[seriesKey][]string{},
		series: map[seriesKey]*series.Series{}, sources: map[string]series.Source{}, model: new(learn.Model),
	}
}

func (n naive) clone() naive {
	c := n.cloneWithoutIDs()
	c.ids = maps.Clone(n.ids)
	return c
}

// cloneWithoutIDs is for undoing a stage, and quick: the IDs are most of it.
func (n naive) cloneWithoutIDs() naive {
	return naive{
		windows: maps.Clone(n.windows), memory: maps.Clone(n.memory), ledger: maps.Clone(n.ledger),
		waiting: maps.Clone(n.waiting), parked: maps.Clone(n.parked), notBefore: n.notBefore,
		series: maps.Clone(n.series), sources: maps.Clone(n.sources), model: n.model,
	}
}

func appendLast[T any](list []T, v T, limit int) []T {
	list = append(slices.Clone(list), v)
	return list[max(0, len(list)-limit):]
}

func (n naive) verdict(identity, content string) Verdict {
	if waits, ok := n.waiting[identity]; ok {
		return map[bool]Verdict{true: Waiting, false: Conflict}[waits.content == content]
	}
	held, ok := n.ids[identity]
	switch {
	case !ok:
		return Unseen
	case held.status == Dead:
		return Died
	case held.content != content:
		return Conflict
	}
	return Duplicate
}
