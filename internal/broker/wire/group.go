package wire

// ConsumerProtocol is the protocol type of groups whose members use the
// encodings of Subscription and Assignment.
const ConsumerProtocol = "consumer"

// JoinGroupRequest enters a group, or enters it again.
type JoinGroupRequest struct {
	Group string
	// SessionTimeoutMs is how long the group waits for a heartbeat,
	// RebalanceTimeoutMs how long for members to join again.
	SessionTimeoutMs   int32
	RebalanceTimeoutMs int32
	// MemberID is empty at first; a dynamic member is then given one with
	// MEMBER_ID_REQUIRED and joins again with it.
	MemberID   string
	InstanceID string // empty: a dynamic member
	// Protocols are the ways to assign that the member knows, best first. All
	// are of ConsumerProtocol.
	Protocols []GroupProtocol
}

// GroupProtocol is a way to assign, with what the leader needs to know of the
// member for it.
type GroupProtocol struct {
	Name     string
	Metadata []byte
}

// API implements Request.
func (*JoinGroupRequest) API() APIKey { return JoinGroup }

// Append implements Request.
func (r *JoinGroupRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, JoinGroup, correlationID, clientID)
	e.string(r.Group)
	e.int32(r.SessionTimeoutMs)
	e.int32(r.RebalanceTimeoutMs)
	e.string(r.MemberID)
	e.nullable(r.InstanceID)
	e.string(ConsumerProtocol)
	e.array(len(r.Protocols))
	for _, p := range r.Protocols {
		e.string(p.Name)
		e.bytes(p.Metadata)
		e.tags()
	}
	return e.end()
}

// JoinGroupResponse is the answer to a JoinGroupRequest.
type JoinGroupResponse struct {
	ThrottleMs int32
	Code       ErrorCode
	Generation int32
	// ProtocolType and Protocol are what the group has agreed on.
	ProtocolType, Protocol string
	// Leader is the member that has to assign; only it is told the Members.
	Leader   string
	MemberID string
	Members  []GroupMember
}

// GroupMember is a member as its group's leader sees it. Metadata aliases the
// payload.
type GroupMember struct {
	MemberID   string
	InstanceID string
	Metadata   []byte
}

// Decode implements Response.
func (r *JoinGroupResponse) Decode(correlationID int32, payload []byte) error {
	d := open(JoinGroup, correlationID, payload)
	*r = JoinGroupResponse{
		ThrottleMs: d.int32(), Code: d.code(), Generation: d.int32(),
		ProtocolType: d.string(), Protocol: d.string(), Leader: d.string(), MemberID: d.string(),
	}
	for range d.array(3) {
		r.Members = append(r.Members, GroupMember{MemberID: d.string(), InstanceID: d.string(), Metadata: d.bytes()})
		d.tags()
	}
	return d.close(JoinGroup)
}

// SyncGroupRequest asks for the member's assignment. The leader hands in
// everybody's, the others none.
type SyncGroupRequest struct {
	Group       string
	Generation  int32
	MemberID    string
	InstanceID  string // empty: a dynamic member
	Protocol    string // what JoinGroup answered
	Assignments []MemberAssignment
}

// MemberAssignment is what a leader gives to a member.
type MemberAssignment struct {
	MemberID   string
	Assignment []byte
}

// API implements Request.
func (*SyncGroupRequest) API() APIKey { return SyncGroup }

// Append implements Request.
func (r *SyncGroupRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, SyncGroup, correlationID, clientID)
	e.string(r.Group)
	e.int32(r.Generation)
	e.string(r.MemberID)
	e.nullable(r.InstanceID)
	e.string(ConsumerProtocol)
	e.nullable(r.Protocol)
	e.array(len(r.Assignments))
	for _, a := range r.Assignments {
		e.string(a.MemberID)
		e.bytes(a.Assignment)
		e.tags()
	}
	return e.end()
}

// SyncGroupResponse is the answer to a SyncGroupRequest. Assignment aliases
// the payload.
type SyncGroupResponse struct {
	ThrottleMs             int32
	Code                   ErrorCode
	ProtocolType, Protocol string
	Assignment             []byte
}

// Decode implements Response.
func (r *SyncGroupResponse) Decode(correlationID int32, payload []byte) error {
	d := open(SyncGroup, correlationID, payload)
	*r = SyncGroupResponse{ThrottleMs: d.int32(), Code: d.code(), ProtocolType: d.string(), Protocol: d.string(), Assignment: d.bytes()}
	return d.close(SyncGroup)
}

// HeartbeatRequest says that the member is alive.
type HeartbeatRequest struct {
	Group      string
	Generation int32
	MemberID   string
	InstanceID string // empty: a dynamic member
}

// API implements Request.
func (*HeartbeatRequest) API() APIKey { return Heartbeat }

// Append implements Request.
func (r *HeartbeatRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, Heartbeat, correlationID, clientID)
	e.string(r.Group)
	e.int32(r.Generation)
	e.string(r.MemberID)
	e.nullable(r.InstanceID)
	return e.end()
}

// HeartbeatResponse is the answer to a HeartbeatRequest.
type HeartbeatResponse struct {
	ThrottleMs int32
	Code       ErrorCode
}

// Decode implements Response.
func (r *HeartbeatResponse) Decode(correlationID int32, payload []byte) error {
	d := open(Heartbeat, correlationID, payload)
	*r = HeartbeatResponse{ThrottleMs: d.int32(), Code: d.code()}
	return d.close(Heartbeat)
}

// LeaveGroupRequest takes members out of a group.
type LeaveGroupRequest struct {
	Group   string
	Members []LeavingMember
}

// LeavingMember names a member by its ID, a static one by its instance ID as
// well.
type LeavingMember struct{ MemberID, InstanceID string }

// API implements Request.
func (*LeaveGroupRequest) API() APIKey { return LeaveGroup }

// Append implements Request.
func (r *LeaveGroupRequest) Append(dst []byte, correlationID int32, clientID string) []byte {
	e := begin(dst, LeaveGroup, correlationID, clientID)
	e.string(r.Group)
	e.array(len(r.Members))
	for _, m := range r.Members {
		e.string(m.MemberID)
		e.nullable(m.InstanceID)
		e.tags()
	}
	return e.end()
}

// LeaveGroupResponse is the answer to a LeaveGroupRequest.
type LeaveGroupResponse struct {
	ThrottleMs int32
	Code       ErrorCode
	Members    []LeftMember
}

// LeftMember is the answer for one member.
type LeftMember struct {
	MemberID, InstanceID string
	Code                 ErrorCode
}

// Decode implements Response.
func (r *LeaveGroupResponse) Decode(correlationID int32, payload []byte) error {
	d := open(LeaveGroup, correlationID, payload)
	*r = LeaveGroupResponse{ThrottleMs: d.int32(), Code: d.code()}
	for range d.array(2 + 2) {
		r.Members = append(r.Members, LeftMember{MemberID: d.string(), InstanceID: d.string(), Code: d.code()})
		d.tags()
	}
	return d.close(LeaveGroup)
}

// Err is the first error of the answer: a replaced static member hears of it
// only in its own part (FENCED_INSTANCE_ID), with a Code of 0.
func (r *LeaveGroupResponse) Err() error {
	if r.Code != 0 {
		return r.Code
	}
	for _, m := range r.Members {
		if m.Code != 0 {
			return m.Code
		}
	}
	return nil
}
