package app

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/config"
	"pulse-scorer/internal/deadletter"
	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/retry"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/verify"
)

// Verifier scores the input again, one partition after the other, and compares what
// comes out with the results there are. It runs beside the service as well as
// without it: it looks at the results up to the ends they have when it begins.
//
// A partition is read in four goes: results and dead letters, for what became of
// each input record; then the results again, some thousand at a time, and of the
// input what they are of.
type Verifier struct {
	// Partitions to verify, nil for all.
	Partitions []int32
	// Since, if set, leaves out older input records.
	Since time.Time
	// WarmUp is how many records of a partition are ingested before results are
	// compared, where the beginning of its input is gone.
	WarmUp int64
	// List is how many findings of a partition are listed.
	List int
	// Progress is told of offsets to read and of offsets that were read.
	Progress func(toRead, read int64)

	config   config.Config
	topics   broker.Topology
	look     *broker.Inspector
	decode   *codec.Decoder
	profile  *scoring.Profile
	settings pipeline.Settings
}

// NewVerifier prepares a verification of an environment's results. version is this
// build's.
func NewVerifier(c config.Config, version string) (*Verifier, error) {
	settings, err := pathSettings(c, version)
	if err != nil {
		return nil, err
	}
	settings.Retry = retry.Settings{}
	look, err := newInspector(c)
	if err != nil {
		return nil, err
	}
	return &Verifier{
		WarmUp: 10_000, List: 20, Progress: func(int64, int64) {},
		config: c, topics: Topology(c), look: look, profile: profile(c), settings: settings,
		decode: codec.NewDecoder(codec.Settings{DefaultSource: c.DefaultSource}),
	}, nil
}

// Close ends the connections.
func (v *Verifier) Close() { v.look.Close() }

// Run verifies.
func (v *Verifier) Run(ctx context.Context) (verify.Report, error) {
	n, err := v.look.Partitions(ctx, v.topics.Results, v.topics.DeadLetters)
	if err != nil {
		return verify.Report{}, err
	}
	partitions, err := chosen(v.Partitions, n, v.topics.Input)
	if err != nil {
		return verify.Report{}, err
	}
	verifications := make([]*verification, len(partitions))
	for i, p := range partitions {
		if verifications[i], err = v.prepare(ctx, p); err != nil {
			return verify.Report{}, err
		}
	}
	rows := make([]verify.Row, len(partitions))
	for i, one := range verifications {
		if err := one.run(ctx); err != nil {
			return verify.Report{}, err
		}
		rows[i] = one.row
		verifications[i] = nil // its state is of no more use
	}
	return verify.NewReport(v.settings.ScorerVersion, v.profile.Name, rows), nil
}

// verification is that of one partition.
type verification struct {
	*Verifier

	row verify.Row
	// The input begins at from and ends at to, outcomes at the others.
	from, to                  int64
	resultsStart, results     int64
	lettersStart, letters     int64
	fates                     []pipeline.Fate // by input offset, the first at from
	replay                    *pipeline.Replayer
	next                      int64 // of the input
	chunk                     []someResult
	origin                    codec.Origin
	out                       []byte
	chunkFurthest, chunkBytes int64
}

// someResult is a result that is compared when its input has been read.
type someResult struct {
	offset, input int64
	value         []byte
	version       string
	attempts      int
	skip          *uint64 // counter of why it is not compared, nil when it is
}

// prepare notes up to where a partition's topics are read: results before the end of
// the input, which then holds the record of each.
func (v *Verifier) prepare(ctx context.Context, partition int32) (*verification, error) {
	one := &verification{Verifier: v, row: verify.Row{Partition: partition, Versions: map[string]uint64{}}}
	for _, ask := range []struct {
		to    *int64
		of    func(context.Context, string, int32) (int64, error)
		topic string
	}{
		{&one.results, v.look.End, v.topics.Results},
		{&one.letters, v.look.End, v.topics.DeadLetters},
		{&one.resultsStart, v.look.Start, v.topics.Results},
		{&one.lettersStart, v.look.Start, v.topics.DeadLetters},
		{&one.from, v.look.Start, v.topics.Input},
		{&one.to, v.look.End, v.topics.Input},
	} {
		var err error
		if *ask.to, err = ask.of(ctx, ask.topic, partition); err != nil {
			return nil, err
		}
	}
	if !v.Since.IsZero() {
		since, err := v.look.OffsetAt(ctx, v.topics.Input, partition, v.Since.UnixMilli())
		if err != nil {
			return nil, err
		}
		if since == broker.NoOffset {
			since = one.to
		}
		one.from = max(one.from, since)
	}
	one.row.From, one.row.Gone = one.from, one.from > 0
	one.row.ResultsFrom, one.row.LettersFrom = one.resultsStart, one.lettersStart
	one.next = one.from
	v.Progress(2*(one.results-one.resultsStart)+one.letters-one.lettersStart+one.to-one.from, 0)
	var err error
	one.replay, err = pipeline.NewReplayer(v.settings, v.profile)
	return one, err
}

func (o *verification) run(ctx context.Context) error {
	o.fates = make([]pipeline.Fate, o.to-o.from)
	if err := o.eachResult(ctx, func(*pipeline.Record) error {
		if fate := o.fate(o.origin.Offset); fate != nil {
			*fate |= pipeline.FateScored
		}
		return nil
	}); err != nil {
		return err
	}
	if err := o.readLetters(ctx); err != nil {
		return err
	}
	if err := o.eachResult(ctx, func(r *pipeline.Record) error { return o.gather(ctx, r) }); err != nil {
		return err
	}
	return o.compare(ctx)
}

// fate is what is known of an input record, nil for one that is not read.
func (o *verification) fate(input int64) *pipeline.Fate {
	if input < o.from || input >= o.to {
		return nil
	}
	return &o.fates[input-o.from]
}

// eachResult shows the results that are of the input topic; o.origin is theirs.
func (o *verification) eachResult(ctx context.Context, do func(*pipeline.Record) error) error {
	return o.scan(ctx, broker.Scan{
		Topic: o.topics.Results, Partition: o.row.Partition, From: o.resultsStart, To: o.results,
		Each: func(r *pipeline.Record) error {
			readable := o.decode.ReadOrigin(r.Value, &o.origin) == nil // audit tells what is none
			if !readable || o.origin.Topic != o.topics.Input || o.origin.Partition != o.row.Partition {
				return nil // another service's
			}
			return do(r)
		},
	})
}

func (o *verification) readLetters(ctx context.Context) error {
	return o.scan(ctx, broker.Scan{
		Topic: o.topics.DeadLetters, Partition: o.row.Partition, From: o.lettersStart, To: o.letters,
		Each: func(r *pipeline.Record) error {
			if deadletter.IsMark(r.Headers) {
				return nil
			}
			letter, err := pipeline.ReadLetter(r.Headers)
			mine := err == nil && letter.Topic == o.topics.Input && letter.Group == o.config.Group && letter.Partition == o.row.Partition
			if fate := o.fate(letter.Offset); mine && fate != nil {
				*fate |= pipeline.FateOf(&letter)
			}
			return nil
		},
	})
}

// A chunk of results is compared at a time: so much is in memory.
const (
	chunkResults    = 10_000
	chunkValueBytes = 16 << 20
)

// gather keeps a result for the next comparison.
func (o *verification) gather(ctx context.Context, r *pipeline.Record) error {
	if o.origin.Offset < o.from {
		return nil // older than what is verified
	}
	o.row.Results++
	keep := someResult{offset: r.Offset, input: o.origin.Offset, attempts: o.origin.Attempts, version: o.origin.Version}
	skipped := &o.row.Skipped
	switch {
	case o.origin.Profile != o.profile.Name:
		keep.skip = &skipped.Profile
	case o.origin.Attempts > 1:
		keep.skip = &skipped.Retried
	case o.origin.External:
		keep.skip = &skipped.External
	case o.row.Gone && o.origin.Offset < o.from+o.WarmUp:
		keep.skip = &skipped.WarmUp
	default:
		keep.value = bytes.Clone(r.Value)
	}
	keep.version = string([]byte(keep.version)) // it belongs to the record
	o.chunk = append(o.chunk, keep)
	o.chunkFurthest = max(o.chunkFurthest, keep.input)
	o.chunkBytes += int64(len(keep.value))
	if len(o.chunk) < chunkResults && o.chunkBytes < chunkValueBytes {
		return nil
	}
	return o.compare(ctx)
}

// compare ingests what the chunk needs, and scores and compares it in its order.
func (o *verification) compare(ctx context.Context) error {
	if end := min(o.chunkFurthest+1, o.to); len(o.chunk) > 0 && end > o.next {
		err := o.scan(ctx, broker.Scan{
			Topic: o.topics.Input, Partition: o.row.Partition, From: o.next, To: end,
			Jumped: func(int64, int64) { o.row.Gone = true },
			Each: func(r *pipeline.Record) error {
				o.replay.Ingest(r, *o.fate(r.Offset))
				return nil
			},
		})
		if err != nil {
			return err
		}
		o.next = end
	}
	for i := range o.chunk {
		o.compareOne(&o.chunk[i])
	}
	clear(o.chunk)
	o.chunk, o.chunkBytes = o.chunk[:0], 0
	return nil
}

// madeAgain is for records whose result was scored again; a second one of the same
// record is audit's concern.
const madeAgain pipeline.Fate = 1 << 7

func (o *verification) compareOne(r *someResult) {
	fate := o.fate(r.input)
	if fate == nil || *fate&madeAgain != 0 {
		o.row.Skipped.Repeated++
		return
	}
	*fate |= madeAgain
	out, err := o.replay.Score(o.out[:0], r.input, r.attempts)
	o.out = out
	if r.skip != nil {
		*r.skip++
		return
	}
	o.row.Compared++
	f := verify.Finding{Partition: o.row.Partition, Offset: r.offset, Input: r.input}
	if r.version != o.settings.ScorerVersion {
		f.Version = r.version
		o.row.Versions[r.version]++
	}
	if err == nil {
		f.Differences, err = verify.Compare(r.value, out)
	}
	if err != nil {
		f.Text = err.Error()
	}
	if err == nil && f.Differences == nil {
		return
	}
	if o.row.Different++; len(o.row.Findings) < o.List {
		o.row.Findings = append(o.row.Findings, f)
	}
}

func (o *verification) scan(ctx context.Context, s broker.Scan) error {
	return scan(ctx, o.look, s, o.Progress)
}

// chosen are the partitions that are looked at: those that were named, or all.
func chosen(named []int32, n int32, topic string) ([]int32, error) {
	if len(named) > 0 {
		for _, p := range named {
			if p < 0 || p >= n {
				return nil, fmt.Errorf("partition %d does not exist: %s has partitions 0 to %d", p, topic, n-1)
			}
		}
		return named, nil
	}
	all := make([]int32, n)
	for p := range all {
		all[p] = int32(p)
	}
	return all, nil
}
