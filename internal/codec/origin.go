package codec

import (
	"strconv"

	"pulse-scorer/internal/pulse"
)

// Origin is what a result says about the signal and the input record it was
// made of. Its strings are valid as long as the result's bytes are.
type Origin struct {
	ID, Source string
	// Topic, Partition and Offset are the input record's coordinates.
	Topic     string
	Partition int32
	Offset    int64
	Attempts  int
	// Profile and Version are of the scoring; External says that answers of
	// external enrichers are in the result.
	Profile, Version string
	External         bool
}

// ReadOrigin reads the origin of a result, of this version of the schema or a
// later one that has more members. It is as strict about JSON as Decode. Bad
// says why value is no result.
func (d *Decoder) ReadOrigin(value []byte, o *Origin) *pulse.Bad { //nolint:cyclop // a table of names
	*o = Origin{Partition: -1, Offset: -1}
	s := scanner{buf: value}
	fail := func() *pulse.Bad {
		return &pulse.Bad{Class: pulse.MalformedJSON, Message: "no result: at byte " + strconv.Itoa(s.at) + ": " + s.why}
	}
	i := s.space(0)
	if i >= len(value) || value[i] != '{' {
		s.fail(i, "a JSON object is expected")
		return fail()
	}
	end := s.members(i, 1, func(name []byte, start, end int) {
		switch string(name) {
		case `"id"`:
			o.ID = d.quoted(value[start:end])
		case `"source"`:
			o.Source = d.quoted(value[start:end])
		case `"profile"`:
			o.Profile = d.quoted(value[start:end])
		case `"scorer_version"`:
			o.Version = d.quoted(value[start:end])
		case `"external"`:
			o.External = true
		case `"attempts"`:
			o.Attempts, _ = strconv.Atoi(string(value[start:end]))
		case `"input"`:
			if value[start] == '{' {
				d.readInput(value[:end], start, o)
			}
		}
	})
	if end < 0 {
		return fail()
	}
	if rest := s.space(end); rest != len(value) {
		s.fail(rest, "something follows after the end")
		return fail()
	}
	if o.ID == "" || o.Topic == "" || o.Partition < 0 || o.Offset < 0 {
		return invalid("", "input", "id, or topic, partition or offset of the input record are missing: no result of this service")
	}
	return nil
}

// readInput reads the coordinates, of an object that was found valid.
func (d *Decoder) readInput(buf []byte, start int, o *Origin) {
	s := scanner{buf: buf}
	s.members(start, 1, func(name []byte, start, end int) {
		switch string(name) {
		case `"topic"`:
			o.Topic = d.quoted(buf[start:end])
		case `"partition"`:
			if n, err := strconv.ParseInt(string(buf[start:end]), 10, 32); err == nil {
				o.Partition = int32(n)
			}
		case `"offset"`:
			if n, err := strconv.ParseInt(string(buf[start:end]), 10, 64); err == nil {
				o.Offset = n
			}
		}
	})
}

// quoted is the content of a string, nothing for what is none.
func (d *Decoder) quoted(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	s := scanner{buf: raw}
	_, escaped := s.text(0)
	raw = raw[1 : len(raw)-1]
	if escaped {
		raw = appendUnescaped(d.strings.take(len(raw)), raw)
	}
	return alias(raw)
}

// Claimed is the id and the source that a record gives itself, however bad it is
// otherwise; empty where it gives none. It is for people who look for a signal
// that Decode refuses. The strings are valid as long as the record is.
func (d *Decoder) Claimed(value []byte, headers []Header) (id, source string) {
	s := scanner{buf: value}
	if i := s.space(0); i < len(value) && value[i] == '{' {
		s.members(i, 1, func(name []byte, start, end int) {
			switch string(name) {
			case `"id"`:
				id = d.quoted(value[start:end])
			case `"source"`:
				source = d.quoted(value[start:end])
			}
		})
	}
	for _, h := range headers { // of a binary CloudEvent
		switch h.Key {
		case "ce_id":
			id = alias(h.Value)
		case "ce_source":
			source = alias(h.Value)
		}
	}
	return id, source
}
