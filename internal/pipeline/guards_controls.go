//go:build controls

package pipeline

import "os"

// The guard as the negative controls need it: PULSE_TEST_GUARD_OFF names the one
// that is off. No binary but a test's is built with this tag.
var guardDedupe = os.Getenv("PULSE_TEST_GUARD_OFF") != "dedupe"
