package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// Standing is what a trace of a signal says about it.
type Standing string

// The standings, the one that tells most first.
const (
	StandingScored Standing = "scored"
	StandingDead   Standing = "dead"
	// StandingPending is one that failed and will be tried again.
	StandingPending   Standing = "pending"
	StandingWaiting   Standing = "waiting"
	StandingDuplicate Standing = "duplicate"
	// StandingUnknown is an input record that was done with and has left
	// nothing that is still there.
	StandingUnknown Standing = "no outcome found"
)

// Trace is a record that has to do with a signal.
type Trace struct {
	Standing  Standing  `json:"standing"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Time      time.Time `json:"time"`
	ID        string    `json:"id"`
	Source    string    `json:"source"`
	// Input is the offset of the input record that it comes from, which lies in
	// the same partition.
	Input int64 `json:"input_offset"`
	// Detail says why, for people.
	Detail string `json:"detail,omitempty"`
	// Class is that of a dead letter's error.
	Class string `json:"class,omitempty"`
}

// SearchedRange is a range of offsets that was looked through.
type SearchedRange struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
}

// Findings is the answer to a search.
type Findings struct {
	Found    bool            `json:"found"`
	Traces   []Trace         `json:"traces"`
	Searched []SearchedRange `json:"searched"`
}

// Finder looks for a signal in all topics of the service.
type Finder struct {
	// ID is what is looked for, Source narrows it: an ID belongs to a source.
	ID, Source string
	// Name, if set, is the signal's: only the partition that its key has is
	// looked through.
	Name string
	// Progress is told of offsets to read and of offsets that were read.
	Progress func(toRead, read int64)

	config config.Config
	topics broker.Topology
	look   *broker.Inspector
	decode *codec.Decoder
	parts  []searchedPartition
	found  Findings
}

// searchedPartition is what is looked through of one partition.
type searchedPartition struct {
	committed               int64
	results, letters, input SearchedRange
	tiers                   []SearchedRange
}

// NewFinder prepares a search in the topics of an environment's service.
func NewFinder(c config.Config) (*Finder, error) {
	look, err := newInspector(c)
	if err != nil {
		return nil, err
	}
	return &Finder{
		Progress: func(int64, int64) {}, config: c, topics: Topology(c), look: look,
		decode: codec.NewDecoder(codec.Settings{DefaultSource: c.DefaultSource}),
	}, nil
}

// Close ends the connections.
func (f *Finder) Close() { f.look.Close() }

// Run searches. What is committed is asked first, and the ends of results and dead
// letters after that, so that an input record below the committed offset has its
// outcome below these ends.
func (f *Finder) Run(ctx context.Context) (Findings, error) {
	n, err := f.look.Partitions(ctx, f.topics.Results, f.topics.DeadLetters)
	if err != nil {
		return Findings{}, err
	}
	committed, err := f.look.CommittedOfAll(ctx, n)
	if err != nil {
		return Findings{}, err
	}
	if err := f.plan(ctx, n, committed); err != nil {
		return Findings{}, err
	}
	for i := range f.parts {
		if err := f.partition(ctx, &f.parts[i]); err != nil {
			return Findings{}, err
		}
	}
	f.found.Found = len(f.found.Traces) > 0
	order := []Standing{StandingScored, StandingDead, StandingPending, StandingWaiting, StandingDuplicate, StandingUnknown}
	slices.SortStableFunc(f.found.Traces, func(a, b Trace) int {
		return cmp.Compare(slices.Index(order, a.Standing), slices.Index(order, b.Standing))
	})
	return f.found, nil
}

// plan notes what there is to look through.
func (f *Finder) plan(ctx context.Context, n int32, committed [][]int64) error {
	f.found = Findings{Traces: []Trace{}, Searched: []SearchedRange{}}
	for p := range n {
		if f.Name != "" && f.look.PartitionOf(f.Name, n) != p {
			continue
		}
		part := searchedPartition{committed: committed[0][p]}
		if err := f.planTiers(ctx, &part, p, committed); err != nil {
			return err
		}
		for _, r := range []struct {
			dst   *SearchedRange
			topic string
		}{{&part.results, f.topics.Results}, {&part.letters, f.topics.DeadLetters}, {&part.input, f.topics.Input}} {
			from, err := f.look.Start(ctx, r.topic, p)
			if err != nil {
				return err
			}
			to, err := f.look.End(ctx, r.topic, p)
			if err != nil {
				return err
			}
			*r.dst = SearchedRange{Topic: r.topic, Partition: p, From: from, To: to}
			f.found.Searched = append(f.found.Searched, *r.dst)
			f.Progress(max(0, to-from), 0)
		}
		f.parts = append(f.parts, part)
	}
	return nil
}

// planTiers notes what waits in the tiers: what the group has not taken out of them.
func (f *Finder) planTiers(ctx context.Context, part *searchedPartition, p int32, committed [][]int64) error {
	for i, tier := range f.topics.Retry {
		if !f.look.Has(tier.Topic) {
			continue
		}
		from, err := f.look.Start(ctx, tier.Topic, p)
		if err != nil {
			return err
		}
		to, err := f.look.End(ctx, tier.Topic, p)
		if err != nil {
			return err
		}
		r := SearchedRange{Topic: tier.Topic, Partition: p, From: max(from, committed[i+1][p]), To: to}
		if r.From >= r.To {
			continue
		}
		part.tiers = append(part.tiers, r)
		f.found.Searched = append(f.found.Searched, r)
		f.Progress(r.To-r.From, 0)
	}
	return nil
}

func (f *Finder) partition(ctx context.Context, p *searchedPartition) error {
	outcomes := len(f.found.Traces)
	if err := f.scan(ctx, p.results, f.result); err != nil {
		return err
	}
	if err := f.scan(ctx, p.letters, f.letter); err != nil {
		return err
	}
	for _, tier := range p.tiers {
		if err := f.scan(ctx, tier, f.pending); err != nil {
			return err
		}
	}
	known := f.found.Traces[outcomes:]
	return f.scan(ctx, p.input, func(r *pipeline.Record) { f.input(r, p.committed, known) })
}

func (f *Finder) scan(ctx context.Context, in SearchedRange, each func(*pipeline.Record)) error {
	return scan(ctx, f.look, broker.Scan{Topic: in.Topic, Partition: in.Partition, From: in.From, To: in.To, Each: func(r *pipeline.Record) error {
		each(r)
		return nil
	}}, f.Progress)
}

// wanted tells whether a signal is the one that is looked for.
func (f *Finder) wanted(id, source string) bool {
	return id == f.ID && (f.Source == "" || source == f.Source)
}

// add notes a trace. Texts are cloned: they belong to the record.
func (f *Finder) add(r *pipeline.Record, t Trace) {
	t.Topic, t.Partition, t.Offset, t.Time = r.Topic, r.Partition, r.Offset, time.UnixMilli(r.TimestampMs).UTC()
	t.ID, t.Source = strings.Clone(t.ID), strings.Clone(t.Source)
	f.found.Traces = append(f.found.Traces, t)
}

func (f *Finder) result(r *pipeline.Record) {
	var o codec.Origin
	if f.decode.ReadOrigin(r.Value, &o) != nil || !f.wanted(o.ID, o.Source) || o.Topic != f.topics.Input {
		return
	}
	f.add(r, Trace{
		Standing: StandingScored, ID: o.ID, Source: o.Source, Input: o.Offset,
		Detail: fmt.Sprintf("result of input offset %d", o.Offset),
	})
}

func (f *Finder) letter(r *pipeline.Record) {
	l, err := pipeline.ReadLetter(r.Headers)
	if err != nil || l.Topic != f.topics.Input || l.Group != f.config.Group {
		return
	}
	in := *r
	in.TimestampMs = l.RecordTimeMs // an ID may be derived from it
	id, source := f.identity(&in)
	if !f.wanted(id, source) {
		return
	}
	f.add(r, Trace{
		Standing: StandingDead, ID: id, Source: source, Input: l.Offset, Class: l.Class,
		Detail: fmt.Sprintf("of input offset %d, at stage %s: %s", l.Offset, l.Stage, l.Message),
	})
}

// pending notes a record that waits in a tier.
func (f *Finder) pending(r *pipeline.Record) {
	l, err := pipeline.ReadLetter(r.Headers)
	if err != nil || l.Topic != f.topics.Input {
		return
	}
	in := *r
	in.TimestampMs = l.RecordTimeMs // an ID may be derived from it
	id, source := f.identity(&in)
	if !f.wanted(id, source) {
		return
	}
	f.add(r, Trace{
		Standing: StandingPending, ID: id, Source: source, Input: l.Offset, Class: l.Class,
		Detail: fmt.Sprintf("of input offset %d, until %s; delivered %d times, failed at stage %s: %s",
			l.Offset, time.UnixMilli(l.NotBeforeMs).UTC().Format(time.RFC3339), l.Deliveries, l.Stage, l.Message),
	})
}

// identity is the ID and source of a record; of a bad one, what it says itself.
func (f *Finder) identity(r *pipeline.Record) (id, source string) {
	var sig pulse.Signal
	if f.decode.Decode(r.Value, r.Headers, pipeline.ArrivedMs(r), &sig) == nil {
		return sig.ID, sig.Source
	}
	id, source = f.decode.Claimed(r.Value, r.Headers)
	if source == "" {
		source = f.config.DefaultSource
	}
	return id, source
}

// input notes input records that are not shown by their outcome already.
func (f *Finder) input(r *pipeline.Record, committed int64, outcomes []Trace) {
	id, source := f.identity(r)
	if !f.wanted(id, source) {
		return
	}
	t := Trace{ID: id, Source: source, Input: r.Offset}
	twin := -1
	for i, o := range outcomes {
		if o.Input == r.Offset {
			return
		}
		if o.Standing == StandingScored && o.ID == id && o.Source == source {
			twin = i
		}
	}
	switch {
	case r.Offset >= committed:
		t.Standing, t.Detail = StandingWaiting, fmt.Sprintf("in the input; the group is at offset %d", max(0, committed))
	case twin >= 0:
		t.Standing = StandingDuplicate
		t.Detail = fmt.Sprintf("of input offset %d, which was scored", outcomes[twin].Input)
	default:
		t.Standing = StandingUnknown
		t.Detail = "the group is past it: retention may have deleted its result or dead letter; audit tells"
	}
	f.add(r, t)
}
