package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logKeys are the keys that a log line may have beside time, level and msg. Log pipelines
// are built on them: add one when nothing here fits, and never rename one.
var logKeys = strings.Fields(`
	at before broker brokers bytes check committed detail divided enricher err estimated_records fault files from gained
	generation group http idle in_record_path lifetime log_start next now offset offsets partition partitions position producer_id profile proof
	reason records required resting revision seconds series state suppressed task tasks tier timeout to took topic topics transaction
	transactional_id variable verdict version warm warning worker`)

func TestLogKeys_AreKnown(t *testing.T) {
	t.Parallel()
	expectNone(t, logKeyFaults(sources(t)))
}

func TestLogKeys_StrangeOnesAreSeen(t *testing.T) {
	t.Parallel()
	text := func(attr string) string {
		return "package x\n\nimport \"log/slog\"\n\nfunc f(l *slog.Logger, k string) { l.Info(\"m\", " + attr + ") }\n"
	}
	expectNone(t, logKeyFaults([]source{parse(t, "internal/x/x.go", text(`slog.Int("partition", 1)`))}))
	for _, attr := range []string{`slog.Int("Partition", 1)`, `slog.String("value", "v")`, `slog.Any(k, 1)`} {
		expectFault(t, logKeyFaults([]source{parse(t, "internal/x/x.go", text(attr))}), "internal/x/x.go")
	}
}

// logKeyFaults looks at every call of log/slog's constructors of attributes.
func logKeyFaults(sources []source) []string {
	constructors := strings.Fields("Any Bool Duration Float64 Group Int Int64 String Time Uint64")
	var faults []string
	for _, file := range sources {
		if file.isTest() || !file.within("internal", "cmd") || file.within("internal/broker/brokertest", "internal/broker/simtest") {
			continue
		}
		ast.Inspect(file.syntax, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			function, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(constructors, function.Sel.Name) {
				return true
			}
			if of, ok := function.X.(*ast.Ident); !ok || of.Name != "slog" {
				return true
			}
			key := ""
			if literal, ok := call.Args[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				key, _ = strconv.Unquote(literal.Value)
			}
			if !slices.Contains(logKeys, key) {
				faults = append(faults, file.path+": log key "+strconv.Quote(key)+" is not among those that lines may have (logKeys)")
			}
			return true
		})
	}
	return faults
}
