package wire

import "fmt"

// Subscription is what a member of a consumer group tells its leader. It is
// encoded as the protocol type "consumer" demands, so that tools that describe
// groups can read it.
type Subscription struct {
	Topics []string
	// UserData is the assignor's own; nil is null.
	UserData []byte
	// Owned is what the member holds while it joins.
	Owned []TopicPartitions
}

// Assignment is what a leader gives to a member.
type Assignment struct {
	Topics   []TopicPartitions
	UserData []byte
}

// The versions that are written: 1 of the subscription adds the owned
// partitions, 0 is all that an assignment needs. Higher ones, of members of
// another kind, add fields at the end, which are ignored.
const (
	subscriptionVersion = 1
	assignmentVersion   = 0
)

// Append adds the encoded subscription to dst.
func (s *Subscription) Append(dst []byte) []byte {
	e := encoder{b: dst}
	e.int16(subscriptionVersion)
	e.array(len(s.Topics))
	for _, t := range s.Topics {
		e.string(t)
	}
	e.userData(s.UserData)
	e.topicPartitions(s.Owned)
	return e.b
}

// Decode reads a subscription of any version. UserData aliases p.
func (s *Subscription) Decode(p []byte) error {
	d := decoder{b: p}
	version := d.int16()
	*s = Subscription{}
	for range d.array(2) {
		s.Topics = append(s.Topics, d.string())
	}
	s.UserData = d.bytes()
	if version >= 1 {
		s.Owned = d.topicPartitions()
	}
	return d.consumer("subscription", version, subscriptionVersion)
}

// Append adds the encoded assignment to dst.
func (a *Assignment) Append(dst []byte) []byte {
	e := encoder{b: dst}
	e.int16(assignmentVersion)
	e.topicPartitions(a.Topics)
	e.userData(a.UserData)
	return e.b
}

// Decode reads an assignment of any version. UserData aliases p. No bytes at
// all, which is what a member gets that nothing was assigned to, are an empty
// assignment.
func (a *Assignment) Decode(p []byte) error {
	*a = Assignment{}
	if len(p) == 0 {
		return nil
	}
	d := decoder{b: p}
	version := d.int16()
	a.Topics = d.topicPartitions()
	a.UserData = d.bytes()
	// Version 1 added no field.
	return d.consumer("assignment", version, 1)
}

func (e *encoder) userData(p []byte) {
	if p == nil {
		e.int32(none)
		return
	}
	e.bytes(p)
}

// consumer ends what a member wrote: up to the version that is known nothing
// may follow.
func (d *decoder) consumer(what string, version, known int16) error {
	if version < 0 {
		d.failf("version %d", version)
	}
	if d.fault == nil && version <= known && d.at != len(d.b) {
		d.failf("%d bytes follow it", len(d.b)-d.at)
	}
	if d.fault != nil {
		return fmt.Errorf("consumer %s: %w", what, d.fault)
	}
	return nil
}
