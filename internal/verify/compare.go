package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Difference is one member of a result that is not what it was.
type Difference struct {
	// Field is its name, with a dot before each name inside it.
	Field string `json:"field"`
	// Is is what the result has, Again what scoring it again gives, as JSON; empty
	// when there is no such member.
	Is    string `json:"is,omitempty"`
	Again string `json:"again,omitempty"`
}

// left are the members that are not compared.
func left(field string) bool {
	return field == "input" || field == "attempts" || field == "external" || field == "scorer_version"
}

// Compare lists the members in which a result differs from the one made again, in
// order of their names. An error says which of them is no JSON object.
func Compare(is, again []byte) ([]Difference, error) {
	if bytes.Equal(is, again) {
		return nil, nil
	}
	a, err := members(is)
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	b, err := members(again)
	if err != nil {
		return nil, fmt.Errorf("result made again: %w", err)
	}
	return compare(nil, "", a, b), nil
}

func members(object []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		return nil, fmt.Errorf("not an object: %w", err)
	}
	return m, nil
}

func compare(found []Difference, path string, a, b map[string]json.RawMessage) []Difference {
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if path == "" && left(name) || bytes.Equal(a[name], b[name]) {
			continue
		}
		inner, errA := members(a[name])
		other, errB := members(b[name])
		if errA == nil && errB == nil && inner != nil && other != nil {
			found = compare(found, path+name+".", inner, other)
			continue
		}
		found = append(found, Difference{Field: path + name, Is: shown(a[name]), Again: shown(b[name])})
	}
	return found
}

// shown is a value that is short enough to be read.
func shown(value []byte) string {
	const most = 120
	if len(value) <= most {
		return string(value)
	}
	n := most
	for n > 0 && !utf8.RuneStart(value[n]) {
		n--
	}
	return string(value[:n]) + "…"
}
