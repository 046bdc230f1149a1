package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strings"

	"pulse-scorer/internal/pulse"
)

// Versions of the byte forms below. Hashes of them are kept in the state topic
// and IDs derived from them in results, so a form never changes under its
// version (TestIdentity_Golden, TestContent_Golden).
const (
	identityVersion = 1
	contentVersion  = 1
	derivedPrefix   = "h1:"
)

// Flags say what was given. A default in its place must not look the same:
// it may be configured otherwise tomorrow.
const (
	sourceGiven byte = 1 << iota
	idGiven
	timestampGiven
	recordTimeInstead
)

// AppendIdentity appends what makes sig the same signal as another: its source
// and ID. The form is canonical and unambiguous: a version, flags for what was
// given, and each text after its length. An absent source is not the same as
// the default source, and a derived ID never equals a given one.
func AppendIdentity(dst []byte, sig *pulse.Signal) []byte {
	var flags byte
	source := ""
	if sig.SourceGiven {
		flags |= sourceGiven
		source = sig.Source
	}
	if sig.IDGiven {
		flags |= idGiven
	}
	dst = append(dst, identityVersion, flags)
	dst = appendSized(dst, source)
	return appendSized(dst, sig.ID)
}

// AppendContent appends what sig says, in a canonical form: source, name,
// timestamp, value and forecast record as given. Absent stays absent: neither
// the default source nor the record's time stands in. How it was written has
// no part in it: not white space, member order, escapes, the spelling of
// numbers (0 and -0 are equal) or the zone of a timestamp, nor headers, ID and
// context. Equal bytes mean equal content.
func AppendContent(dst []byte, sig *pulse.Signal) []byte {
	var flags byte
	if sig.TimestampGiven {
		flags = timestampGiven
	}
	return appendContent(dst, sig, flags)
}

func appendContent(dst []byte, sig *pulse.Signal, flags byte) []byte {
	source := ""
	if sig.SourceGiven {
		flags |= sourceGiven
		source = sig.Source
	}
	dst = append(dst, contentVersion, flags)
	dst = appendSized(dst, source)
	dst = appendSized(dst, sig.Name)
	if flags&(timestampGiven|recordTimeInstead) != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(sig.Timestamp.Micros))
	}
	dst = appendBits(dst, sig.Value)
	dst = append(dst, byte(sig.Kind))
	if sig.Kind == pulse.Forecasted {
		dst = appendTree(dst, &sig.Record)
	}
	return dst
}

// deriveID sets the ID of a signal that came without: a hash of its content,
// with the record's time in the place of an absent timestamp, because a second
// real reading of the same value is not a duplicate. So the same record read
// again has the same ID, and so has a record that upstream sends again if it
// carries its own timestamp; without one, it is a new reading.
func (d *Decoder) deriveID(sig *pulse.Signal) {
	flags := recordTimeInstead
	if sig.TimestampGiven {
		flags = timestampGiven
	}
	d.scratch = appendContent(d.scratch[:0], sig, flags)
	sum := sha256.Sum256(d.scratch)
	const hashed = 16
	id := append(d.strings.take(len(derivedPrefix)+2*hashed), derivedPrefix...)
	sig.ID = alias(hex.AppendEncode(id, sum[:hashed]))
}

func appendSized(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendBits(dst []byte, f float64) []byte {
	if f == 0 {
		f = 0 // also for -0
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
}

// appendTree appends a value of any kind: its kind, then what it holds. The
// members of an object are sorted by name.
func appendTree(dst []byte, v *pulse.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case pulse.Null:
	case pulse.Bool:
		if v.Bool {
			return append(dst, 1)
		}
		return append(dst, 0)
	case pulse.Number:
		return appendBits(dst, v.Number)
	case pulse.String:
		return appendSized(dst, v.String)
	case pulse.List:
		dst = binary.AppendUvarint(dst, uint64(len(v.List)))
		for i := range v.List {
			dst = appendTree(dst, &v.List[i])
		}
	case pulse.Object:
		sorted := slices.Clone(v.Members)
		slices.SortFunc(sorted, func(a, b pulse.Member) int { return strings.Compare(a.Name, b.Name) })
		dst = binary.AppendUvarint(dst, uint64(len(sorted)))
		for i := range sorted {
			dst = appendSized(dst, sorted[i].Name)
			dst = appendTree(dst, &sorted[i].Value)
		}
	}
	return dst
}
