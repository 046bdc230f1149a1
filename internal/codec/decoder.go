package codec

import (
	"fmt"
	"math"

	"pulse-scorer/internal/pulse"
)

// maxText is how many bytes a name and an id may have.
const maxText = 256

// Settings say how records are read.
type Settings struct {
	// DefaultSource stands for the source of records that have none
	// (PULSE_DEFAULT_SOURCE).
	DefaultSource string
}

// Decoder turns records into signals. It is for one goroutine at a time; it
// keeps nothing from one record to the next that changes what it finds
// (TestDecode_DoesNotDependOnTheRecordBefore).
type Decoder struct {
	settings Settings
	outer    fields // of the record
	inner    fields // of the data of a structured CloudEvent
	scratch  []byte
	strings  arena
	// path is put before the names of the last signal's members, eventSource and
	// eventTime are where its source and timestamp stood if they were an event's.
	path, eventSource, eventTime string
}

// NewDecoder returns a Decoder.
func NewDecoder(settings Settings) *Decoder { return &Decoder{settings: settings} }

// envelope is what the headers or the CloudEvent around a signal say about it.
type envelope struct {
	// path is put before the names of the signal's own members.
	path string
	// event says that id and source below stand for the signal's own.
	event      bool
	id, source string
	// time is the event's time, at timePath; hasTime, that it has one, and
	// timeIsText, that it is a string.
	timePath, time      string
	hasTime, timeIsText bool
}

// Decode reads the signal that a record holds into sig, which is overwritten.
// recordTimeMs is the record's Kafka timestamp in milliseconds. It returns nil
// when the record is good. Of a bad one sig holds Source and SourceGiven, where
// they can be told, and nothing else: a source is judged by its bad records, too.
// What counts as good is described in the package comment.
func (d *Decoder) Decode(value []byte, headers []Header, recordTimeMs int64, sig *pulse.Signal) *pulse.Bad {
	*sig = pulse.Signal{}
	d.path, d.eventSource, d.eventTime = "", "", ""
	if value == nil {
		return &pulse.Bad{Class: pulse.MalformedJSON, Message: "null value (tombstone): send a JSON object"}
	}
	mode, bad := modeOf(headers)
	if bad != nil {
		return bad
	}
	if bad := d.scan(value, &d.outer, ""); bad != nil {
		return bad
	}
	var env envelope
	f := &d.outer
	switch {
	case mode == binaryEvent:
		d.eventSource = "ce_source"
		bad = binaryAttributes(headers, &env)
	case mode == structuredEvent, mode == unsaid && f.has(mSpecVersion):
		d.eventSource = "source"
		f, bad = d.structured(&env)
	}
	if bad != nil {
		return bad
	}
	d.path = env.path
	if bad := d.signal(f, &env, recordTimeMs, sig); bad != nil {
		*sig = pulse.Signal{}
		d.source(f, &env, sig)
		return bad
	}
	return nil
}

// Place is where a field of the signal that Decode has read last stands in its
// record: who finds a fault there later names it as Decode does.
func (d *Decoder) Place(field string) string {
	switch {
	case field == "timestamp" && d.eventTime != "":
		return d.eventTime
	case field == "source" && d.eventSource != "":
		return d.eventSource
	}
	return d.path + field
}

// scan validates a text that should be one JSON object and notes its members
// in f. path is that of the text when it lies inside a record.
func (d *Decoder) scan(text []byte, f *fields, path string) *pulse.Bad {
	s := scanner{buf: text}
	i := s.space(0)
	isObject := i < len(text) && text[i] == '{'
	switch {
	case i == len(text):
		i = s.fail(i, "there is nothing but white space")
	case isObject:
		i = s.record(i, f, &d.scratch)
	default:
		i = s.value(i, 0)
	}
	if i >= 0 {
		if i = s.space(i); i < len(text) {
			i = s.fail(i, "something follows after the end")
		}
	}
	if i < 0 {
		message := fmt.Sprintf("not JSON at byte %d of %d: %s", s.at, len(text), s.why)
		return &pulse.Bad{Class: pulse.MalformedJSON, Field: path, Message: message}
	}
	if !isObject {
		return invalid("", path, "must be a JSON object")
	}
	return nil
}

func invalid(path, field, message string) *pulse.Bad {
	return &pulse.Bad{Class: pulse.InvalidField, Field: path + field, Message: message}
}

// signal interprets the members noted in f.
func (d *Decoder) signal(f *fields, env *envelope, recordTimeMs int64, sig *pulse.Signal) *pulse.Bad {
	if bad := d.observation(f, env.path, sig); bad != nil {
		return bad
	}
	if bad := d.origin(f, env, sig); bad != nil {
		return bad
	}
	if bad := d.time(f, env, recordTimeMs, sig); bad != nil {
		return bad
	}
	if f.has(mForecast) {
		if bad := d.forecast(f, env.path, sig); bad != nil {
			return bad
		}
	}
	if recordTimeMs < 0 || recordTimeMs > pulse.MaxMicros/1000 {
		return invalid("", "record timestamp", "the record has no Kafka timestamp from 1970 to 9999: produce it with one")
	}
	if !sig.IDGiven {
		d.deriveID(sig)
	}
	return nil
}

// observation reads name and value.
func (d *Decoder) observation(f *fields, path string, sig *pulse.Signal) *pulse.Bad {
	if !f.is(mName, pulse.String) {
		return invalid(path, "name", missingOr(f, mName, "must be a string"))
	}
	sig.Name = d.text(f, mName)
	if sig.Name == "" || len(sig.Name) > maxText {
		return invalid(path, "name", fmt.Sprintf("must have 1 to %d bytes, has %d", maxText, len(sig.Name)))
	}
	if !f.is(mValue, pulse.Number) {
		return invalid(path, "value", missingOr(f, mValue, "must be a number"))
	}
	sig.Value = f.slots[mValue].num.float(f.raw(mValue))
	if math.IsInf(sig.Value, 0) {
		return invalid(path, "value", "is outside the range of a 64-bit float")
	}
	return nil
}

// origin reads source and id, which an event's own go before.
func (d *Decoder) origin(f *fields, env *envelope, sig *pulse.Signal) *pulse.Bad {
	if !d.source(f, env, sig) {
		return invalid(env.path, "source", "must be a string")
	}
	if env.event {
		sig.ID, sig.IDGiven = env.id, true
		return nil
	}
	if f.has(mID) {
		if !f.is(mID, pulse.String) {
			return invalid(env.path, "id", "must be a string")
		}
		sig.ID, sig.IDGiven = d.text(f, mID), true
		return checkID(env.path, "id", sig.ID)
	}
	return nil
}

// source reads the source; false says that it is no string.
func (d *Decoder) source(f *fields, env *envelope, sig *pulse.Signal) bool {
	switch {
	case env.event:
		sig.Source, sig.SourceGiven = env.source, true
	case !f.has(mSource):
		sig.Source = d.settings.DefaultSource
	case f.is(mSource, pulse.String):
		sig.Source, sig.SourceGiven = d.text(f, mSource), true
	default:
		return false
	}
	return true
}

func checkID(path, field, id string) *pulse.Bad {
	if id == "" || len(id) > maxText {
		return invalid(path, field, fmt.Sprintf("must have 1 to %d bytes, has %d", maxText, len(id)))
	}
	return nil
}

// time reads the timestamp, else the event's time, else the record's.
func (d *Decoder) time(f *fields, env *envelope, recordTimeMs int64, sig *pulse.Signal) *pulse.Bad {
	sig.TimestampGiven = true
	var ok bool
	switch {
	case f.is(mTimestamp, pulse.Number):
		if sig.Timestamp, ok = f.slots[mTimestamp].num.epoch(); !ok {
			return invalid(env.path, "timestamp",
				"epoch seconds, or milliseconds above 1e11, must lie in the years 0001 to 9999")
		}
	case f.is(mTimestamp, pulse.String):
		if sig.Timestamp, ok = parseDateTime(d.text(f, mTimestamp)); !ok {
			return invalid(env.path, "timestamp", notDateTime)
		}
	case f.has(mTimestamp) && !f.is(mTimestamp, pulse.Null):
		return invalid(env.path, "timestamp", "must be RFC 3339 text or an epoch number")
	case env.hasTime:
		if sig.Timestamp, ok = parseDateTime(env.time); !ok || !env.timeIsText {
			return invalid("", env.timePath, notDateTime)
		}
		d.eventTime = env.timePath
	default:
		sig.TimestampGiven = false
		if recordTimeMs <= pulse.MaxMicros/1000 {
			sig.Timestamp.Micros = recordTimeMs * 1000
		}
	}
	return nil
}

const notDateTime = "must be RFC 3339 like 2006-01-02T15:04:05Z, in the years 0001 to 9999"

// forecast builds Record from the members scoring reads, and Context.
func (d *Decoder) forecast(f *fields, path string, sig *pulse.Signal) *pulse.Bad {
	if !f.is(mForecast, pulse.Object) {
		return invalid(path, "forecast", "must be an object")
	}
	if f.has(mContext) && !f.is(mContext, pulse.Object) {
		return invalid(path, "context", "must be an object")
	}
	sig.Kind = pulse.Forecasted
	s := scanner{buf: f.buf}
	members := make([]pulse.Member, f.orders)
	for i, m := range f.order[:f.orders] {
		members[i].Name = memberNames[m]
		members[i].Value, _ = d.tree(&s, f.slots[m].start)
	}
	sig.Record = pulse.ObjectValue(members...)
	if f.has(mContext) {
		sig.Context, _ = d.tree(&s, f.slots[mContext].start)
	}
	const message = "is outside the range of a 64-bit float"
	for i := range members {
		if !finite(&members[i].Value) {
			return invalid(path, faultPath(&members[i].Value, members[i].Name), message)
		}
	}
	if !finite(&sig.Context) {
		return invalid(path, faultPath(&sig.Context, "context"), message)
	}
	return nil
}

// text returns the content of a member that is a string.
func (d *Decoder) text(f *fields, m member) string {
	raw := f.raw(m)
	raw = raw[1 : len(raw)-1]
	if f.slots[m].escaped {
		raw = appendUnescaped(d.strings.take(len(raw)), raw)
	}
	return alias(raw)
}

// missingOr returns message, or that the member is missing when it is.
func missingOr(f *fields, m member, message string) string {
	if !f.has(m) {
		return "is missing"
	}
	return message
}
