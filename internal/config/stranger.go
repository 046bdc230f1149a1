package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// strangers reports the PULSE_ variables that nobody knows. Values are never
// shown: a misspelt name may hold a secret.
func strangers(environ []string) []Fault {
	var known []string
	for _, v := range variables() {
		known = append(known, v.name)
	}
	var list []Fault
	for _, entry := range slices.Compact(slices.Sorted(slices.Values(environ))) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || forTests(name) {
			continue
		}
		if hint, old := replaced(name); old && !serviceLink(name, value) {
			list = append(list, Fault{name, "is of the old system; " + hint})
			continue
		}
		if serviceLink(name, value) {
			continue
		}
		list = append(list, Fault{name, "is not a variable of this service" + suggestion(name, known)})
	}
	return list
}

// forTests reports whether a variable steers tests, not the service.
func forTests(name string) bool {
	return strings.HasPrefix(name, "PULSE_TEST_") || name == "PULSE_PARITY_DIR"
}

// linkName matches what Kubernetes sets for each Service of the namespace
// whose name starts with "pulse" ("Accessing the Service", environment
// variables), pulse-scorer itself included.
var linkName = regexp.MustCompile(`^PULSE_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// linkValue matches the value of …_PORT, which is told apart by it from a
// misspelt variable that ends the same.
var linkValue = regexp.MustCompile(`^(tcp|udp|sctp)://`)

// serviceLink reports whether Kubernetes set a variable, not the operator.
func serviceLink(name, value string) bool {
	return linkName.MatchString(name) || (strings.HasSuffix(name, "_PORT") && linkValue.MatchString(value))
}

// replaced tells what takes the place of a variable of the old system.
func replaced(name string) (hint string, old bool) {
	switch name {
	case "PULSE_KAFKA_BOOTSTRAP":
		return "write PULSE_BROKERS", true
	case "PULSE_KAFKA_TOPIC":
		return "write PULSE_TOPIC_INPUT", true
	case "PULSE_KAFKA_GROUP":
		return "write PULSE_GROUP", true
	case "PULSE_PROMETHEUS_PORT":
		return "write PULSE_HTTP_ADDR, like :9100", true
	case "PULSE_CELERY_BROKER":
		return "there is no Redis queue any more: write PULSE_BROKERS", true
	case "PULSE_CELERY_BACKEND":
		return "there is no Redis result store any more: results go to PULSE_TOPIC_OUTPUT", true
	}
	if strings.HasPrefix(name, "PULSE_CELERY_") {
		return "there is no Celery any more: the service reads Kafka, see PULSE_BROKERS", true
	}
	if strings.HasPrefix(name, "PULSE_KAFKA_") {
		return "see PULSE_BROKERS, PULSE_TOPIC_INPUT and PULSE_GROUP", true
	}
	return "", false
}

// suggestion names the known variable that was likely meant.
func suggestion(name string, known []string) string {
	best, least := "", len(name)
	for _, candidate := range known {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	// Three edits, or a third of a short name: farther is a guess.
	if least > min(3, (len(name)-len(prefix)+1)/2) {
		return "; `pulse-scorer config` lists them"
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance is the number of single-byte edits between two names
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
