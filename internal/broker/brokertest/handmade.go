package brokertest

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// formats are what a member of version 1 writes, as it was first released: one
// file a format, with verbs for what differs. They are never changed; a later
// version gets files of its own.
//
//go:embed testdata/format-v1
var formats embed.FS

func format(name string, args ...any) []byte {
	text, err := formats.ReadFile("testdata/format-v1/" + name)
	if err != nil {
		panic(fmt.Sprintf("broken invariant: %v", err)) // embedded
	}
	return fmt.Appendf(nil, strings.TrimSuffix(string(text), "\n"), args...)
}

// handmade is a member of the group that is no engine: it does what a test says,
// with the bytes of format-v1.
type handmade struct {
	b      *bundle
	client *kgo.Client // transactional

	id, txnID  string
	generation int32
	tasks      []int32
	leads      bool
	members    []kmsg.JoinGroupResponseMember
}

// What the members of the group have agreed on since version 1.
const (
	protocolType = "consumer"
	protocolName = "pulse-whole-task-sticky"
)

// sessionMs is long: what the test does with the member decides, not time.
const sessionMs = 60_000

func (b *bundle) handmade(name string) *handmade {
	b.t.Helper()
	txnID := b.group + "-" + name
	return &handmade{b: b, txnID: txnID, generation: -1, client: b.newClient(kgo.TransactionalID(txnID))}
}

func numbers(list []int32) string {
	text, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("broken invariant: %v", err))
	}
	return string(text)
}

// join sends JoinGroup, and again with the ID it was given; it returns when all
// members have joined.
func (h *handmade) join() error {
	sub := kmsg.NewConsumerMemberMetadata()
	sub.Version, sub.Topics = 0, []string{h.b.topology.Input}
	sub.UserData = format("member.json", h.txnID, h.generation, numbers(h.tasks))
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType = h.b.group, protocolType
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = sessionMs, sessionMs
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: protocolName, Metadata: sub.AppendTo(nil)}}
	for {
		req.MemberID = h.id
		res, err := req.RequestWith(h.b.t.Context(), h.client)
		if err != nil {
			return err
		}
		h.id = res.MemberID
		switch err := kerr.ErrorForCode(res.ErrorCode); {
		case res.ErrorCode == kerr.MemberIDRequired.Code, res.ErrorCode == kerr.CoordinatorNotAvailable.Code, res.ErrorCode == kerr.NotCoordinator.Code:
		case err != nil:
			return fmt.Errorf("join: %w", err)
		default:
			h.generation, h.members, h.leads = res.Generation, res.Members, res.LeaderID == res.MemberID
			return nil
		}
	}
}

// sync gets the assignment; a leader gives it, tasks by transactional ID.
func (h *handmade) sync(give map[string][]int32) (txnIDs []string, err error) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = h.b.group, h.id, h.generation
	req.ProtocolType, req.Protocol = new(protocolType), new(protocolName)
	if h.leads {
		if req.GroupAssignment, err = h.divide(give); err != nil {
			return nil, err
		}
	}
	res, err := req.RequestWith(h.b.t.Context(), h.client)
	if err == nil {
		err = kerr.ErrorForCode(res.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(res.MemberAssignment); err != nil {
		return nil, fmt.Errorf("assignment: %w", err)
	}
	h.tasks = nil
	for _, topic := range a.Topics {
		if topic.Topic == h.b.topology.Input {
			h.tasks = topic.Partitions
		}
	}
	var said struct {
		Version int      `json:"v"`
		TxnIDs  []string `json:"txns"`
	}
	if err := json.Unmarshal(a.UserData, &said); err != nil || said.Version != 1 {
		return nil, fmt.Errorf("assignment says %q: %w", a.UserData, err)
	}
	return said.TxnIDs, nil
}

// divide is what a leader of version 1 does with what the members say.
func (h *handmade) divide(give map[string][]int32) ([]kmsg.SyncGroupRequestGroupAssignment, error) {
	var txnIDs []string
	var all []kmsg.SyncGroupRequestGroupAssignment
	for _, m := range h.members {
		txnID, err := saidBy(m)
		if err != nil {
			return nil, err
		}
		txnIDs = append(txnIDs, txnID)
	}
	quoted, err := json.Marshal(txnIDs)
	if err != nil {
		return nil, err
	}
	for i, m := range h.members {
		a := kmsg.NewConsumerMemberAssignment()
		a.UserData = format("assignment.json", quoted)
		tasks, named := give[txnIDs[i]]
		if !named {
			tasks = give[""]
		}
		if len(tasks) > 0 {
			a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: h.b.topology.Input, Partitions: tasks}}
		}
		all = append(all, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: a.AppendTo(nil)})
	}
	return all, nil
}

// saidBy reads a member's metadata as version 1 does.
func saidBy(m kmsg.JoinGroupResponseMember) (txnID string, err error) {
	var sub kmsg.ConsumerMemberMetadata
	if err := sub.ReadFrom(m.ProtocolMetadata); err != nil {
		return "", err
	}
	var said struct {
		Version    int     `json:"v"`
		TxnID      string  `json:"txn"`
		Generation int32   `json:"gen"`
		Tasks      []int32 `json:"tasks"`
	}
	if err := json.Unmarshal(sub.UserData, &said); err != nil {
		return "", fmt.Errorf("member says %q: %w", sub.UserData, err)
	}
	if said.Version < 1 || said.TxnID == "" {
		return "", fmt.Errorf("member says %q: version 1 refuses that", sub.UserData)
	}
	return said.TxnID, nil
}

func (h *handmade) heartbeat() error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = h.b.group, h.id, h.generation
	res, err := req.RequestWith(h.b.t.Context(), h.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(res.ErrorCode)
}

func (h *handmade) leave() error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = h.b.group, h.id
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = h.id
	req.Members = append(req.Members, member)
	res, err := req.RequestWith(h.b.t.Context(), h.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(res.ErrorCode)
}

// claim does what a member of version 1 does with a task in one transaction: its
// owner record, and the unchanged offset with its transactional ID. It leaves the
// transaction open when it is not to end it.
func (h *handmade) claim(task int32, offset int64, end bool) error {
	ctx := h.b.t.Context()
	if err := h.client.BeginTransaction(); err != nil {
		return err
	}
	value := format("owner.json", h.txnID, 0, h.b.topology.Input, offset)
	record := &kgo.Record{Topic: h.b.topology.State, Partition: task, Key: []byte("\x00claim"), Value: value}
	if err := h.client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return err
	}
	producer, epoch, err := h.client.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = h.txnID, producer, epoch, h.b.group
	added, err := add.RequestWith(ctx, h.client)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("add offsets: %w", err)
	}
	if err := h.commitOffset(task, offset, producer, epoch); err != nil || !end {
		return err
	}
	return h.client.EndTransaction(ctx, kgo.TryCommit)
}

func (h *handmade) commitOffset(task int32, offset, producer int64, epoch int16) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = h.txnID, producer, epoch
	req.Group, req.Generation, req.MemberID = h.b.group, h.generation, h.id
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	metadata := string(format("offset.txt", h.txnID))
	partition.Partition, partition.Offset, partition.Metadata = task, offset, &metadata
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic = h.b.topology.Input
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(h.b.t.Context(), h.client)
	if err == nil {
		err = kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("commit the offset: %w", err)
	}
	return nil
}

// others are the transactional IDs that are not its own.
func (h *handmade) others(txnIDs []string) []string {
	return slices.DeleteFunc(slices.Clone(txnIDs), func(id string) bool { return id == h.txnID })
}
