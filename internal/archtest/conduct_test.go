package archtest

import (
	"go/ast"
	"strings"
	"testing"
)

// starters may start goroutines; whoever does waits for them and hands on their error, and two places can be watched.
func starters() []string { return []string{"internal/app", "internal/broker", "integration"} }

func TestGoroutines_AreStartedByAppAndBrokerOnly(t *testing.T) {
	t.Parallel()
	expectNone(t, goroutineFaults(sources(t)))
}

func TestGoroutines_StrayOnesAreSeen(t *testing.T) {
	t.Parallel()
	const text = "package x\n\nfunc f() { go f() }\n"
	expectNone(t, goroutineFaults([]source{parse(t, "internal/app/x.go", text), parse(t, "internal/codec/x_test.go", text)}))
	expectFault(t, goroutineFaults([]source{parse(t, "internal/codec/x.go", text)}), "internal/codec/x.go")
}

func goroutineFaults(sources []source) []string {
	var faults []string
	for _, file := range sources {
		if file.isTest() || file.within(starters()...) {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			if _, ok := node.(*ast.GoStmt); ok {
				faults = append(faults, file.path+": starts a goroutine; only "+strings.Join(starters(), ", ")+" may")
			}
			return true
		})
	}
	return faults
}

// A suite that skips looks like one that passes, so integration tests may not.
func TestIntegration_NeverSkips(t *testing.T) {
	t.Parallel()
	expectNone(t, skipFaults(sources(t)))
}

func TestIntegration_SkipsAreSeen(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"t.Skip()", `t.Skipf("no broker")`, "t.SkipNow()"} {
		file := parse(t, "integration/x_test.go", "package x\n\nfunc f(t testing.TB) { "+call+" }\n")
		expectFault(t, skipFaults([]source{file}), "integration/x_test.go")
	}
}

func skipFaults(sources []source) []string {
	var faults []string
	for _, file := range sources {
		if !file.within("integration") {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			if call, ok := node.(*ast.SelectorExpr); ok && strings.HasPrefix(call.Sel.Name, "Skip") {
				faults = append(faults, file.path+": skips; an integration test runs or fails")
			}
			return true
		})
	}
	return faults
}
