package state

import (
	"encoding/binary"
	"math"
	"strings"

	"pulse-scorer/internal/pulse"
)

// The tags that start an encoded value.
const (
	tagNull byte = iota
	tagFalse
	tagTrue
	tagInteger // zigzag varint
	tagFloat   // 8 bytes
	tagString  // length, bytes
	tagList    // count, values
	tagObject  // count, (length, name, value)
)

// maxDepth bounds nesting. JSON decoders stop here as well.
const maxDepth = 10_000

// integer returns n as a whole number, where that is exact and shorter than
// its 8 bytes. Minus zero stays a float: its sign would be lost.
func integer(n float64) (int64, bool) {
	i := int64(n)
	exact := float64(i) == n && i > -1<<48 && i < 1<<48 && (i != 0 || !math.Signbit(n))
	return i, exact
}

func appendValue(dst []byte, v pulse.Value) []byte {
	switch v.Kind {
	case pulse.Null:
		return append(dst, tagNull)
	case pulse.Bool:
		if v.Bool {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case pulse.Number:
		if i, ok := integer(v.Number); ok {
			return binary.AppendVarint(append(dst, tagInteger), i)
		}
		return binary.LittleEndian.AppendUint64(append(dst, tagFloat), math.Float64bits(v.Number))
	case pulse.String:
		return appendString(append(dst, tagString), v.String)
	case pulse.List:
		dst = binary.AppendUvarint(append(dst, tagList), uint64(len(v.List)))
		for i := range v.List {
			dst = appendValue(dst, v.List[i])
		}
		return dst
	case pulse.Object:
		dst = binary.AppendUvarint(append(dst, tagObject), uint64(len(v.Members)))
		for i := range v.Members {
			dst = appendValue(appendString(dst, v.Members[i].Name), v.Members[i].Value)
		}
		return dst
	}
	panic("state: value of an unknown kind")
}

// valueSize returns what is left of room after v is encoded, at 9 bytes for
// each value (the longest a number takes) plus its text; false when it does
// not fit or is nested too deep.
func valueSize(v pulse.Value, room, depth int) (left int, ok bool) {
	room -= 9
	if depth > maxDepth {
		return room, false
	}
	room -= len(v.String)
	for i := 0; i < len(v.List) && room >= 0; i++ {
		if room, ok = valueSize(v.List[i], room, depth+1); !ok {
			return room, false
		}
	}
	for i := 0; i < len(v.Members) && room >= 0; i++ {
		m := &v.Members[i]
		if room, ok = valueSize(m.Value, room-5-len(m.Name), depth+1); !ok {
			return room, false
		}
	}
	return room, room >= 0
}

// cloneValue returns a copy that shares no memory with v.
func cloneValue(v pulse.Value) pulse.Value {
	v.String = strings.Clone(v.String)
	if v.List != nil {
		list := make([]pulse.Value, len(v.List))
		for i := range v.List {
			list[i] = cloneValue(v.List[i])
		}
		v.List = list
	}
	if v.Members != nil {
		members := make([]pulse.Member, len(v.Members))
		for i := range v.Members {
			members[i] = pulse.Member{Name: strings.Clone(v.Members[i].Name), Value: cloneValue(v.Members[i].Value)}
		}
		v.Members = members
	}
	return v
}

// value reads what appendValue wrote.
func (r *reader) value(depth int) pulse.Value {
	if depth > maxDepth {
		r.fail("nested too deep")
		return pulse.Value{}
	}
	switch tag := r.byte(); tag {
	case tagNull:
		return pulse.Value{}
	case tagFalse, tagTrue:
		return pulse.Value{Kind: pulse.Bool, Bool: tag == tagTrue}
	case tagInteger:
		return pulse.NumberValue(float64(r.varint()))
	case tagFloat:
		return pulse.NumberValue(r.float64())
	case tagString:
		return pulse.StringValue(r.string())
	case tagList:
		return r.list(depth)
	case tagObject:
		return r.object(depth)
	}
	r.fail("unknown tag")
	return pulse.Value{}
}

func (r *reader) list(depth int) pulse.Value {
	v := pulse.Value{Kind: pulse.List}
	for n := r.count(1); n > 0 && r.err == nil; n-- {
		v.List = append(v.List, r.value(depth+1))
	}
	return v
}

func (r *reader) object(depth int) pulse.Value {
	v := pulse.Value{Kind: pulse.Object}
	for n := r.count(2); n > 0 && r.err == nil; n-- {
		name := r.string()
		v.Members = append(v.Members, pulse.Member{Name: name, Value: r.value(depth + 1)})
	}
	return v
}
