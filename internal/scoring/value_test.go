package scoring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"pulse-scorer/internal/pulse"
)

// errNotFinitelyNumber is for numbers that decoding has to reject.
var errNotFinitelyNumber = errors.New("number outside the range of a float")

// parseValue turns JSON text into a Value as decoding does: the last of
// repeated names wins at the place of the first, an integer keeps its digits.
func parseValue(text string) (pulse.Value, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	v, err := readValue(dec)
	if err != nil {
		return pulse.Value{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return pulse.Value{}, errors.New("more than one value")
	}
	return v, nil
}

// value is parseValue for texts that stand in the tests.
func value(t testing.TB, text string) pulse.Value {
	t.Helper()
	v, err := parseValue(text)
	if err != nil {
		t.Fatalf("parse %.80q: %v", text, err)
	}
	return v
}

func readValue(dec *json.Decoder) (pulse.Value, error) {
	token, err := dec.Token()
	if err != nil {
		return pulse.Value{}, err
	}
	switch token := token.(type) {
	case nil:
		return pulse.Value{}, nil
	case bool:
		return pulse.Value{Kind: pulse.Bool, Bool: token}, nil
	case string:
		return pulse.StringValue(token), nil
	case json.Number:
		return readNumber(token)
	case json.Delim:
		if token == '[' {
			return readList(dec)
		}
		return readObject(dec)
	}
	return pulse.Value{}, fmt.Errorf("token %T", token)
}

func readNumber(n json.Number) (pulse.Value, error) {
	x, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return pulse.Value{}, errNotFinitelyNumber
	}
	v := pulse.NumberValue(x)
	if !strings.ContainsAny(n.String(), ".eE") {
		v.String = n.String()
	}
	return v, nil
}

func readList(dec *json.Decoder) (pulse.Value, error) {
	list := []pulse.Value{}
	for dec.More() {
		v, err := readValue(dec)
		if err != nil {
			return pulse.Value{}, err
		}
		list = append(list, v)
	}
	_, err := dec.Token()
	return pulse.ListValue(list), err
}

func readObject(dec *json.Decoder) (pulse.Value, error) {
	members := []pulse.Member{}
	place := map[string]int{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return pulse.Value{}, err
		}
		v, err := readValue(dec)
		if err != nil {
			return pulse.Value{}, err
		}
		text, _ := name.(string)
		if i, repeated := place[text]; repeated {
			members[i].Value = v
			continue
		}
		place[text] = len(members)
		members = append(members, pulse.Member{Name: text, Value: v})
	}
	_, err := dec.Token()
	return pulse.ObjectValue(members...), err
}

// member is v's member called name, null when absent.
func member(v pulse.Value, name string) pulse.Value {
	m, _ := v.Get(name)
	return m
}
