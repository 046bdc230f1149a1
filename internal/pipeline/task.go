package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/retry"
	"pulse-scorer/internal/scoring"
	"pulse-scorer/internal/state"
)

// Settings of the record path, the same for all tasks of a process.
type Settings struct {
	// Group and ScorerVersion are written into dead letters and results.
	Group, ScorerVersion string
	DefaultSource        string
	// MaxRecordBytes is the largest value that is scored.
	MaxRecordBytes int
	// License switches the license check of forecasts on.
	License bool
	State   state.Settings
	Retry   retry.Settings
}

// Deps are what a record path uses and does not own.
type Deps struct {
	Profile *scoring.Profile
	// Metrics are shared by all tasks of a process. Only a task that never gets
	// as far as Open or Seal may go without.
	Metrics *Metrics
	// HashKey must be random; the one in the state of the task replaces it.
	HashKey [16]byte
	// Now is the wall clock, which never enters a score.
	Now func() time.Time
	// Random gives numbers from [0,1), for the jitter of retries; nil is for
	// settings without any. Tasks that share one call it at the same time.
	Random func() float64
	// Log, which may be nil, is told what an operator should know of a task's state.
	Log *slog.Logger
	// Models takes snapshots of the model, which are marked with the task's
	// Partition; nil when nobody wants them.
	Models    Models
	Partition int32
	// Externals asks external enrichers, nil when there are none.
	Externals Externals
	// Tracer follows records, nil when nobody traces.
	Tracer Tracer
	// Watcher is shown what has committed, nil when nobody looks; Contents lets it
	// see what is in the records.
	Watcher  Watcher
	Contents bool
}

// Validate joins all faults, each with the variable that sets the value.
func (s *Settings) Validate() error {
	var errs []error
	if len(s.Group) > maxGroupBytes {
		errs = append(errs, fmt.Errorf("PULSE_GROUP: has %d bytes; write at most %d", len(s.Group), maxGroupBytes))
	}
	if s.MaxRecordBytes <= 0 {
		errs = append(errs, fmt.Errorf("PULSE_MAX_RECORD_BYTES: %d is not positive", s.MaxRecordBytes))
	}
	if s.DefaultSource == "" {
		errs = append(errs, errors.New("PULSE_DEFAULT_SOURCE: is empty"))
	}
	return errors.Join(append(errs, s.State.Validate(), s.Retry.Validate(MaxTiers))...)
}

// Task is the record path of one task with its state. One goroutine at a time
// may use it.
type Task struct {
	settings  Settings
	profile   *scoring.Profile
	state     *state.Task
	decoder   *codec.Decoder
	lookahead lookahead
	letters   *letters
	metrics   *Metrics
	figures   *figures
	clock     stageClock

	// open and sealed count the two outstanding batches; the metrics get
	// them when Kafka has committed.
	open, sealed *tally
	watcher      Watcher

	log       *slog.Logger
	models    Models
	partition int32
	// offered is what the model had learned when it was offered last.
	offered   uint64
	offeredAt time.Time
	random    func() float64
	externals Externals
	tracer    Tracer
	// waiting are the records that wait for external enrichers, in the order in
	// which they were taken.
	waiting      []*passage
	waitingBytes int
	inquiries    []*Inquiry
	// batch is how many may wait at present; held: those that do have no answer.
	batch int
	held  bool

	// own is the record that is being processed, without external enrichers.
	own              passage
	beforeLearn      state.Mark
	model            pulse.Model
	meta             codec.Meta
	scratch, encoded []byte
}

// New returns a task with empty state.
func New(s Settings, d Deps) (*Task, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if d.Random == nil && s.Retry.Jitter > 0 && len(s.Retry.Delays) > 0 {
		return nil, errors.New("retries have jitter, and no source of random numbers was given")
	}
	if (s.State.WindowSize == 0) != (d.Profile.WindowSize == 0) {
		return nil, fmt.Errorf("the state keeps a window of %d and profile %s has one of %d", s.State.WindowSize, d.Profile.Name, d.Profile.WindowSize)
	}
	st, err := state.New(s.State, d.HashKey)
	if err != nil {
		return nil, err
	}
	decoding := codec.Settings{DefaultSource: s.DefaultSource}
	return &Task{
		log: d.Log, models: d.Models, partition: d.Partition, random: d.Random, externals: d.Externals, tracer: d.Tracer, batch: firstBatch,
		settings: s, profile: d.Profile, state: st, metrics: d.Metrics, figures: new(figures),
		decoder: codec.NewDecoder(decoding), lookahead: newLookahead(decoding),
		letters: &letters{group: s.Group},
		clock:   stageClock{now: d.Now, metrics: d.Metrics},
		open:    newTally(d.sight()), sealed: newTally(d.sight()), watcher: d.Watcher,
		meta: codec.Meta{Profile: d.Profile.Name, ScorerVersion: s.ScorerVersion},
	}, nil
}

// sight is for one batch, nil when nobody watches.
func (d *Deps) sight() *Sight {
	if d.Watcher == nil {
		return nil
	}
	return newSight(d.Contents)
}

// Restore takes one record of the task's changelog.
func (t *Task) Restore(key, value []byte) error { return t.state.Restore(key, value) }

// Restored ends the restore.
func (t *Task) Restored() error { return t.state.Restored() }

// Open says that the task's work begins: from here on the metrics tell what it
// remembers, until Close.
func (t *Task) Open() {
	if n := t.state.Resting(); n > 0 && t.log != nil {
		t.log.Warn("the state has series of another profile, which rest until that comes back; this profile knows nothing of them",
			slog.String("profile", t.profile.Name), slog.Int("resting", n), slog.Int("series", t.state.Stats().Series))
	}
	t.metrics.remembered.sample(t.figures, t.state)
	t.metrics.remembered.add(t.figures)
	t.offered, t.offeredAt = t.state.Lessons(), t.clock.now()
}

// Close says that the task's work has ended. Nothing is called after it.
func (t *Task) Close() {
	t.metrics.remembered.remove(t.figures)
	t.offerModel(true)
}

// Seal ends the open batch: what it changed in the state goes to out. It panics
// while records wait for Finish: their offsets would be committed without them.
func (t *Task) Seal(nowMs int64, out Sink) {
	if len(t.waiting) > 0 {
		panic("pipeline: seal while records wait for Finish")
	}
	t.state.Seal(nowMs, func(key, value []byte) { out.Append(State, key, value, nil) })
	t.open, t.sealed = t.sealed, t.open
}

// Commit says that the sealed batch has committed.
func (t *Task) Commit() {
	t.state.Commit()
	t.metrics.committed(t.sealed, t.clock.now())
	t.metrics.remembered.sample(t.figures, t.state)
	if t.watcher != nil {
		t.watcher.Saw(t.sealed.sight)
	}
	t.sealed.reset()
	t.offerModel(false)
}

// Rollback takes back the sealed and the open batch.
func (t *Task) Rollback() {
	t.drop()
	t.lookahead.forget()
	t.state.Rollback()
	t.sealed.reset()
	t.open.reset()
}

// Stats describes the task's state.
func (t *Task) Stats() state.Stats { return t.state.Stats() }

// Ledger returns the task's cumulative counts.
func (t *Task) Ledger() state.Ledger { return t.state.Ledger() }
