package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The negative controls switch guards of the service off, one at a time, in test binaries built with the tag controls. In every
// other build a guard is a constant that is true, so the compiler removes what it would take to be without it.
const (
	withControls    = "//go:build controls"
	withoutControls = "//go:build !controls"
	// offVariable is what a controls build reads; the word is taken apart so that this file does not name it.
	offVariable = "PULSE_TEST_" + "GUARD_OFF"
)

var namesGuard = regexp.MustCompile(`^guard[A-Z]`)

func TestGuards_AreConstantsInTheService(t *testing.T) {
	t.Parallel()
	expectNone(t, guardFaults(sources(t)))
	for _, name := range files(t) {
		if isCode(name) {
			expectNone(t, guardVariableFaults(name, string(read(t, name))))
		}
	}
}

func TestGuards_SeamsAreSeen(t *testing.T) {
	t.Parallel()
	const name = "internal/x/guards.go"
	expectNone(t, guardFaults([]source{
		parse(t, name, withoutControls+"\n\npackage x\n\nconst (\n\tguardA = true\n\tguardB = true\n)\n"),
		parse(t, "internal/x/guards_controls.go", withControls+"\n\npackage x\n\nvar guardA = f()\n"),
	}))
	for _, text := range []string{
		withoutControls + "\n\npackage x\n\nvar guardA = true\n",
		withoutControls + "\n\npackage x\n\nconst guardA = false\n",
		withoutControls + "\n\npackage x\n\nfunc guardA() bool { return true }\n",
		withControls + "\n\npackage x\n\nvar guardA = f()\n", // under a name that is not theirs
		"package x\n\nvar guardA = true\n",
		"package x\n\nconst guardA = true\n",
	} {
		expectFault(t, guardFaults([]source{parse(t, name, text)}), name)
	}
	expectNone(t, guardVariableFaults("internal/x/guards_controls.go", withControls+"\n"+offVariable))
	expectNone(t, guardVariableFaults("integration/controls/x.go", offVariable))
	expectFault(t, guardVariableFaults("internal/x/x.go", "package x // "+offVariable), "internal/x/x.go")
}

func guardFaults(sources []source) []string {
	var faults []string
	for _, file := range sources {
		switch buildLine(file) {
		case withoutControls:
			if !onlyTrueConstants(file.syntax) {
				faults = append(faults, file.path+": holds more than constants that are true; a guard must not be a seam of the service")
			}
		case withControls:
			if !strings.HasSuffix(file.path, "/guards_controls.go") && !file.within("integration/controls") {
				faults = append(faults, file.path+": what only the negative controls have belongs into guards_controls.go")
			}
		default:
			if declaresGuard(file.syntax) {
				faults = append(faults, file.path+": declares a guard; guards.go and guards_controls.go do, under their build tags")
			}
		}
	}
	return faults
}

// buildLine is a file's build constraint.
func buildLine(file source) string {
	for _, group := range file.syntax.Comments {
		for _, comment := range group.List {
			if strings.HasPrefix(comment.Text, "//go:build ") && comment.Pos() < file.syntax.Package {
				return comment.Text
			}
		}
	}
	return ""
}

func onlyTrueConstants(file *ast.File) bool {
	return !slices.ContainsFunc(file.Decls, func(decl ast.Decl) bool {
		block, ok := decl.(*ast.GenDecl)
		return !ok || block.Tok != token.CONST || slices.ContainsFunc(block.Specs, func(spec ast.Spec) bool {
			values, ok := spec.(*ast.ValueSpec)
			return !ok || len(values.Values) != len(values.Names) || slices.ContainsFunc(values.Values, func(value ast.Expr) bool {
				word, ok := value.(*ast.Ident)
				return !ok || word.Name != "true"
			})
		})
	})
}

func declaresGuard(file *ast.File) bool {
	found := false
	ast.Inspect(file, func(node ast.Node) bool {
		if values, ok := node.(*ast.ValueSpec); ok {
			found = found || slices.ContainsFunc(values.Names, func(name *ast.Ident) bool { return namesGuard.MatchString(name.Name) })
		}
		return !found
	})
	return found
}

// guardVariableFaults: nothing of the service reads the variable that switches guards off.
func guardVariableFaults(name, text string) []string {
	if !strings.Contains(text, offVariable) || strings.HasPrefix(text, withControls+"\n") || strings.HasPrefix(name, "integration/controls/") {
		return nil
	}
	return []string{name + ": names " + offVariable + ", which is for the negative controls alone"}
}
