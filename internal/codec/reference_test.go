package codec_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

// The reference reads records the slow and obvious way: a strict JSON reader
// of another make into trees, and the contract's sentences one after the other.
// It shares no code with the decoder.

const refDefaultSource = "unknown"

var (
	errTooDeep  = errors.New("too deep")
	errTrailing = errors.New("trailing bytes")
)

// refNode is a JSON value with numbers as written.
type refNode struct {
	kind    pulse.ValueKind
	text    string // of numbers and strings
	truth   bool
	list    []*refNode
	names   []string // by first appearance
	members map[string]*refNode
}

func refParse(value []byte) (*refNode, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	node, err := refRead(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return node, nil
}

func refRead(dec *jsontext.Decoder, depth int) (*refNode, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() { //nolint:exhaustive // the rest begins no value
	case 't', 'f':
		return &refNode{kind: pulse.Bool, truth: token.Bool()}, nil
	case '0':
		return &refNode{kind: pulse.Number, text: token.String()}, nil
	case '"':
		return &refNode{kind: pulse.String, text: token.String()}, nil
	case '[', '{':
		if depth == 128 {
			return nil, errTooDeep
		}
		return refContainer(dec, token.Kind() == '{', depth+1)
	case 'n':
		return &refNode{kind: pulse.Null}, nil
	default:
		return nil, fmt.Errorf("token of kind %v where a value is expected", token.Kind())
	}
}

func refContainer(dec *jsontext.Decoder, object bool, depth int) (*refNode, error) {
	node := &refNode{kind: pulse.List}
	if object {
		node = &refNode{kind: pulse.Object, members: map[string]*refNode{}}
	}
	for dec.PeekKind() != ']' && dec.PeekKind() != '}' {
		name := ""
		if object {
			token, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			name = token.String()
		}
		child, err := refRead(dec, depth)
		if err != nil {
			return nil, err
		}
		if !object {
			node.list = append(node.list, child)
			continue
		}
		if node.members[name] == nil {
			node.names = append(node.names, name)
		}
		node.members[name] = child
	}
	_, err := dec.ReadToken()
	return node, err
}

func (n *refNode) get(name string) *refNode {
	if n == nil {
		return nil
	}
	return n.members[name]
}

func (n *refNode) is(kind pulse.ValueKind) bool { return n != nil && n.kind == kind }

// value turns a node into a tree; fault is the path of the first number out of
// range.
func (n *refNode) value(path string) (v pulse.Value, fault string) {
	v.Kind = n.kind
	switch n.kind {
	case pulse.Null:
	case pulse.Bool:
		v.Bool = n.truth
	case pulse.Number:
		var err error
		if v.Number, err = strconv.ParseFloat(n.text, 64); err != nil {
			fault = path
		}
		if !strings.ContainsAny(n.text, ".eE") {
			v.String = n.text
		}
	case pulse.String:
		v.String = n.text
	case pulse.List:
		for i, child := range n.list {
			c, f := child.value(path + "." + strconv.Itoa(i))
			v.List = append(v.List, c)
			fault = firstOf(fault, f)
		}
	case pulse.Object:
		for _, name := range n.names {
			c, f := n.members[name].value(path + "." + name)
			v.Members = append(v.Members, pulse.Member{Name: name, Value: c})
			fault = firstOf(fault, f)
		}
	}
	return v, fault
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// refFault is a class and a path.
type refFault struct {
	class pulse.Class
	field string
}

func refInvalid(field string) *refFault { return &refFault{pulse.InvalidField, field} }

// refEnvelope is what stands around a signal.
type refEnvelope struct {
	event            bool
	path, id, source string
	time             *refNode
	timePath         string
}

func refDecode(value []byte, headers []codec.Header, recordMs int64) (*pulse.Signal, *refFault) {
	h := map[string]string{}
	for _, header := range headers {
		h[header.Key] = string(header.Value)
	}
	if value == nil {
		return nil, &refFault{pulse.MalformedJSON, ""}
	}
	root, err := refParse(value)
	if err != nil {
		return nil, &refFault{pulse.MalformedJSON, ""}
	}
	if root.kind != pulse.Object {
		return nil, refInvalid("")
	}
	env := refEnvelope{}
	structured := strings.HasPrefix(h["content-type"], "application/cloudevents+json")
	switch {
	case !structured && h["ce_specversion"] != "":
		env = refEnvelope{event: true, id: h["ce_id"], source: h["ce_source"], timePath: "ce_time"}
		if t, ok := h["ce_time"]; ok {
			env.time = &refNode{kind: pulse.String, text: t}
		}
	case structured, h["content-type"] == "" && root.get("specversion") != nil:
		var fault *refFault
		if root, env, fault = refStructured(root); fault != nil {
			return nil, fault
		}
	}
	return refSignal(root, env, recordMs)
}

func refStructured(root *refNode) (*refNode, refEnvelope, *refFault) {
	for _, name := range []string{"specversion", "id", "source", "type"} {
		if n := root.get(name); !n.is(pulse.String) || n.text == "" {
			return nil, refEnvelope{}, refInvalid(name)
		}
	}
	if root.get("specversion").text != "1.0" {
		return nil, refEnvelope{}, refInvalid("specversion")
	}
	env := refEnvelope{
		event: true, path: "data.", id: root.get("id").text, source: root.get("source").text,
		time: root.get("time"), timePath: "time",
	}
	if len(env.id) > 256 {
		return nil, env, refInvalid("id")
	}
	if env.time.is(pulse.Null) {
		env.time = nil
	}
	data, encoded := root.get("data"), root.get("data_base64")
	if encoded == nil || encoded.kind == pulse.Null {
		if !data.is(pulse.Object) {
			return nil, env, refInvalid("data")
		}
		return data, env, nil
	}
	if data != nil || encoded.kind != pulse.String {
		return nil, env, refInvalid("data_base64")
	}
	text, err := base64.StdEncoding.Strict().DecodeString(encoded.text)
	if err != nil {
		return nil, env, refInvalid("data_base64")
	}
	data, err = refParse(text)
	if err != nil {
		return nil, env, &refFault{pulse.MalformedJSON, "data_base64"}
	}
	if data.kind != pulse.Object {
		return nil, env, refInvalid("data_base64")
	}
	return data, env, nil
}

func refSignal(root *refNode, env refEnvelope, recordMs int64) (*pulse.Signal, *refFault) {
	sig := &pulse.Signal{Source: refDefaultSource}
	name := root.get("name")
	if !name.is(pulse.String) || name.text == "" || len(name.text) > 256 {
		return nil, refInvalid(env.path + "name")
	}
	sig.Name = name.text
	number := root.get("value")
	if !number.is(pulse.Number) {
		return nil, refInvalid(env.path + "value")
	}
	var err error
	if sig.Value, err = strconv.ParseFloat(number.text, 64); err != nil {
		return nil, refInvalid(env.path + "value")
	}
	if fault := refOrigin(root, env, sig); fault != nil {
		return nil, fault
	}
	if fault := refTime(root, env, recordMs, sig); fault != nil {
		return nil, fault
	}
	if fault := refForecast(root, env.path, sig); fault != nil {
		return nil, fault
	}
	if recordMs < 0 || recordMs > 253402300799999 {
		return nil, refInvalid("record timestamp")
	}
	return sig, nil
}

func refOrigin(root *refNode, env refEnvelope, sig *pulse.Signal) *refFault {
	if env.event {
		sig.ID, sig.IDGiven, sig.Source, sig.SourceGiven = env.id, true, env.source, true
		return nil
	}
	if source := root.get("source"); source != nil {
		if source.kind != pulse.String {
			return refInvalid("source")
		}
		sig.Source, sig.SourceGiven = source.text, true
	}
	if id := root.get("id"); id != nil {
		if id.kind != pulse.String || id.text == "" || len(id.text) > 256 {
			return refInvalid("id")
		}
		sig.ID, sig.IDGiven = id.text, true
	}
	return nil
}

func refTime(root *refNode, env refEnvelope, recordMs int64, sig *pulse.Signal) *refFault {
	stamp, path := root.get("timestamp"), env.path+"timestamp"
	if stamp == nil || stamp.kind == pulse.Null {
		stamp, path = env.time, env.timePath
	}
	if stamp == nil {
		sig.Timestamp.Micros = recordMs * 1000
		return nil
	}
	sig.TimestampGiven = true
	ok := false
	switch {
	case stamp.kind == pulse.String:
		sig.Timestamp, ok = refDateTime(stamp.text)
	case stamp.kind == pulse.Number && path != env.timePath:
		sig.Timestamp, ok = refEpoch(stamp.text)
	}
	if !ok {
		return refInvalid(path)
	}
	return nil
}

// refRecordMembers are what scoring reads of a forecast.
var refRecordMembers = strings.Fields(`trace_id overlays symbolic_change fragility symbolic_fragmented
	arc_volatility_score retrodiction_score drift_flag forecast symbolic_tag`)

func refForecast(root *refNode, path string, sig *pulse.Signal) *refFault {
	forecast, context := root.get("forecast"), root.get("context")
	if forecast == nil {
		return nil
	}
	if forecast.kind != pulse.Object {
		return refInvalid(path + "forecast")
	}
	if context != nil && context.kind != pulse.Object {
		return refInvalid(path + "context")
	}
	sig.Kind = pulse.Forecasted
	sig.Record.Kind = pulse.Object
	fault := ""
	for _, name := range root.names {
		if slices.Contains(refRecordMembers, name) {
			v, f := root.get(name).value(name)
			sig.Record.Members = append(sig.Record.Members, pulse.Member{Name: name, Value: v})
			fault = firstOf(fault, f)
		}
	}
	if context != nil {
		var f string
		sig.Context, f = context.value("context")
		fault = firstOf(fault, f)
	}
	if fault != "" {
		return refInvalid(path + fault)
	}
	return nil
}

var (
	refMin = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	refMax = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	// refForm is every accepted spelling of date and time. Package time takes
	// an offset of 60 minutes, RFC 3339 (section 5.6) does not.
	refForm = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:[0-5]\d)?$`)
)

// refDateTime brings s into the one form the strict reader of package time
// accepts, which rounds digits beyond nanoseconds off.
func refDateTime(s string) (pulse.Timestamp, bool) {
	m := refForm.FindStringSubmatch(s)
	if m == nil {
		return pulse.Timestamp{}, false
	}
	fraction, zone := m[3], strings.ToUpper(m[4])
	if len(fraction) > 7 {
		fraction = fraction[:7]
	}
	if zone == "" {
		zone = "Z"
	}
	var t time.Time
	if t.UnmarshalText([]byte(m[1]+"T"+m[2]+fraction+zone)) != nil || m[1] < "0001" || t.Before(refMin) || t.After(refMax) {
		return pulse.Timestamp{}, false
	}
	_, offset := t.Zone()
	return pulse.Timestamp{Micros: t.UnixMicro(), Offset: int16(offset / 60)}, true
}

// refEpoch reads a number with unlimited precision.
func refEpoch(s string) (pulse.Timestamp, bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if strings.Trim(mantissa, "-0.") == "" {
		return pulse.Timestamp{}, true
	}
	power, err := strconv.Atoi(firstOf(exponent, "0"))
	if err != nil || power > 1000+len(s) || power < -1000-len(s) {
		// Far out of range, or nothing.
		return pulse.Timestamp{}, strings.HasPrefix(exponent, "-")
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return pulse.Timestamp{}, false
	}
	unit := int64(1_000_000)
	if n.Cmp(big.NewRat(1e11, 1)) > 0 {
		unit = 1000
	}
	n.Mul(n, big.NewRat(unit, 1))
	half := big.NewRat(int64(n.Sign()), 2)
	n.Add(n, half)
	micros := new(big.Int).Quo(n.Num(), n.Denom()) // truncates: halves away from zero
	ok = micros.IsInt64() && micros.Int64() >= refMin.UnixMicro() && micros.Int64() <= refMax.UnixMicro()
	return pulse.Timestamp{Micros: micros.Int64()}, ok
}

// sameFloat tells 0 from -0.
func sameFloat(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
