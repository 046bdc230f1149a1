package archtest

import (
	"regexp"
	"testing"
)

var (
	claimed = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*_\w+`)
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
)

// A comment that says a test holds it must name one there is.
func TestClaims_NameTestsThatExist(t *testing.T) {
	t.Parallel()
	texts := make(map[string]string)
	for _, name := range files(t) {
		if isCode(name) || name == "README.md" {
			texts[name] = string(read(t, name))
		}
	}
	expectNone(t, claimFaults(texts))
}

func TestClaims_EmptyOnesAreSeen(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"internal/x/x.go":      "// held by " + "TestX_Holds and " + "TestX_DoesNot\n",
		"internal/x/x_test.go": "func " + "TestX_Holds(t *testing.T) {}\n",
	}
	expectFault(t, claimFaults(texts), "internal/x/x.go")
	delete(texts, "internal/x/x.go")
	expectNone(t, claimFaults(texts))
}

func claimFaults(texts map[string]string) []string {
	tests := make(map[string]bool)
	for _, text := range texts {
		for _, m := range defined.FindAllStringSubmatch(text, -1) {
			tests[m[1]] = true
		}
	}
	var faults []string
	for name, text := range texts {
		if name == "internal/archtest/claims_test.go" {
			continue // its own examples
		}
		for _, claim := range claimed.FindAllString(text, -1) {
			if !tests[claim] {
				faults = append(faults, name+": names "+claim+", which does not exist")
			}
		}
	}
	return faults
}
