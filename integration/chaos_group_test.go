//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is a worker as the broker knows it.
type member struct {
	id, txnID string
	tasks     []int32
}

// members describes the group; nil unless it is stable.
func (l *lab) members(ctx context.Context, t *testing.T) []member {
	t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{l.group}
	res, err := req.RequestWith(ctx, l.client)
	if err != nil || len(res.Groups) != 1 {
		return nil // the coordinator is being made, or moves, or its broker is away; the caller asks again
	}
	if res.Groups[0].ErrorCode != 0 || res.Groups[0].State != "Stable" {
		return nil
	}
	var found []member
	for _, m := range res.Groups[0].Members {
		var meta kmsg.ConsumerMemberMetadata
		var said struct {
			Txn string `json:"txn"`
		}
		err := meta.ReadFrom(m.ProtocolMetadata)
		if err == nil {
			err = json.Unmarshal(meta.UserData, &said)
		}
		if err != nil || said.Txn == "" {
			t.Fatalf("member %s says nothing of itself: %v", m.MemberID, err)
		}
		var assigned kmsg.ConsumerMemberAssignment
		if err := assigned.ReadFrom(m.MemberAssignment); err != nil {
			t.Fatalf("assignment of member %s: %v", m.MemberID, err)
		}
		one := member{id: m.MemberID, txnID: said.Txn}
		for _, topic := range assigned.Topics {
			one.tasks = append(one.tasks, topic.Partitions...)
		}
		found = append(found, one)
	}
	return found
}

// awaitMembers waits until the group is stable and as it should be.
func (l *lab) awaitMembers(ctx context.Context, t *testing.T, what string, want func([]member) bool) []member {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		found := l.members(ctx, t)
		if want(found) {
			return found
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the group has not become %s: %+v", what, found)
		}
	}
}

// awaitJoined waits for a group of n in which every member has tasks, and returns
// the one whose transactional ID is not among the known.
func (l *lab) awaitJoined(ctx context.Context, t *testing.T, n int, known ...string) member {
	t.Helper()
	found := l.awaitMembers(ctx, t, fmt.Sprintf("a group of %d", n), func(ms []member) bool {
		return len(ms) == n && !slices.ContainsFunc(ms, func(m member) bool { return len(m.tasks) == 0 })
	})
	for _, m := range found {
		if !slices.Contains(known, m.txnID) {
			return m
		}
	}
	t.Fatalf("all of %+v are known", found)
	return member{}
}

// current is the member with a transactional ID, as it is now.
func (l *lab) current(ctx context.Context, t *testing.T, txnID string) (member, error) {
	t.Helper()
	for _, m := range l.members(ctx, t) {
		if m.txnID == txnID {
			return m, nil
		}
	}
	return member{}, errAbsent
}

var errAbsent = errors.New("the group is not stable, or has no such member")

// transactionState is what the broker says of a transactional ID, and since when a
// transaction is open.
func (l *lab) transactionState(ctx context.Context, t *testing.T, txnID string) (state string, since int64, partitions int) {
	t.Helper()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{txnID}
	for _, shard := range l.client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			t.Fatalf("describe transaction %s: %v", txnID, shard.Err)
		}
		res, ok := shard.Resp.(*kmsg.DescribeTransactionsResponse)
		if !ok || len(res.TransactionStates) == 0 {
			continue
		}
		s := res.TransactionStates[0]
		for _, topic := range s.Topics {
			partitions += len(topic.Partitions)
		}
		return s.State, s.StartTimestamp, partitions
	}
	return "", 0, 0
}

// held are the tasks whose state has records above the last stable offset.
func (l *lab) held(ctx context.Context, t *testing.T, tasks []int32) []string {
	t.Helper()
	var found []string
	for _, task := range tasks {
		stable, end := l.stable(ctx, t, l.topics.State, task), l.end(ctx, t, l.topics.State, task)
		if stable < end {
			found = append(found, fmt.Sprintf("%d: %d<%d", task, stable, end))
		}
	}
	return found
}

// freezeInTransaction stops a worker at a moment when it has a transaction open,
// and returns the proof: the broker calls it Ongoing, twice the same one, while the
// process stands still. The records that it has written, if any, hold back the last
// stable offset of the state.
func (l *lab) freezeInTransaction(ctx context.Context, t *testing.T, w *worker, txnID string, at depth) (m member, evidence string) {
	t.Helper()
	pause := time.NewTicker(7 * time.Millisecond)
	defer pause.Stop()
	for {
		w.freeze(ctx, t)
		m, err := l.current(ctx, t, txnID)
		state, since, partitions := l.transactionState(ctx, t, txnID)
		if err == nil && len(m.tasks) > 0 && state == ongoing && partitions > 0 {
			held := l.held(ctx, t, m.tasks)
			// A request that was on its way when the process stopped has
			// arrived by now.
			<-pause.C
			again, same, _ := l.transactionState(ctx, t, txnID)
			if again == ongoing && same == since && (len(held) > 0) == (at == written) {
				return m, fmt.Sprintf("transaction %s over %d partitions, offsets pending %v, state LSO<HW {%s}",
					state, partitions, l.pending(ctx, t), strings.Join(held, " "))
			}
		}
		w.signal(t, sigcont)
		select {
		case <-pause.C:
		case <-w.done:
			t.Fatalf("worker %s has ended: %v", w.name, w.cmd.ProcessState)
		case <-ctx.Done():
			t.Fatalf("worker %s was never found inside a transaction (last: %q)", w.name, state)
		}
	}
}

const ongoing = "Ongoing"

// depth is how far a transaction has come.
type depth bool

const (
	opened  depth = false // partitions added, nothing written
	written depth = true  // records written, perhaps offsets too
)

// pending tells whether offsets of the group are held by an open transaction.
func (l *lab) pending(ctx context.Context, t *testing.T) bool {
	t.Helper()
	for _, p := range l.offsets(ctx, t, true) {
		if p.ErrorCode == kerr.UnstableOffsetCommit.Code {
			return true
		}
	}
	return false
}
