package state

import (
	"fmt"
	"slices"
	"strings"

	"pulse-scorer/internal/pulse"
)

// Ledger counts what became of a task's input since its state began. It is
// part of the state: each count commits with the record it counts.
type Ledger struct {
	// In is how many input records were taken.
	In, Scored, Duplicate uint64
	// Pending is how many of them wait, in tiers or parked; Parked, how many
	// are parked.
	Pending, Parked uint64
	// Dead is ordered by class. Nobody changes the slice of a Ledger.
	Dead []ClassCount
}

// ClassCount is the number of dead letters of one class.
type ClassCount struct {
	Class pulse.Class
	Count uint64
}

func (l *Ledger) equal(o Ledger) bool {
	return l.In == o.In && l.Scored == o.Scored && l.Duplicate == o.Duplicate && l.Pending == o.Pending && l.Parked == o.Parked && slices.Equal(l.Dead, o.Dead)
}

// addDead replaces the slice: cursors and marks share it.
func (l *Ledger) addDead(c pulse.Class) {
	i, found := slices.BinarySearchFunc(l.Dead, c, func(e ClassCount, c pulse.Class) int {
		return strings.Compare(string(e.Class), string(c))
	})
	dead := slices.Clone(l.Dead)
	if !found {
		dead = slices.Insert(dead, i, ClassCount{Class: pulse.Class(strings.Clone(string(c)))})
	}
	dead[i].Count++
	l.Dead = dead
}

// Ledger returns the counts with those of the batches not yet committed.
func (t *Task) Ledger() Ledger { return t.cur.ledger }

// CountIn counts a record that did not wait before.
func (t *Task) CountIn() { t.cur.ledger.In++ }

// CountScored counts a result.
func (t *Task) CountScored() { t.cur.ledger.Scored++ }

// CountDuplicate counts a record that was scored before.
func (t *Task) CountDuplicate() { t.cur.ledger.Duplicate++ }

// CountDead counts a dead letter.
func (t *Task) CountDead(c pulse.Class) { t.cur.ledger.addDead(c) }

// DecodeLedger reads the ledger out of a changelog record, for who looks at a
// task from outside. ok is false for records of other kinds; a tombstone is an
// empty ledger. Of several the last one counts.
func DecodeLedger(key, value []byte) (l Ledger, ok bool, err error) {
	if len(key) < 2 || key[0] != kindLedger || key[1] != '/' {
		return Ledger{}, false, nil
	}
	r := restoration{}
	k, v := &reader{rest: key[2:]}, &reader{rest: value}
	var version byte
	if value != nil {
		kind, _ := kinds(kindLedger)
		version = v.version(kind)
	}
	if err := r.restoreLedger(k, v, version, value == nil); err != nil {
		return Ledger{}, true, fmt.Errorf("ledger record: %w", err)
	}
	return r.ledger, true, nil
}
