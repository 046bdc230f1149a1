package codec

import "pulse-scorer/internal/pulse"

// member names a member of the top-level object that is looked at.
type member uint8

// The members looked at.
const (
	mName member = iota
	mValue
	mSource
	mTimestamp
	mID
	mContext
	// CloudEvents in structured mode.
	mSpecVersion
	mEventType
	mEventTime
	mData
	mDataBase64
	// What scoring reads of a forecast, from here on: it makes up
	// pulse.Signal.Record.
	mForecast
	mTraceID
	mOverlays
	mSymbolicChange
	mFragility
	mSymbolicFragmented
	mArcVolatilityScore
	mRetrodictionScore
	mDriftFlag
	mSymbolicTag
	mUnknown
)

const memberCount = mUnknown

// memberNames are the members' names as they are written.
var memberNames = [memberCount]string{
	"name", "value", "source", "timestamp", "id", "context",
	"specversion", "type", "time", "data", "data_base64",
	"forecast", "trace_id", "overlays", "symbolic_change", "fragility", "symbolic_fragmented",
	"arc_volatility_score", "retrodiction_score", "drift_flag", "symbolic_tag",
}

// spelt are the members' names as they nearly always stand in a record.
var spelt = func() (texts [memberCount]string) {
	for m, name := range memberNames {
		texts[m] = `"` + name + `":`
	}
	return texts
}()

// lookup returns the member called key, or mUnknown. The compiler turns the
// switch into a search by length and bytes.
//
//nolint:cyclop // a table, not a decision; a map would cost more than all the rest of a member
func lookup(key []byte) member {
	switch string(key) {
	case "name":
		return mName
	case "value":
		return mValue
	case "source":
		return mSource
	case "timestamp":
		return mTimestamp
	case "id":
		return mID
	case "context":
		return mContext
	case "specversion":
		return mSpecVersion
	case "type":
		return mEventType
	case "time":
		return mEventTime
	case "data":
		return mData
	case "data_base64":
		return mDataBase64
	case "forecast":
		return mForecast
	case "trace_id":
		return mTraceID
	case "overlays":
		return mOverlays
	case "symbolic_change":
		return mSymbolicChange
	case "fragility":
		return mFragility
	case "symbolic_fragmented":
		return mSymbolicFragmented
	case "arc_volatility_score":
		return mArcVolatilityScore
	case "retrodiction_score":
		return mRetrodictionScore
	case "drift_flag":
		return mDriftFlag
	case "symbolic_tag":
		return mSymbolicTag
	}
	return mUnknown
}

// field is where a member's value lies, and what it is. It stays as it is when
// the member is not in the record: fields.has says that.
type field struct {
	start, end int
	kind       pulse.ValueKind
	escaped    bool   // a string with escapes
	num        number // a number
}

// fields are the members of one object.
type fields struct {
	buf   []byte
	seen  uint32
	slots [memberCount]field
	// order are the members from forecast on by their first appearance.
	order  [memberCount - mForecast]member
	orders int
	// follower is what came after a member when it was seen last; that of mUnknown,
	// what came first or after a member that is not looked at. The records of a
	// topic are alike, so it is tried before all others
	// (TestDecode_DoesNotDependOnTheRecordBefore).
	follower [memberCount + 1]member
}

func (f *fields) reset(buf []byte) { f.buf, f.seen, f.orders = buf, 0, 0 }

func (f *fields) has(m member) bool { return f.seen&(1<<m) != 0 }

// is says whether a member is there and of a kind.
func (f *fields) is(m member, k pulse.ValueKind) bool { return f.has(m) && f.slots[m].kind == k }

// raw returns the bytes of a member's value.
func (f *fields) raw(m member) []byte { return f.buf[f.slots[m].start:f.slots[m].end] }

// note marks a member as seen and returns its place. What was there from an
// earlier member of the same name is written over: the last one wins.
func (f *fields) note(m member) *field {
	if m >= mForecast && !f.has(m) {
		f.order[f.orders] = m
		f.orders++
	}
	f.seen |= 1 << m
	return &f.slots[m]
}

// record validates a whole record that is an object and notes its members in
// f. It returns the index after the object, or -1.
func (s *scanner) record(i int, f *fields, scratch *[]byte) int {
	f.reset(s.buf)
	i, empty := s.empty(i, '}')
	m := mUnknown
	for !empty {
		m, i = s.member(i, f, m, scratch)
		switch {
		case i < 0:
			return -1
		case m == mUnknown:
			i = s.value(i, 1)
		default:
			i = s.noted(i, f.note(m))
		}
		if i < 0 {
			return -1
		}
		if i < len(s.buf) && s.buf[i] != ',' {
			i = s.space(i)
		}
		if i >= len(s.buf) || s.buf[i] != ',' {
			return s.closed(i, '}')
		}
		i = s.space(i + 1)
	}
	return i
}

// member passes over a member's name and colon and says which it is. last is the
// one before it, mUnknown for none. next is the index of its value, or -1.
func (s *scanner) member(i int, f *fields, last member, scratch *[]byte) (m member, next int) {
	if m = f.follower[last]; m != mUnknown {
		if name := spelt[m]; len(s.buf)-i >= len(name) && string(s.buf[i:i+len(name)]) == name {
			return m, s.space(i + len(name))
		}
	}
	end, escaped, next := s.name(i)
	if next < 0 {
		return mUnknown, -1
	}
	key := s.buf[i+1 : end-1]
	if escaped {
		*scratch = appendUnescaped((*scratch)[:0], key)
		key = *scratch
	}
	m = lookup(key)
	f.follower[last] = m
	return m, next
}

// noted validates the value of a member that is looked at and notes it.
func (s *scanner) noted(i int, f *field) int {
	f.start = i
	if i >= len(s.buf) {
		return s.fail(i, "ends where a value is expected")
	}
	switch c := s.buf[i]; {
	case c == '"':
		f.kind = pulse.String
		f.end, f.escaped = s.text(i)
	case c == '-' || isDigit(c):
		f.kind = pulse.Number
		f.num, f.end = s.number(i)
	default:
		f.kind = kindOf(c)
		f.end = s.value(i, 1)
	}
	return f.end
}

// kindOf returns the kind of the valid value that begins with c.
func kindOf(c byte) pulse.ValueKind {
	switch c {
	case '{':
		return pulse.Object
	case '[':
		return pulse.List
	case '"':
		return pulse.String
	case 't', 'f':
		return pulse.Bool
	case 'n':
		return pulse.Null
	default:
		return pulse.Number
	}
}
