package archtest

import (
	"regexp"
	"testing"
)

var (
	claimed = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*_\w+`)
	// quoted is a name in the README, whether it has an underscore or not; one with an ellipsis stands for several.
	quoted  = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)[`/]")
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	// suiteCase is a row of the suite's table, suiteClaim a word that could name one:
	// those with the first word of a case count.
	suiteCase  = regexp.MustCompile(`(?m)^\t\t\{"(([A-Z]\w*)_\w+)", \w+\},$`)
	suiteClaim = regexp.MustCompile(`\b([A-Z]\w*)_[A-Z]\w+`)
)

// suite is the file with the table of the engine's compliance suite.
const suite = "internal/broker/brokertest/suite.go"

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
	texts[suite] = "\t\t{\"" + "Walls_Hold\", walls},\n"
	texts["README.md"] = "`" + "TestWalls`"
	expectFault(t, claimFaults(texts), "TestWalls")
	texts["README.md"] = "`" + "Walls_Hold` and `" + "Walls_Fall`, Doors_Open"
	expectFault(t, claimFaults(texts), "README.md")
}

func claimFaults(texts map[string]string) []string {
	tests := make(map[string]bool)
	for _, text := range texts {
		for _, m := range defined.FindAllStringSubmatch(text, -1) {
			tests[m[1]] = true
		}
	}
	families := make(map[string]bool)
	for _, m := range suiteCase.FindAllStringSubmatch(texts[suite], -1) {
		tests[m[1]], families[m[2]] = true, true
	}
	var faults []string
	for name, text := range texts {
		if name == "internal/archtest/claims_test.go" {
			continue // its own examples
		}
		claims := claimed.FindAllString(text, -1)
		if name == "README.md" {
			for _, m := range quoted.FindAllStringSubmatch(text, -1) {
				claims = append(claims, m[1])
			}
		}
		for _, m := range suiteClaim.FindAllStringSubmatch(text, -1) {
			if families[m[1]] {
				claims = append(claims, m[0])
			}
		}
		for _, claim := range claims {
			if !tests[claim] {
				faults = append(faults, name+": names "+claim+", which does not exist")
			}
		}
	}
	return faults
}
