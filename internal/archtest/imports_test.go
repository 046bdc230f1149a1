package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// mayImport says for each part of the module which other parts it may import; a part is a folder with all below it, and may
// always import itself. Everything is written out, so that a new package has to find its place here.
func mayImport() map[string][]string {
	inner := []string{"internal/pulse"}
	detecting := []string{"internal/pulse", "internal/anomaly"}
	path := []string{"internal/pulse", "internal/anomaly", "internal/series", "internal/learn", "internal/scoring", "internal/codec", "internal/state", "internal/retry"}
	engine := append(slices.Clone(path), "internal/pipeline")
	application := append(slices.Clone(engine), "internal/audit", "internal/verify", "internal/broker", "internal/deadletter", "internal/enricher", "internal/config", "internal/ops", "internal/console",
		"internal/devbroker", "internal/ndjson", "internal/sample", "schemas")
	commands := append(slices.Clone(application), "internal/app", "internal/plot", "internal/bench")
	return map[string][]string{
		"internal/pulse":      nil,
		"internal/anomaly":    nil,
		"internal/scoring":    detecting,
		"internal/codec":      inner,
		"internal/state":      {"internal/pulse", "internal/series", "internal/learn"},
		"internal/audit":      inner,
		"internal/verify":     nil,
		"internal/plot":       nil,
		"internal/retry":      inner,
		"internal/series":     {"internal/anomaly"},
		"internal/learn":      {"internal/series"},
		"internal/config":     inner,
		"internal/ops":        inner,
		"internal/pipeline":   path,
		"internal/broker":     engine,
		"internal/deadletter": {"internal/pulse", "internal/codec", "internal/pipeline"},
		"internal/enricher":   {"internal/pulse", "internal/pipeline"},
		"internal/console":    {"internal/pulse", "internal/pipeline"},
		"internal/devbroker":  nil,
		"internal/bench":      nil,
		"internal/ndjson":     nil,
		"internal/sample":     {"internal/ndjson"},
		"internal/app":        application,
		"internal/cli":        commands,
		"internal/archtest":   nil,
		"schemas":             nil,
		"cmd":                 {"internal/cli", "internal/app"},
		"integration":         append(slices.Clone(commands), "internal/cli"),
		"deploy":              append(slices.Clone(commands), "internal/cli"),
	}
}

// testsMayImport is what test files may use beyond their package's own table: the in-process broker, the schemas, real input.
func testsMayImport() []string {
	return []string{"internal/devbroker", "internal/sample", "internal/ndjson", "schemas"}
}

// owners names the libraries that only one part of the module may import. Tests may use franz-go as an independent client,
// because a second implementation is what makes their judgement worth something.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/segmentio/kafka-go":       {"internal/broker"},
		"github.com/testcontainers":           {"integration"},
		"github.com/twmb/franz-go":            {"internal/devbroker", "internal/bench", "internal/broker/brokertest", "internal/broker/simtest", "integration"},
		"github.com/kelseyhightower":          {"internal/config"},
		"golang.org/x/sync/errgroup":          {"internal/app", "internal/broker", "internal/enricher", "internal/bench"},
		"github.com/sony/gobreaker":           {"internal/enricher"},
		"github.com/prometheus/client_golang": {"internal/app", "internal/broker", "internal/pipeline", "internal/enricher", "internal/ops", "internal/cli", "internal/console", "integration"},
		"github.com/chromedp":                 {"integration"},
	}
}

// pure are the parts that do no I/O and ask no clock; os and its kin are how one would begin to.
func pure() []string {
	return []string{"internal/pulse", "internal/anomaly", "internal/series", "internal/learn", "internal/scoring", "internal/codec", "internal/state", "internal/retry", "internal/audit", "internal/deadletter"}
}

func TestImports_PointInward(t *testing.T) {
	t.Parallel()
	expectNone(t, importFaults(sources(t)))
}

func TestImports_FaultsAreSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, path, imports string }{
		{"outward", "internal/pulse/x.go", "pulse-scorer/internal/codec"},
		{"sibling", "internal/codec/x.go", "pulse-scorer/internal/state"},
		{"sibling in a test", "internal/codec/x_test.go", "pulse-scorer/internal/state"},
		{"engine from the record path", "internal/pipeline/x.go", "pulse-scorer/internal/broker/batch"},
		{"command from the application", "internal/app/x.go", "pulse-scorer/internal/cli"},
		{"embedded broker in the service", "internal/broker/x.go", "pulse-scorer/internal/devbroker"},
		{"similar name", "internal/codec/x.go", "pulse-scorer/internal/pulses"},
		{"unknown part", "internal/util/x.go", "strings"},
		{"library in the domain", "internal/pulse/x.go", "github.com/google/uuid"},
		{"kafka-go outside the engine", "internal/app/x.go", "github.com/segmentio/kafka-go/protocol"},
		{"kafka-go in an integration test", "integration/x_test.go", "github.com/segmentio/kafka-go"},
		{"containers in a unit test", "internal/broker/x_test.go", "github.com/testcontainers/testcontainers-go"},
		{"second client in the service", "internal/broker/x.go", "github.com/twmb/franz-go/pkg/kgo"},
		{"file system in pure code", "internal/scoring/x.go", "os"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := parse(t, c.path, fmt.Sprintf("package x\n\nimport _ %q\n", c.imports))
			expectFault(t, importFaults([]source{file}), c.path)
		})
	}
}

func importFaults(sources []source) []string {
	var faults []string
	for _, file := range sources {
		part, allowed := partOf(file.dir())
		if part == "" {
			faults = append(faults, file.path+": its package has no place in mayImport of internal/archtest; give it one, or put it into a package that has")
			continue
		}
		for _, imported := range file.imports {
			if reason := importFault(file, part, allowed, imported); reason != "" {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", file.path, imported, reason))
			}
		}
	}
	return faults
}

// partOf returns the part of the module that a folder belongs to and what that part may import; an empty name if none.
func partOf(dir string) (part string, allowed []string) {
	for candidate, allowed := range mayImport() {
		if below(dir, candidate) {
			return candidate, allowed
		}
	}
	return "", nil
}

// importFault returns why a file may not import a package, or nothing.
func importFault(file source, part string, allowed []string, imported string) string {
	if inside, ok := strings.CutPrefix(imported, module+"/"); ok {
		return insideFault(file, part, allowed, inside)
	}
	if reason := ownerFault(file, imported); reason != "" {
		return reason
	}
	if part == "internal/pulse" && strings.Contains(strings.Split(imported, "/")[0], ".") {
		return "the domain knows the standard library only"
	}
	if !file.isTest() && slices.Contains(pure(), part) && below(imported, "os", "net", "log", "io/fs") {
		return part + " does no I/O"
	}
	return ""
}

func insideFault(file source, part string, allowed []string, inside string) string {
	if below(inside, part) || below(inside, allowed...) || file.isTest() && below(inside, testsMayImport()...) {
		return ""
	}
	return part + " may not know it; imports point inward"
}

func ownerFault(file source, imported string) string {
	for library, parts := range owners() {
		switch {
		case !below(imported, library), file.within(parts...):
		case file.isTest() && library == "github.com/twmb/franz-go":
		default:
			return "only " + strings.Join(parts, " and ") + " may"
		}
	}
	return ""
}
