package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// prefix of every variable.
const prefix = "PULSE_"

// variable is one field of Config, as its tags describe it.
type variable struct {
	name    string // with prefix
	index   int    // of the field
	typ     reflect.Type
	deflt   string
	derived string
	desc    string
	unit    string
	min     string
	max     string
	oneof   []string
	later   string
	secret  bool
	file    bool
}

// variables lists every variable in the order of Config.
func variables() []variable {
	typ := reflect.TypeFor[Config]()
	var list []variable
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, ok := field.Tag.Lookup("envconfig")
		if !ok {
			continue
		}
		v := variable{
			name:    prefix + name,
			index:   i,
			typ:     field.Type,
			deflt:   field.Tag.Get("default"),
			derived: field.Tag.Get("derived"),
			desc:    field.Tag.Get("desc"),
			unit:    field.Tag.Get("unit"),
			min:     field.Tag.Get("min"),
			max:     field.Tag.Get("max"),
			later:   field.Tag.Get("later"),
			secret:  field.Tag.Get("secret") == "true",
			file:    field.Tag.Get("file") == "true",
		}
		if set := field.Tag.Get("oneof"); set != "" {
			v.oneof = strings.Split(set, ",")
		}
		list = append(list, v)
	}
	return list
}

// format writes a value of the variable as the environment would have it.
func (v variable) format(value reflect.Value) string {
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return ""
		}
		value = value.Elem()
	}
	switch x := value.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}

// shown is what tables and messages say: format, unless the value is secret.
func (v variable) shown(value reflect.Value) string {
	text := v.format(value)
	if v.secret && text != "" {
		return redacted
	}
	return text
}

// formattedDefault is the default in the form of format, to compare with.
func (v variable) formattedDefault() string {
	if v.deflt == "" {
		return ""
	}
	value, err := v.decode(v.deflt)
	if err != nil {
		panic(fmt.Sprintf("config: default of %s: %v", v.name, err))
	}
	return v.format(value)
}
