package codec

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"pulse-scorer/internal/pulse"
)

// mode is what the headers say about a record's format (CloudEvents 1.0.2,
// Kafka protocol binding, sections 3.1 to 3.3).
type mode uint8

const (
	// unsaid: no header speaks of the format. The record is a plain signal,
	// or a structured event if it has a member specversion.
	unsaid mode = iota
	// plainSignal: the record is declared to be something else than an event.
	plainSignal
	binaryEvent
	structuredEvent
)

// modeOf reads content-type and ce_specversion, in this order, as the binding
// asks. Of repeated headers the last one counts.
func modeOf(headers []Header) (mode, *pulse.Bad) {
	if len(headers) == 0 {
		return unsaid, nil
	}
	contentType, typed := header(headers, "content-type")
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch media = strings.TrimSpace(media); {
	case media == "application/cloudevents+json", media == "application/cloudevents":
		return structuredEvent, nil
	case strings.HasPrefix(media, "application/cloudevents"):
		return unsaid, invalid("", "content-type", "of the CloudEvents formats only application/cloudevents+json is read")
	}
	if _, event := header(headers, "ce_specversion"); event {
		return binaryEvent, nil
	}
	if typed {
		return plainSignal, nil
	}
	return unsaid, nil
}

// header returns the value of the last header called key. A null value is an
// absent header.
func header(headers []Header, key string) (value string, ok bool) {
	for _, h := range slices.Backward(headers) {
		if h.Key == key {
			return alias(h.Value), h.Value != nil
		}
	}
	return "", false
}

// binaryAttributes reads the attributes of an event in binary mode.
func binaryAttributes(headers []Header, env *envelope) *pulse.Bad {
	env.event = true
	var version, kind string
	for _, a := range []struct {
		key  string
		into *string
	}{{"ce_specversion", &version}, {"ce_id", &env.id}, {"ce_source", &env.source}, {"ce_type", &kind}} {
		text, ok := header(headers, a.key)
		if !ok || text == "" {
			return invalid("", a.key, "this CloudEvents header is missing or empty")
		}
		if !utf8.ValidString(text) {
			return invalid("", a.key, "is not UTF-8")
		}
		*a.into = text
	}
	if version != "1.0" {
		return invalid("", "ce_specversion", onlyVersion)
	}
	env.timePath = "ce_time"
	env.time, env.hasTime = header(headers, env.timePath)
	env.timeIsText = true
	return checkID("", "ce_id", env.id)
}

const onlyVersion = "only CloudEvents 1.0 are read"

// structured reads the attributes of the event in d.outer and returns the
// members of its data.
func (d *Decoder) structured(env *envelope) (*fields, *pulse.Bad) {
	f := &d.outer
	env.event, env.path = true, "data."
	var version, kind string
	for _, a := range []struct {
		member member
		into   *string
	}{{mSpecVersion, &version}, {mID, &env.id}, {mSource, &env.source}, {mEventType, &kind}} {
		if !f.has(a.member) || f.is(a.member, pulse.Null) {
			return nil, invalid("", memberNames[a.member], "this CloudEvents attribute is missing")
		}
		if f.is(a.member, pulse.String) {
			*a.into = d.text(f, a.member)
		}
		if *a.into == "" {
			return nil, invalid("", memberNames[a.member], "must be a string that is not empty")
		}
	}
	if version != "1.0" {
		return nil, invalid("", "specversion", onlyVersion)
	}
	if bad := checkID("", "id", env.id); bad != nil {
		return nil, bad
	}
	env.timePath = "time"
	env.hasTime = f.has(mEventTime) && !f.is(mEventTime, pulse.Null)
	if env.timeIsText = f.is(mEventTime, pulse.String); env.timeIsText {
		env.time = d.text(f, mEventTime)
	}
	return d.eventData(f)
}

// eventData returns the members of an event's data, which has been validated
// where it stands in the event as it is.
func (d *Decoder) eventData(f *fields) (*fields, *pulse.Bad) {
	encoded := f.has(mDataBase64) && !f.is(mDataBase64, pulse.Null)
	switch {
	case encoded && f.has(mData):
		return nil, invalid("", "data_base64", "an event has data or data_base64, not both")
	case encoded:
		return d.base64Data(f)
	case !f.has(mData):
		return nil, invalid("", "data", "is missing: it holds the signal")
	case !f.is(mData, pulse.Object):
		return nil, invalid("", "data", "must be an object, the signal")
	}
	s := scanner{buf: f.raw(mData)}
	s.record(0, &d.inner, &d.scratch)
	return &d.inner, nil
}

func (d *Decoder) base64Data(f *fields) (*fields, *pulse.Bad) {
	const path = "data_base64"
	if !f.is(mDataBase64, pulse.String) {
		return nil, invalid("", path, "must be a string")
	}
	// The signal's strings will alias the decoded text.
	text, err := base64.StdEncoding.Strict().DecodeString(d.text(f, mDataBase64))
	if err != nil {
		return nil, invalid("", path, "is not base64")
	}
	if bad := d.scan(text, &d.inner, path); bad != nil {
		return nil, bad
	}
	return &d.inner, nil
}
