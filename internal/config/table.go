package config

import (
	"reflect"
	"strings"
)

// Setting is one variable as the tables show it. Secrets are redacted.
type Setting struct {
	Variable string `json:"variable"`
	// Value is the effective one, Source where it comes from: "default" or
	// "environment".
	Value  string `json:"value"`
	Source string `json:"source"`
	// Default is the value when the variable is not set, in words where it
	// depends on others.
	Default string `json:"default"`
	Meaning string `json:"meaning"`
}

// Redacted lists every variable with its effective value and source, in the
// order of the table. No secret is in it.
func (c Config) Redacted() []Setting {
	fields := reflect.ValueOf(c)
	var list []Setting
	for _, v := range variables() {
		source := "default"
		if c.given[v.name] {
			source = "environment"
		}
		value := v.shown(fields.Field(v.index))
		if value == "" && v.derived != "" {
			value = v.derived
		}
		list = append(list, Setting{v.name, value, source, v.defaultInWords(), v.meaning()})
	}
	return list
}

// Markdown is the table of all variables for the README.
func Markdown() string {
	var text strings.Builder
	text.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range variables() {
		deflt := v.defaultInWords()
		switch {
		case deflt == "":
			deflt = "empty"
		case v.derived == "" || strings.HasPrefix(v.derived, "<"):
			deflt = "`" + deflt + "`"
		}
		row := []string{"`" + v.name + "`", deflt, v.meaning()}
		for i, cell := range row {
			row[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		text.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return text.String()
}

func (v variable) defaultInWords() string {
	if v.derived != "" {
		return v.derived
	}
	return v.deflt
}

// meaning is the description with what the other tags add to it.
func (v variable) meaning() string {
	text := v.desc
	if len(v.oneof) > 1 {
		text += " (" + alternatives(v.oneof) + ")"
	}
	if v.unit != "" {
		text += " (" + v.unit + ")"
	}
	if v.later != "" {
		text += "; not in this release"
	}
	return text
}
