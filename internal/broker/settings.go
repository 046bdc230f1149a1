package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// Topology names the topics that belong together. Partition p of each of them
// forms task p.
type Topology struct {
	Input, Results, DeadLetters, State string
	// Models is where snapshots of models go, which the engine does not write; empty
	// for none.
	Models string
	// Retry are the retry tiers, the first one first.
	Retry []RetryTier
}

// RetryTier is a topic whose records wait for a delay.
type RetryTier struct {
	Topic string
	Delay time.Duration
}

// names are the topics that are set.
func (t Topology) names() []string {
	all := append([]string{t.Input}, t.outputs()...)
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

// outputs are the topics that are written.
func (t Topology) outputs() []string {
	all := []string{t.Results, t.DeadLetters, t.State}
	for _, tier := range t.Retry {
		all = append(all, tier.Topic)
	}
	return all
}

// models is the topic of the models, if there is one.
func (t Topology) models() []string {
	if t.Models == "" {
		return nil
	}
	return []string{t.Models}
}

// source names the topic that a task reads: the input for tier 0.
func (t Topology) source(tier int) string {
	if tier == 0 {
		return t.Input
	}
	return t.Retry[tier-1].Topic
}

// sources are how many topics a task reads.
func (t Topology) sources() int { return len(t.Retry) + 1 }

// sourceTier is the number of the tier that a topic is, 0 for the input; -1 for one
// that is not read.
func (t Topology) sourceTier(topic string) int {
	if topic == t.Input {
		return 0
	}
	for i, tier := range t.Retry {
		if tier.Topic == topic {
			return i + 1
		}
	}
	return -1
}

// nextOf names where a part leaves the topics that it read, moved or not.
func (t Topology) nextOf(p *part) map[string]int64 {
	next := make(map[string]int64, t.sources())
	for tier := range t.sources() {
		offset := p.next.at(tier)
		if offset < 0 {
			offset = p.before.at(tier)
		}
		if offset >= 0 {
			next[t.source(tier)] = offset
		}
	}
	return next
}

// Connection says how to reach the cluster.
type Connection struct {
	// Brokers are host:port addresses to start from.
	Brokers  []string
	ClientID string
	// Dial replaces the dialer; nil means a plain one. Package auth has one for
	// secured connections.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// StartOffset is where a group that has no committed offset starts.
type StartOffset int64

// The places to start at, as ListOffsets knows them.
const (
	Earliest StartOffset = -2
	Latest   StartOffset = -1
)

// Settings are the engine's plain values. The names in Validate's errors are
// the environment variables that set them.
type Settings struct {
	Group string
	// InstanceID makes the member static and its transactional ID stable.
	InstanceID string
	Topics     Topology
	Start      StartOffset

	CommitInterval     time.Duration
	TransactionTimeout time.Duration
	SessionTimeout     time.Duration
	HeartbeatInterval  time.Duration
	StallTimeout       time.Duration
	DrainTimeout       time.Duration
	// HealthInterval is how often the engine looks whether the topics have
	// changed and whether anything is about to be deleted that still waits; 0 is
	// never, for tests that count requests.
	HealthInterval time.Duration
	// TopicsCreate lets it grow its own topics with the input.
	TopicsCreate bool

	// Parks: the record path may keep records back, so that what is written need
	// not be of input that is committed with it.
	Parks bool

	// MaxRecordBytes is the largest value that is scored.
	MaxRecordBytes int
	// MaxInflightBytes bounds what is fetched but not yet committed.
	MaxInflightBytes int
	Compression      batch.Compression
}

// Deps are the things the engine uses and does not own.
type Deps struct {
	Log      *slog.Logger
	Registry prometheus.Registerer
	// NewTask makes the record path of one task, with empty state.
	NewTask func(partition int32) Task
	// Now is the wall clock; it is never used for scores.
	Now func() time.Time
	// Checks are looked at with the engine's own, once an interval
	// (Settings.HealthInterval); nil is none.
	Checks func() []Check
}

// Task is the record path of one task as the engine drives it. One goroutine
// calls it at a time. pipeline.Task implements it.
type Task interface { //nolint:interfacebloat // the life of a task is one protocol
	// Restore takes one record of the task's changelog, oldest first;
	// a nil value is a tombstone. Restored ends it.
	Restore(key, value []byte) error
	Restored() error
	// Prefetch says that a record will be processed soon: after those that were
	// prefetched before it, at most pipeline.Lookahead of them. It may never be. Neither
	// it nor its bytes change before.
	Prefetch(in *pipeline.Record)
	// Process takes one record of the input or of a tier and writes what comes of
	// it to out, or keeps it for Finish. Both say how to go on.
	Process(in *pipeline.Record, out pipeline.Sink) pipeline.Answer
	// Finish ends what Process has kept. It comes after the last record before
	// Seal, and whenever Process asks for it; it may wait for others until ctx
	// ends.
	Finish(ctx context.Context, out pipeline.Sink) pipeline.Answer
	// Seal ends the open batch: state changes go to out. At most one
	// sealed batch is outstanding.
	Seal(nowMs int64, out pipeline.Sink)
	// Commit says that the sealed batch has been committed.
	Commit()
	// Rollback takes back the sealed and the open batch.
	Rollback()
	// Open comes before the first batch of a task that is restored and at
	// work, Close after its last: both or neither. A task that is released
	// while it is being restored is just dropped.
	Open()
	Close()
}

// Validate joins all faults, each with the variable that sets the value.
func (s *Settings) Validate() error {
	var errs []error
	positive := func(name string, d time.Duration) {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s: %v is not positive", name, d))
		}
	}
	if s.Group == "" {
		errs = append(errs, errors.New("PULSE_GROUP: is empty"))
	}
	positive("PULSE_COMMIT_INTERVAL", s.CommitInterval)
	positive("PULSE_TRANSACTION_TIMEOUT", s.TransactionTimeout)
	positive("PULSE_SESSION_TIMEOUT", s.SessionTimeout)
	positive("PULSE_HEARTBEAT_INTERVAL", s.HeartbeatInterval)
	positive("PULSE_STALL_TIMEOUT", s.StallTimeout)
	positive("PULSE_DRAIN_TIMEOUT", s.DrainTimeout)
	if s.HealthInterval < 0 {
		errs = append(errs, fmt.Errorf("PULSE_HEALTH_INTERVAL: %v is negative", s.HealthInterval))
	}
	if s.MaxRecordBytes <= 0 {
		errs = append(errs, fmt.Errorf("PULSE_MAX_RECORD_BYTES: %d is not positive", s.MaxRecordBytes))
	}
	if s.MaxInflightBytes < minInflightBytes {
		errs = append(errs, fmt.Errorf("PULSE_MAX_INFLIGHT_BYTES: %d is under the minimum of %d", s.MaxInflightBytes, minInflightBytes))
	}
	return errors.Join(errs...)
}

// minInflightBytes leaves room for one fetch and its outputs.
const minInflightBytes = 4 << 20

// chunkBytes are the output bytes after which a worker stops in the middle of
// what was fetched: an eighth of the memory, so that eight tasks can compute
// while as much is being committed.
func (s *Settings) chunkBytes() int { return s.MaxInflightBytes / 8 }
