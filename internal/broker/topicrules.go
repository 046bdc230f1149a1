package broker

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The roles, as the command shows them.
const (
	roleInput   = "input"
	roleResults = "results"
	roleDead    = "dead letters"
	roleState   = "state"
	roleRetry   = "retry tier"
	roleModels  = "models"
	roleSurplus = "retry tier that is not read"
)

// The settings of topics that are looked at.
const (
	configSize           = "max.message.bytes"
	configRetention      = "retention.ms"
	configRetentionBytes = "retention.bytes"
	configCleanup        = "cleanup.policy"
	configTimestamp      = "message.timestamp.type"
)

// headroom is what a dead letter may be larger than its input: headers.
const headroom = 64 << 10

// stateRecordBytes is what the largest changelog record takes: a segment of
// 16,384 IDs, with room to spare.
const stateRecordBytes = 512 << 10

// defaultMaxMessageBytes is the broker's (message.max.bytes).
const defaultMaxMessageBytes = 1048588

// leastRetention is how long a topic of ours must keep what waits in it, 0 for
// one in which nothing waits. What is deleted before is lost without a trace,
// so a shorter retention keeps the service from starting.
//
// A retry tier keeps its records for a week after they are due: that is how long
// the service may be down.
func leastRetention(role string, delay time.Duration) time.Duration {
	switch role {
	case roleDead:
		return 30 * 24 * time.Hour
	case roleRetry:
		return delay + 7*24*time.Hour
	default:
		return 0
	}
}

// follows tells whether a topic is the service's own, so that its partitions
// follow the input's. The results are their readers': they are never changed.
func follows(role string) bool {
	return role == roleDead || role == roleState || role == roleRetry || role == roleModels
}

func (a *Admin) wanted() []TopicState {
	states := []TopicState{
		{Role: roleInput, Name: a.topology.Input},
		{Role: roleResults, Name: a.topology.Results},
		{Role: roleDead, Name: a.topology.DeadLetters},
		{Role: roleState, Name: a.topology.State},
	}
	for _, t := range a.topology.Retry {
		states = append(states, TopicState{Role: roleRetry, Name: t.Topic, delay: t.Delay})
	}
	if a.topology.Models != "" {
		states = append(states, TopicState{Role: roleModels, Name: a.topology.Models})
	}
	return states
}

// complete fills in what a missing topic is made with.
func (a *Admin) complete(s *TopicState, partitions int, inputLimit int64) {
	if s.Exists {
		return
	}
	s.Partitions = partitions
	size := strconv.FormatInt(inputLimit+headroom, 10)
	switch s.Role {
	case roleInput:
	case roleResults:
		s.Config = map[string]string{configSize: size, configTimestamp: "LogAppendTime"}
	case roleDead, roleRetry:
		s.Config = map[string]string{
			configSize: size, configTimestamp: "LogAppendTime",
			configRetention: milliseconds(leastRetention(s.Role, s.delay)),
		}
	case roleModels:
		s.Config = map[string]string{configCleanup: "compact"}
	case roleState:
		s.Config = map[string]string{
			configCleanup: "compact", configTimestamp: "LogAppendTime",
			"segment.bytes": strconv.Itoa(64 << 20), "segment.ms": milliseconds(10 * time.Minute),
			"min.cleanable.dirty.ratio": "0.1",
			"delete.retention.ms":       milliseconds(24 * time.Hour),
		}
	}
}

// rules hold an existing topic to what it must be. What is wrong is said with
// the command that mends it.
type rules struct {
	*TopicState

	brokers []string
	config  map[string]string
}

func (r rules) faultf(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

func (r rules) warnf(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// check compares the topic with what it must be.
func (r rules) check(partitions int, inputLimit int64) {
	r.checkPartitions(partitions)
	r.checkRetention()
	limit := messageLimit(r.config)
	small := limit < inputLimit+headroom
	enough := r.mend(configSize, strconv.FormatInt(inputLimit+headroom, 10))
	switch r.Role {
	case roleInput:
		if strings.Contains(r.config[configCleanup], "compact") {
			r.warnf("cleanup.policy is %q: compaction deletes signals that have not been read yet", r.config[configCleanup])
		}
	case roleResults:
		if small {
			r.warnf("max.message.bytes is %d, under the input's %d plus %d: a result that does not fit becomes a dead letter; mend it with: %s",
				limit, inputLimit, headroom, enough)
		}
	case roleDead:
		if small {
			r.faultf("max.message.bytes is %d: it must be at least the input's %d plus %d, or the bytes of a large bad record would be lost; mend it with: %s",
				limit, inputLimit, headroom, enough)
		}
		if strings.Contains(r.config[configCleanup], "compact") {
			r.faultf("cleanup.policy is %q and must be \"delete\": compaction keeps one dead letter of a series; mend it with: %s",
				r.config[configCleanup], r.mend(configCleanup, "delete"))
		}
	case roleRetry:
		r.checkTier(limit, inputLimit)
	case roleModels:
		if !strings.Contains(r.config[configCleanup], "compact") {
			r.warnf("cleanup.policy is %q: snapshots of models pile up, and retention deletes the last of a task that learns no more; mend it with: %s",
				r.config[configCleanup], r.mend(configCleanup, "compact"))
		}
	case roleState:
		if limit < stateRecordBytes {
			r.faultf("max.message.bytes is %d: state records need up to %d, and one that does not fit would stop its task; mend it with: %s",
				limit, stateRecordBytes, r.mend(configSize, strconv.Itoa(stateRecordBytes)))
		}
		if r.config[configCleanup] != "compact" {
			r.faultf("cleanup.policy is %q and must be \"compact\": retention would delete remembered IDs and windows; mend it with: %s",
				r.config[configCleanup], r.mend(configCleanup, "compact"))
		}
	}
}

// checkTier: what waits in a tier is the input's own record with its headers, and
// its age is told by the broker's clock.
func (r rules) checkTier(limit, inputLimit int64) {
	if limit < inputLimit+headroom {
		r.faultf("max.message.bytes is %d: it must be at least the input's %d plus %d, or a large record could not be tried again; mend it with: %s",
			limit, inputLimit, headroom, r.mend(configSize, strconv.FormatInt(inputLimit+headroom, 10)))
	}
	if strings.Contains(r.config[configCleanup], "compact") {
		r.faultf("cleanup.policy is %q and must be \"delete\": compaction keeps one waiting record of a series; mend it with: %s",
			r.config[configCleanup], r.mend(configCleanup, "delete"))
	}
	if got := r.config[configTimestamp]; got != "LogAppendTime" {
		r.faultf("message.timestamp.type is %q and must be \"LogAppendTime\": retention must count from when a record began to wait; mend it with: %s",
			got, r.mend(configTimestamp, "LogAppendTime"))
	}
}

const unequal = "they must be equal, because partition p of all topics belongs to task p"

// checkPartitions: all topics have as many partitions as the input, because
// partition p of all of them belongs to task p.
func (r rules) checkPartitions(want int) {
	switch {
	case r.Partitions == want:
	case r.Partitions > want && r.Role == roleModels: // nothing goes by it
	case r.Partitions < want && follows(r.Role):
		r.Grow = want
	case r.Partitions < want:
		r.faultf("has %d partitions, the input has %d: "+unequal+"; it is not the service's to grow, so do: %s",
			r.Partitions, want, growCommand(r.brokers, r.Name, want))
	default:
		r.faultf("has %d partitions, the input has %d: "+unequal+"; partitions cannot be taken away, so grow the input or name another topic",
			r.Partitions, want)
	}
}

// checkRetention: nothing may be deleted that still waits for somebody.
func (r rules) checkRetention() {
	least := leastRetention(r.Role, r.delay)
	if kept, bounded := retention(r.config); bounded && kept < least {
		r.faultf("retention.ms is %d (%s) and must be at least %d (%s), or what waits in it is deleted before anybody may have looked; mend it with: %s",
			kept.Milliseconds(), days(kept), least.Milliseconds(), days(least), r.mend(configRetention, milliseconds(least)))
	}
	if n, err := strconv.ParseInt(r.config[configRetentionBytes], 10, 64); err == nil && n >= 0 && (least > 0 || r.Role == roleInput) {
		r.warnf("retention.bytes is %d: a partition beyond it loses its oldest records whatever their age, and no alarm can foresee it; mend it with: %s",
			n, r.mend(configRetentionBytes, "-1"))
	}
}

// retention is how long a topic keeps records; not bounded is for ever.
func retention(config map[string]string) (kept time.Duration, bounded bool) {
	ms, err := strconv.ParseInt(config[configRetention], 10, 64)
	if err != nil || ms < 0 || config[configCleanup] == "compact" {
		return 0, false
	}
	// Times beyond what a Duration holds (292 years) are for ever, too.
	kept = time.Duration(ms) * time.Millisecond
	return kept, kept.Milliseconds() == ms
}

// mend is the command that gives the topic another setting.
func (r rules) mend(setting, value string) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%s",
		strings.Join(r.brokers, ","), r.Name, setting, value)
}

func growCommand(brokers []string, topic string, partitions int) string {
	return fmt.Sprintf("kafka-topics.sh --bootstrap-server %s --alter --topic %s --partitions %d", strings.Join(brokers, ","), topic, partitions)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// days says a retention in the unit that people think of it in.
func days(d time.Duration) string {
	return strconv.FormatFloat(d.Hours()/24, 'g', 3, 64) + " days"
}

func messageLimit(config map[string]string) int64 {
	if n, err := strconv.ParseInt(config[configSize], 10, 64); err == nil {
		return n
	}
	return defaultMaxMessageBytes
}
