package broker

import (
	"encoding/json"
	"fmt"
	"slices"
)

// generation is one assignment of the group, with what is needed to work under
// it. It is immutable.
type generation struct {
	id       int32
	memberID string
	// txnID is the transactional ID this member has announced to the group.
	txnID string
	// tasks are ours, sorted.
	tasks []int32
	// since names, for each of them, the generation from which on it has been
	// ours without a break.
	since map[int32]int32
	// first is how many partitions the input had when the group began, 0 when
	// the leader does not say.
	first int32
	// partitions is how many tasks were divided, leads whether we divided them.
	partitions int32
	leads      bool
	// present are the transactional IDs of all members.
	present []string
	// gone are transactional IDs that an earlier assignment had and this
	// one has not: their owners are dead, or left.
	gone []string
}

func (g *generation) owns(task int32) bool {
	_, ok := slices.BinarySearch(g.tasks, task)
	return ok
}

// holds tells whether a task has been ours without a break since a generation.
// What was computed over a task's state is void after a break, though the task
// be ours again: somebody else may have committed meanwhile.
func (g *generation) holds(task, since int32) bool {
	from, ok := g.since[task]
	return ok && g.owns(task) && (from == since || !guardWholeTask)
}

// succeed notes which tasks have been held since before. A generation that was
// never seen (its assignment got lost) is a break: the tasks may have been with
// somebody else in it.
func (g *generation) succeed(before map[int32]int32, in int32) {
	g.since = make(map[int32]int32, len(g.tasks))
	for _, t := range g.tasks {
		g.since[t] = g.id
		if from, ok := before[t]; ok && (g.id == in || g.id == in+1) {
			g.since[t] = from
		}
	}
}

// protocolName is the name members of this service agree on. Members with
// another strategy cannot join the same group: the broker refuses them
// (INCONSISTENT_GROUP_PROTOCOL), instead of tasks being torn apart.
const protocolName = "pulse-whole-task-sticky"

// metadataVersion of the JSON in the consumer protocol's user data. Fields are
// added without a new version: readers ignore what they do not know. What an
// earlier build must not ignore raises the version and names in Least the first
// one that understands it: a build that reads less refuses to go on, clearly,
// in place of dividing tasks by half of what was said
// (TestMetadata_OfANewerVersionIsReadOrRefused; the bytes of version 1 are held by
// TestFormats_AreThoseOfVersion1 and by the suite's Group_SharesItWithTodaysFormat).
const metadataVersion = 1

// readable refuses what a newer build says that must not be half understood.
func readable(version, least int) error {
	if least > metadataVersion {
		return fmt.Errorf("it has version %d and needs readers of version %d or later, this build reads up to %d: "+
			"finish the update by running the newer build here, or go back to this one everywhere", version, least, metadataVersion)
	}
	return nil
}

// memberMetadata is what a member says of itself when it joins.
type memberMetadata struct {
	Version    int     `json:"v"`
	Least      int     `json:"min,omitempty"`
	TxnID      string  `json:"txn"`
	Generation int32   `json:"gen"`
	Tasks      []int32 `json:"tasks"`
	// First is what the leader of an earlier generation has said.
	First int32 `json:"first,omitempty"`
	// Refused are tasks that have stalled at this member: another one should
	// have them.
	Refused []int32 `json:"refused,omitempty"`
}

// assignmentMetadata goes to every member with its tasks.
type assignmentMetadata struct {
	Version int `json:"v"`
	Least   int `json:"min,omitempty"`
	// TxnIDs are the transactional IDs of all present members.
	TxnIDs []string `json:"txns"`
	// Partitions is how many tasks were divided, First how many partitions the
	// input had when the group began (only where it matters: a group that
	// starts at the end of its input).
	Partitions int32 `json:"partitions,omitempty"`
	First      int32 `json:"first,omitempty"`
}

func encodeMetadata(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("group metadata %+v: %v", v, err)) // strings and integers always encode
	}
	return b
}

func decodeMemberMetadata(userData []byte) (memberMetadata, error) {
	var m memberMetadata
	if err := json.Unmarshal(userData, &m); err != nil {
		return m, fmt.Errorf("member metadata: %w", err)
	}
	if m.Version < 1 || m.TxnID == "" {
		return m, fmt.Errorf("member metadata has version %d and transactional ID %q", m.Version, m.TxnID)
	}
	return m, readable(m.Version, m.Least)
}

func decodeAssignmentMetadata(userData []byte) (assignmentMetadata, error) {
	var a assignmentMetadata
	if err := json.Unmarshal(userData, &a); err != nil {
		return a, fmt.Errorf("assignment metadata: %w", err)
	}
	return a, readable(a.Version, a.Least)
}

// missing returns what is in before and not in now.
func missing[T comparable](before, now []T) []T {
	var gone []T
	for _, id := range before {
		if !slices.Contains(now, id) {
			gone = append(gone, id)
		}
	}
	return gone
}
