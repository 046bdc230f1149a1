package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Need says what a command cannot do without.
type Need uint8

// What commands need.
const (
	// NeedNothing is for commands that talk to nobody.
	NeedNothing Need = iota
	// NeedBrokers is for commands that talk to Kafka: PULSE_BROKERS must be
	// set.
	NeedBrokers
)

// The values of PULSE_PROFILE.
const (
	ProfileV2     = "v2"
	ProfileParity = "parity"
)

// Fault is one thing that is wrong, or worth a warning.
type Fault struct {
	// Variable is the full name.
	Variable string `json:"variable"`
	// Message says what is wrong and what to write instead, in one line.
	Message string `json:"message"`
}

// Error is every fault of an environment.
type Error struct {
	Faults []Fault
}

// Error lists the faults, a line each.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString("configuration:")
	for _, fault := range e.Faults {
		fmt.Fprintf(&text, "\n  %s: %s", fault.Variable, fault.Message)
	}
	return text.String()
}

// Check finds faults in values that another package reads, so that they are reported with
// the others. What depends on a variable for which faulty is true cannot be judged.
type Check func(c Config, faulty func(variables ...string) bool) []Fault

// Load reads and checks environ, a list of NAME=value as os.Environ gives it.
// The error is an *Error with every fault; the Config is unusable then.
func Load(environ []string, need Need, checks ...Check) (Config, error) {
	values := split(environ)
	var faults faultList
	c := decode(values, &faults)
	c.TopicRetry = cmp.Or(c.TopicRetry, c.derivedTopic("retry"))
	c.TopicDLQ = cmp.Or(c.TopicDLQ, c.derivedTopic("dlq"))
	c.TopicState = cmp.Or(c.TopicState, c.derivedTopic("state"))
	c.TopicModels = cmp.Or(c.TopicModels, c.derivedTopic("models"))
	if c.Profile == ProfileParity && !c.given[prefix+"DEFAULT_SOURCE"] {
		c.DefaultSource = "celery"
	}
	c.traced, c.unmet = tracing(values)
	c.check(need, &faults)
	for _, check := range checks {
		faults.list = append(faults.list, check(c, faults.has)...)
	}
	faults.list = append(faults.list, strangers(environ)...)
	if len(faults.list) > 0 {
		return Config{}, &Error{Faults: faults.list}
	}
	return c, nil
}

// decode fills the fields, one fault a variable at most.
func decode(values map[string]string, faults *faultList) Config {
	c := Config{given: make(map[string]bool)}
	fields := reflect.ValueOf(&c).Elem()
	for _, v := range variables() {
		text, given := values[v.name]
		if !v.secret {
			text = strings.TrimSpace(text)
		}
		if text == "" {
			given, text = false, v.deflt
		}
		c.given[v.name] = given
		if text == "" {
			continue
		}
		value, err := v.decode(text)
		if err == nil {
			err = v.check(value, given)
		}
		if err != nil {
			faults.addf(v.name, "%v", err)
			continue
		}
		fields.Field(v.index).Set(value)
	}
	return c
}

// check is what can be said about one variable alone.
func (v variable) check(value reflect.Value, given bool) error {
	if !given {
		return nil
	}
	if err := v.bound(value); err != nil {
		return err
	}
	if v.later != "" && v.format(value) != v.formattedDefault() {
		return fmt.Errorf("%s: not available in this release; leave it unset", v.later)
	}
	return nil
}

// derivedTopic is the name of a topic that belongs to one group on one input.
func (c Config) derivedTopic(purpose string) string {
	return c.TopicInput + "." + c.Group + "." + purpose
}

// split turns NAME=value into a map. The first of repeated names wins, as in
// os.LookupEnv.
func split(environ []string) map[string]string {
	values := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, again := values[name]; !again {
			values[name] = value
		}
	}
	return values
}

// faultList collects what is wrong.
type faultList struct {
	list []Fault
}

func (f *faultList) addf(variable, format string, args ...any) {
	f.list = append(f.list, Fault{Variable: variable, Message: fmt.Sprintf(format, args...)})
}

// has reports whether one of the variables already has a fault; what depends
// on them cannot be judged then.
func (f *faultList) has(variables ...string) bool {
	for _, fault := range f.list {
		if slices.Contains(variables, fault.Variable) {
			return true
		}
	}
	return false
}
