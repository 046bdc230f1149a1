package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// nowhere is a prefix that no variable of the process can have (the name of
// one holds no '='), so that envconfig takes the value it is given here.
const nowhere = "="

// decode turns text into a value of v's type.
//
// It is envconfig that parses. It gets one field at a time, with the text in
// place of its default; doc.go says why.
func (v variable) decode(text string) (reflect.Value, error) {
	one := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value",
		Type: v.typ,
		Tag:  reflect.StructTag("default:" + strconv.Quote(text)),
	}}))
	err := envconfig.Process(nowhere, one.Interface())
	if err == nil && isInteger(v.typ) && !plainInteger(text) {
		err = errors.New("not written as a plain number")
	}
	if err != nil {
		return reflect.Value{}, v.explain(text, err)
	}
	return one.Elem().Field(0), nil
}

// explain says in the reader's words why text is no value of v.
func (v variable) explain(text string, err error) error {
	quoted := quote(text)
	if v.secret {
		quoted = "the value"
	}
	kind := v.typ
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch {
	case kind == reflect.TypeFor[time.Duration]():
		return fmt.Errorf("%s is not a duration; write a number with its unit, like 500ms, 10s or 2m", quoted)
	case kind.Kind() == reflect.Bool:
		return fmt.Errorf("%s is neither true nor false; write one of them", quoted)
	case kind.Kind() == reflect.Float64:
		return fmt.Errorf("%s is not a number; write one like 0.5", quoted)
	case isInteger(kind):
		return fmt.Errorf("%s is not a whole number; write one like %s", quoted, cmp.Or(v.deflt, "1"))
	}
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		err = parse.Err
	}
	return fmt.Errorf("%s: %w", quoted, err)
}

// bound checks what the tags ask of the value.
func (v variable) bound(value reflect.Value) error {
	if len(v.oneof) > 0 && !slices.Contains(v.oneof, value.String()) {
		return fmt.Errorf("%s is not known; write %s", quote(value.String()), alternatives(v.oneof))
	}
	if v.file {
		return readable(value.String())
	}
	if v.min == "" && v.max == "" {
		return nil
	}
	number := magnitude(value)
	low, high := v.limit(v.min, math.Inf(-1)), v.limit(v.max, math.Inf(1))
	// Not number < low: NaN must fail.
	if number >= low && number <= high && !math.IsInf(number, 0) {
		return nil
	}
	switch {
	case v.max == "":
		return fmt.Errorf("%s is out of range; write %s or more", v.shown(value), v.min)
	case v.min == "":
		return fmt.Errorf("%s is out of range; write %s or less", v.shown(value), v.max)
	}
	return fmt.Errorf("%s is out of range; write %s to %s", v.shown(value), v.min, v.max)
}

// limit is a bound of the tags as a number, or none where there is none. A tag
// that cannot be read is a mistake in Config.
func (v variable) limit(text string, none float64) float64 {
	if text == "" {
		return none
	}
	value, err := v.decode(text)
	if err != nil {
		panic(fmt.Sprintf("config: bound of %s: %v", v.name, err))
	}
	return magnitude(value)
}

// magnitude is a numeric value as float64.
func magnitude(value reflect.Value) float64 {
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	if value.CanInt() {
		return float64(value.Int())
	}
	return value.Float()
}

// isInteger leaves out the types that are integers underneath and are written
// in a form of their own.
func isInteger(typ reflect.Type) bool {
	return typ.Kind() == reflect.Int
}

// readable says why a file cannot be read.
func readable(path string) error {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("file cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("file cannot be read: %w", err)
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory; name a file", quote(path))
	}
	return nil
}

// quote shows a value in a message, never more than a line of it.
func quote(text string) string {
	const most = 80
	if len(text) > most {
		return strconv.Quote(text[:most]) + "…"
	}
	return strconv.Quote(text)
}

// alternatives is "a, b or c".
func alternatives(items []string) string {
	if len(items) == 1 {
		return items[0]
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " or " + items[last]
}
