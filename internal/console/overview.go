package console

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
)

// overview is the answer of /api/overview. schemas/overview.v1.json describes it
// (TestOverview_IsAsItsSchemaSays).
type overview struct {
	Schema      string          `json:"schema"`
	Now         time.Time       `json:"now"`
	Service     serviceView     `json:"service"`
	Throughput  throughputView  `json:"throughput"`
	Lag         lagView         `json:"lag"`
	History     historyView     `json:"history"`
	Tasks       []taskView      `json:"tasks"`
	Owners      ownersView      `json:"owners"`
	Tiers       []tierView      `json:"tiers"`
	Parked      int64           `json:"parked"`
	Scores      []scoreView     `json:"scores"`
	Anomalies   anomaliesView   `json:"anomalies"`
	Results     []resultView    `json:"results"`
	DeadLetters deadLettersView `json:"dead_letters"`
}

const overviewSchema = "pulse.overview/1"

type serviceView struct {
	Version       string     `json:"version"`
	Group         string     `json:"group"`
	Instance      string     `json:"instance,omitempty"`
	Profile       string     `json:"profile"`
	InputTopic    string     `json:"input_topic"`
	Environment   string     `json:"environment"`
	Brokers       string     `json:"brokers"`
	UptimeSeconds float64    `json:"uptime_seconds"`
	Ready         bool       `json:"ready"`
	Live          bool       `json:"live"`
	Hold          string     `json:"hold,omitempty"`
	Stalled       []int32    `json:"stalled,omitempty"`
	EnrichersDown []string   `json:"enrichers_down,omitempty"`
	Readiness     []Check    `json:"readiness"`
	Checks        []Check    `json:"checks"`
	CheckedAt     *time.Time `json:"checked_at"`
	Restores      []Restore  `json:"restores"`
	// Contents: there is a token that opens them.
	Contents bool `json:"contents"`
}

type throughputView struct {
	PerSecond float64 `json:"records_per_second"`
	Records   int64   `json:"records"`
	Scored    int64   `json:"scored"`
	Duplicate int64   `json:"duplicate"`
	Retried   int64   `json:"retried"`
	Dead      int64   `json:"dead"`
}

type lagView struct {
	Records int64   `json:"records"`
	Seconds float64 `json:"seconds"`
	// Partition is the one that is behind the longest, -1 when none is.
	Partition int32 `json:"partition"`
}

type historyView struct {
	IntervalSeconds float64    `json:"interval_seconds"`
	At              []int64    `json:"at_ms"`
	Scored          []measured `json:"scored_per_second"`
	Duplicate       []measured `json:"duplicate_per_second"`
	Retried         []measured `json:"retried_per_second"`
	Dead            []measured `json:"dead_per_second"`
	LagRecords      []measured `json:"lag_records"`
	LagSeconds      []measured `json:"lag_seconds"`
	P50             []measured `json:"end_to_end_p50_seconds"`
	P99             []measured `json:"end_to_end_p99_seconds"`
}

// taskView is one partition. Those of others have nothing but an owner.
type taskView struct {
	Partition     int32      `json:"partition"`
	Here          bool       `json:"here"`
	Owner         string     `json:"owner,omitempty"`
	Phase         string     `json:"phase,omitempty"`
	Held          bool       `json:"held,omitempty"`
	Committed     int64      `json:"committed"`
	End           int64      `json:"end"`
	Lag           int64      `json:"lag"`
	LagSeconds    float64    `json:"lag_seconds"`
	Waiting       int64      `json:"waiting"`
	NextNotBefore *time.Time `json:"next_not_before"`
}

// ownersView says how good the owners are.
type ownersView struct {
	AsOf    *time.Time `json:"as_of"`
	Members int        `json:"members"`
	Error   string     `json:"error,omitempty"`
}

type tierView struct {
	Tier          int        `json:"tier"`
	DelaySeconds  float64    `json:"delay_seconds"`
	Waiting       int64      `json:"waiting"`
	NextNotBefore *time.Time `json:"next_not_before"`
}

type scoreView struct {
	Name   string   `json:"name"`
	Counts []uint64 `json:"counts"`
}

type anomaliesView struct {
	Flagged uint64 `json:"flagged"`
	Scored  uint64 `json:"scored"`
}

type resultView struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Attempts  int       `json:"attempts"`
	Trust     *measured `json:"trust_score"`
	Alignment *measured `json:"alignment_score"`
	Anomaly   *measured `json:"anomaly_score"`
	Recency   measured  `json:"recency_score"`
	Flagged   bool      `json:"anomaly_flag"`
	// Seconds are from the record's Kafka timestamp to the commit of its result.
	Seconds measured `json:"end_to_end_seconds"`
}

type deadLettersView struct {
	Total  uint64       `json:"total"`
	ByWhy  []whyView    `json:"by_class_and_stage"`
	Recent []letterView `json:"recent"`
}

type whyView struct {
	Class  string    `json:"class"`
	Stage  string    `json:"stage"`
	Count  uint64    `json:"count"`
	LastAt time.Time `json:"last_at"`
}

type letterView struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	Class     string    `json:"class"`
	Stage     string    `json:"stage"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Attempts  int       `json:"attempts"`
	SizeBytes int64     `json:"size_bytes"`
}

// overview puts together what is known now, with the history after a time.
func (c *Console) overview(after time.Time) (*overview, error) {
	now, view := c.deps.Now(), c.deps.View()
	families, err := c.deps.Gatherer.Gather()
	if err != nil && len(families) == 0 {
		return nil, err //nolint:wrapcheck // it names the metric
	}
	figures := read(families, now)
	o := &overview{
		Schema: overviewSchema, Now: now.UTC(), Service: c.service(&view),
		Throughput: throughputView{
			PerSecond: view.PerSecond, Records: view.Records,
			Scored: int64(figures.outcomes["scored"]), Duplicate: int64(figures.outcomes["duplicate"]),
			Retried: int64(figures.outcomes["retried"]), Dead: int64(figures.outcomes["dead"]),
		},
		Tiers: c.tiers(view.Tasks), Parked: int64(figures.parked),
	}
	o.Tasks, o.Owners = c.tasks(view.Tasks)
	o.Lag = lagOf(view.Tasks)
	c.mu.Lock()
	o.History = historyOf(c.history.after(after))
	c.mu.Unlock()
	c.seen.describe(o)
	return o, nil
}

func (c *Console) service(v *View) serviceView {
	s := serviceView{
		Version: c.set.Version, Group: c.set.Group, Instance: c.set.Instance, Profile: c.set.Profile,
		InputTopic: c.set.InputTopic, Environment: c.set.Environment, Brokers: c.set.Brokers,
		UptimeSeconds: v.Uptime.Seconds(), Ready: v.Ready, Live: v.Live, Hold: v.Hold, Stalled: v.Stalled, EnrichersDown: v.EnrichersDown,
		Readiness: some(v.Readiness), Checks: some(v.Checks), Restores: some(v.Restores), Contents: c.set.Contents,
	}
	if !v.CheckedAt.IsZero() {
		at := v.CheckedAt.UTC()
		s.CheckedAt = &at
	}
	return s
}

// some is a list that JSON shows as one.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func lagOf(tasks []Task) lagView {
	l := lagView{Partition: -1}
	for i := range tasks {
		t := &tasks[i]
		l.Records += t.Lag
		if t.LagSeconds > l.Seconds {
			l.Seconds, l.Partition = t.LagSeconds, t.Partition
		}
	}
	return l
}

// tiers adds up what waits; tiers in which nothing waits are among them.
func (c *Console) tiers(tasks []Task) []tierView {
	out := make([]tierView, len(c.set.RetryDelays))
	for i, delay := range c.set.RetryDelays {
		out[i] = tierView{Tier: i + 1, DelaySeconds: delay.Seconds()}
	}
	for i := range tasks {
		for _, w := range tasks[i].Tiers {
			if w.Tier < 1 || w.Tier > len(out) {
				continue
			}
			t := &out[w.Tier-1]
			t.Waiting += w.Waiting
			t.NextNotBefore = earlier(t.NextNotBefore, w.NextNotBefore)
		}
	}
	return out
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// tasks are those of this process, and what is known of the others.
func (c *Console) tasks(own []Task) ([]taskView, ownersView) {
	c.mu.Lock()
	owners := c.owners
	c.mu.Unlock()
	view := ownersView{Error: owners.fault}
	if !owners.at.IsZero() {
		at := owners.at.UTC()
		view.AsOf = &at
	}
	out := make([]taskView, 0, max(len(own), len(owners.of)))
	here := make(map[int32]bool, len(own))
	for i := range own {
		t := &own[i]
		here[t.Partition] = true
		v := taskView{
			Partition: t.Partition, Here: true, Owner: owners.of[t.Partition], Phase: t.Phase, Held: t.Held,
			Committed: t.Committed, End: t.End, Lag: t.Lag, LagSeconds: t.LagSeconds,
		}
		for _, w := range t.Tiers {
			v.Waiting += w.Waiting
			v.NextNotBefore = earlier(v.NextNotBefore, w.NextNotBefore)
		}
		out = append(out, v)
	}
	members := make(map[string]bool)
	for p, owner := range owners.of {
		members[owner] = true
		if !here[p] {
			out = append(out, taskView{Partition: p, Owner: owner, Committed: -1, End: -1})
		}
	}
	view.Members = len(members)
	slices.SortFunc(out, func(a, b taskView) int { return cmp.Compare(a.Partition, b.Partition) })
	return out, view
}

func historyOf(kept []sample) historyView {
	h := historyView{IntervalSeconds: SampleEvery.Seconds(), At: make([]int64, len(kept))}
	column := func(of func(*sample) measured) []measured {
		out := make([]measured, len(kept))
		for i := range kept {
			out[i] = of(&kept[i])
		}
		return out
	}
	for i := range kept {
		h.At[i] = kept[i].at.UnixMilli()
	}
	h.Scored = column(func(s *sample) measured { return s.scored })
	h.Duplicate = column(func(s *sample) measured { return s.duplicate })
	h.Retried = column(func(s *sample) measured { return s.retried })
	h.Dead = column(func(s *sample) measured { return s.dead })
	h.LagRecords = column(func(s *sample) measured { return s.lagRecords })
	h.LagSeconds = column(func(s *sample) measured { return s.lagSeconds })
	h.P50 = column(func(s *sample) measured { return s.p50 })
	h.P99 = column(func(s *sample) measured { return s.p99 })
	return h
}

// measureNames are the names of the fields of a result.
var measureNames = [pipeline.Measures]string{
	pipeline.MeasureTrust: "trust_score", pipeline.MeasureAlignment: "alignment_score", pipeline.MeasureQuality: "quality_score",
	pipeline.MeasureAnomaly: "anomaly_score", pipeline.MeasureRecency: "recency_score",
}

// describe fills in what the tasks have shown.
func (s *seen) describe(o *overview) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for m := range s.spread {
		o.Scores = append(o.Scores, scoreView{measureNames[m], slices.Clone(s.spread[m][:])})
	}
	o.Anomalies = anomaliesView{Flagged: s.flagged, Scored: s.scored}
	o.Results = []resultView{}
	s.results.each(func(r *result) { o.Results = append(o.Results, r.view()) })
	o.DeadLetters = deadLettersView{ByWhy: []whyView{}, Recent: []letterView{}}
	for _, f := range s.byFault() {
		o.DeadLetters.Total += f.count
		o.DeadLetters.ByWhy = append(o.DeadLetters.ByWhy, whyView{string(f.Class), f.Stage.String(), f.count, f.last.UTC()})
	}
	s.letters.each(func(l *letter) { o.DeadLetters.Recent = append(o.DeadLetters.Recent, l.view()) })
}

func (r *result) view() resultView {
	return resultView{
		Seq: r.seq, At: r.at.UTC(), Kind: r.Kind.String(), Partition: r.Partition, Offset: r.Offset, Attempts: r.Attempts,
		Trust: optional(r.Trust), Alignment: optional(r.Alignment), Anomaly: optional(r.Anomaly),
		Recency: measured(r.Recency), Flagged: r.Flagged,
		Seconds: measured(max(0, r.at.Sub(time.UnixMilli(r.RecordMs)).Seconds())),
	}
}

func (l *letter) view() letterView {
	return letterView{
		Seq: l.seq, At: l.at.UTC(), Class: string(l.Class), Stage: l.Stage.String(),
		Partition: l.Partition, Offset: l.Offset, Attempts: l.Attempts, SizeBytes: l.Size,
	}
}

func optional(o pulse.Optional) *measured {
	if !o.Valid {
		return nil
	}
	m := measured(o.Number)
	return &m
}

// appendRounded writes a number with as many digits as a person can make use of.
func appendRounded(to []byte, f float64) []byte {
	// Through six significant digits; 'f' with the shortest form avoids exponents.
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 6, 64), 64)
	if err != nil {
		short = f
	}
	return strconv.AppendFloat(to, short, 'f', -1, 64)
}
