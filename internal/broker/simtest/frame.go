package simtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/broker/faultnet"
)

// Where the fields of a frame are (https://kafka.apache.org/protocol#protocol_messages).
const (
	apiAt     = 4
	versionAt = 6
	clientAt  = 12
)

func apiOf(frame []byte) faultnet.API {
	return faultnet.API(int16(binary.BigEndian.Uint16(frame[apiAt:])))
}

func versionOf(frame []byte) int16 { return int16(binary.BigEndian.Uint16(frame[versionAt:])) }

// parse decodes a request frame; body is what its encoding must be equal to.
func parse(frame []byte) (req kmsg.Request, body []byte) {
	req = kmsg.RequestForKey(int16(apiOf(frame)))
	req.SetVersion(versionOf(frame))
	r := kbin.Reader{Src: frame[clientAt:]}
	r.NullableString()
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	body = r.Src
	if err := req.ReadFrom(body); err != nil {
		panic(fmt.Sprintf("request %v of the engine cannot be decoded: %v", apiOf(frame), err))
	}
	return req, body
}

// classify names the steps that a request is, and those that its answer will be.
func (l *link) classify(frame []byte) (before, after []Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.stage
	switch apiOf(frame) {
	case faultnet.Metadata:
		return []Step{Metadata}, nil
	case faultnet.FindCoordinator:
		return []Step{FindCoordinator}, nil
	case faultnet.JoinGroup:
		return []Step{Join}, nil
	case faultnet.SyncGroup:
		return []Step{Sync}, nil
	case leaveGroup:
		return []Step{Leave}, nil
	case faultnet.ListOffsets:
		return []Step{LogEnds}, nil
	case faultnet.Heartbeat:
		return inDoubt(s, Heartbeat, SettleHeartbeat), nil
	case faultnet.InitProducerID:
		return inDoubt(s, Fence, SettleFence), nil
	case faultnet.OffsetFetch:
		return inDoubt(s, Offsets, SettleOffsets), nil
	case faultnet.Fetch:
		if !bytes.Contains(frame, l.process.world.stateID[:]) {
			return []Step{Fetch}, nil
		}
		if req, ok := first(parse(frame)).(*kmsg.FetchRequest); ok && req.IsolationLevel == 1 {
			return []Step{Restore}, nil
		}
		return []Step{LogEnds}, nil
	case faultnet.AddPartitionsToTxn, faultnet.AddOffsetsToTxn, faultnet.Produce, faultnet.TxnOffsetCommit, faultnet.EndTxn:
		return s.inTransaction(frame)
	}
	return nil, nil
}

func first[A, B any](a A, _ B) A { return a }

func inDoubt(s *stage, otherwise, doubt Step) []Step {
	if s.doubt {
		return []Step{doubt}
	}
	return []Step{otherwise}
}

// inTransaction tells a takeover's transaction from one of work by its
// partitions: the first writes to the state only. One of work does so, too, when
// it has nothing but duplicates, and then counts as the other.
func (s *stage) inTransaction(frame []byte) (before, after []Step) {
	pick := func(work, claim Step, draining ...Step) []Step {
		switch {
		case s.claiming:
			return []Step{claim}
		case s.stopping:
			return draining
		}
		return []Step{work}
	}
	switch apiOf(frame) { //nolint:exhaustive // the others are in no transaction
	case faultnet.AddPartitionsToTxn:
		s.doubt = false
		s.claiming = !bytes.Contains(frame, []byte(resultTopic)) && !bytes.Contains(frame, []byte(letterTopic))
		return pick(AddPartitions, ClaimPartitions), nil
	case faultnet.AddOffsetsToTxn:
		return pick(AddOffsets, ClaimAddOffsets), nil
	case faultnet.Produce:
		if s.claiming {
			return []Step{ClaimProduce}, nil
		}
		return pick(Produce, ClaimProduce, DrainProduce), pick(Produced, ClaimProduce)
	case faultnet.TxnOffsetCommit:
		return pick(CommitOffsets, ClaimCommitOffsets), nil
	case faultnet.EndTxn:
		return pick(EndTxn, ClaimEnd, DrainEnd), pick(Ended, ClaimEnded, DrainEnded)
	}
	return nil, nil
}

// refused writes an error into every place of an answer that has one.
func refused(frame []byte, r *request, f *fault) []byte {
	res, head := parseAnswer(frame, r)
	n := 0
	eachCode(reflect.ValueOf(res), func(code reflect.Value) {
		code.SetInt(int64(f.Code))
		n++
	})
	if n == 0 {
		f.note("the answer has no place for an error")
		return frame
	}
	f.over("done, answered " + codeName(f.Code))
	out := res.AppendTo(slices.Clone(frame[:head]))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

// codesOf lists the errors of an answer.
func codesOf(frame []byte, r *request) string {
	res, _ := parseAnswer(frame, r)
	var names []string
	eachCode(reflect.ValueOf(res), func(code reflect.Value) {
		if name := codeName(int16(code.Int())); code.Int() != 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	if len(names) == 0 {
		return "without error"
	}
	return strings.Join(names, ", ")
}

// parseAnswer decodes an answer; head is the size of what comes before it.
func parseAnswer(frame []byte, r *request) (res kmsg.Response, head int) {
	res = kmsg.ResponseForKey(int16(r.api))
	res.SetVersion(r.version)
	if head = 8; res.IsFlexible() {
		head++ // no tags
	}
	if err := res.ReadFrom(frame[head:]); err != nil {
		panic(fmt.Sprintf("answer to %v cannot be decoded: %v", r.api, err))
	}
	return res, head
}

// eachCode visits every field named ErrorCode.
func eachCode(v reflect.Value, do func(reflect.Value)) {
	switch v.Kind() { //nolint:exhaustive // messages are made of these
	case reflect.Pointer:
		if !v.IsNil() {
			eachCode(v.Elem(), do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachCode(v.Index(i), do)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ErrorCode" {
				do(v.Field(i))
				continue
			}
			eachCode(v.Field(i), do)
		}
	}
}
