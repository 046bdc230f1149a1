package codec

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"pulse-scorer/internal/pulse"
)

// tree builds the value of any kind that begins at buf[i], which must have
// been validated, and returns the index after it. Nothing in the tree aliases
// buf: forecasts outlive their records in the memory of their stream.
//
// A number outside float64's range becomes an infinity; faultPath finds it
// when the tree is whole, because a later member of the same name may have
// taken its place.
func (d *Decoder) tree(s *scanner, i int) (v pulse.Value, end int) {
	switch v.Kind = kindOf(s.buf[i]); v.Kind {
	case pulse.Null:
		return v, i + len("null")
	case pulse.Bool:
		v.Bool = s.buf[i] == 't'
		if v.Bool {
			return v, i + len("true")
		}
		return v, i + len("false")
	case pulse.Number:
		n, end := s.number(i)
		v.Number = n.float(s.buf[i:end])
		if raw := s.buf[i:end]; !bytes.ContainsAny(raw, ".eE") {
			v.String = string(raw)
		}
		return v, end
	case pulse.String:
		end, escaped := s.text(i)
		v.String = d.clone(s.buf[i+1:end-1], escaped)
		return v, end
	case pulse.List:
		v.List, end = d.list(s, i)
	case pulse.Object:
		v.Members, end = d.object(s, i)
	}
	return v, end
}

func (d *Decoder) list(s *scanner, i int) (list []pulse.Value, end int) {
	i = s.space(i + 1)
	for s.buf[i] != ']' {
		v, end := d.tree(s, i)
		list = append(list, v)
		if i = s.space(end); s.buf[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return list, i + 1
}

func (d *Decoder) object(s *scanner, i int) (members []pulse.Member, end int) {
	i = s.space(i + 1)
	for s.buf[i] != '}' {
		end, escaped, next := s.name(i)
		m := pulse.Member{Name: d.clone(s.buf[i+1:end-1], escaped)}
		m.Value, end = d.tree(s, next)
		members = append(members, m)
		if i = s.space(end); s.buf[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return lastWins(members), i + 1
}

// fewMembers is up to which size comparing all pairs is cheaper than a map.
const fewMembers = 16

// lastWins removes repeated names: the last value of a name stands at the
// place of the first. It works in place and in linear time, as a record may
// hold a hundred thousand members.
func lastWins(members []pulse.Member) []pulse.Member {
	if len(members) > fewMembers {
		return lastWinsLarge(members)
	}
	kept := members[:0]
next:
	for _, m := range members {
		for k := range kept {
			if kept[k].Name == m.Name {
				kept[k].Value = m.Value
				continue next
			}
		}
		kept = append(kept, m)
	}
	return kept
}

func lastWinsLarge(members []pulse.Member) []pulse.Member {
	place := make(map[string]int, len(members))
	kept := members[:0]
	for _, m := range members {
		if k, repeated := place[m.Name]; repeated {
			kept[k].Value = m.Value
			continue
		}
		place[m.Name] = len(kept)
		kept = append(kept, m)
	}
	return kept
}

// clone returns a string of its own for the inside of a valid string. The
// names that forecasts are made of cost nothing.
func (d *Decoder) clone(raw []byte, escaped bool) string {
	if escaped {
		d.scratch = appendUnescaped(d.scratch[:0], raw)
		raw = d.scratch
	}
	if s := knownWord(raw); s != "" {
		return s
	}
	return string(raw)
}

// knownWord returns the constant equal to raw, if it is a common word, and ""
// otherwise.
func knownWord(raw []byte) string {
	switch string(raw) {
	case "hope":
		return "hope"
	case "despair":
		return "despair"
	case "rage":
		return "rage"
	case "fatigue":
		return "fatigue"
	case "trust":
		return "trust"
	case "start_capital":
		return "start_capital"
	case "end_capital":
		return "end_capital"
	case "start_state":
		return "start_state"
	case "overlays":
		return "overlays"
	case "symbolic_change":
		return "symbolic_change"
	case "nvda":
		return "nvda"
	case "msft":
		return "msft"
	case "ibit":
		return "ibit"
	case "spy":
		return "spy"
	}
	return ""
}

// finite says whether all numbers of v are.
func finite(v *pulse.Value) bool {
	switch v.Kind {
	case pulse.Number:
		return !math.IsInf(v.Number, 0)
	case pulse.List:
		for i := range v.List {
			if !finite(&v.List[i]) {
				return false
			}
		}
	case pulse.Object:
		for i := range v.Members {
			if !finite(&v.Members[i].Value) {
				return false
			}
		}
	case pulse.Null, pulse.Bool, pulse.String:
	}
	return true
}

// faultPath returns the dotted path of the first number of v that is not
// finite; path is v's own. Elements of lists count from 0.
func faultPath(v *pulse.Value, path string) string {
	for i := range v.List {
		if !finite(&v.List[i]) {
			return faultPath(&v.List[i], joinPath(path, strconv.Itoa(i)))
		}
	}
	for i := range v.Members {
		if m := &v.Members[i]; !finite(&m.Value) {
			return faultPath(&m.Value, joinPath(path, m.Name))
		}
	}
	return path
}

// maxPath bounds a path, as it goes into headers and logs.
const maxPath = 128

// joinPath adds a name to a path, or dots when that would get too long.
func joinPath(path, name string) string {
	switch {
	case strings.HasSuffix(path, "..."):
		return path
	case len(path)+len(name) > maxPath:
		return path + "..."
	default:
		return path + "." + name
	}
}
