//go:build deployment

package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// scrape is a rule test of promtool: series, and what expressions over them must give.
type scrape struct {
	Name   string      `yaml:"name"`
	Step   string      `yaml:"interval"`
	Series []series    `yaml:"input_series"`
	Checks []exprCheck `yaml:"promql_expr_test"`
}

type series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type exprCheck struct {
	Expr    string       `yaml:"expr"`
	At      string       `yaml:"eval_time"`
	Samples []exprSample `yaml:"exp_samples"`
}

type exprSample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// asSeries turns an exposition into series that a Prometheus would have: with the labels of a scrape, and rising counters, since a
// rate of what stands still cannot be told from one of nothing.
func asSeries(text string) []series {
	var list []series
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(line, " ")
		if i := strings.LastIndex(line, " "); i > 0 {
			name, value = line[:i], line[i+1:]
		}
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		list = append(list, series{withScraped(name), value + "+1x20"})
	}
	return list
}

func withScraped(name string) string {
	const labels = `namespace="n",job="pulse-scorer",instance="a"`
	if open, ok := strings.CutSuffix(name, "}"); ok {
		return open + "," + labels + "}"
	}
	return name + "{" + labels + "}"
}

// filled puts in what Grafana puts in for variables.
func filled(query string) string {
	return strings.NewReplacer("$namespace", ".*", "$job", ".*", "$instance", ".*", "$__rate_interval", "5m").Replace(query)
}

// Every query of the dashboard gives something on what the running service exposes, and has the labels that its legend shows.
func TestDashboard_EveryQueryGivesSomething(t *testing.T) {
	t.Parallel()
	test := scrape{Name: "dashboard", Step: "1m", Series: asSeries(exposed(t))}
	legends := legendLabels(t)
	for _, where := range slices.Sorted(maps.Keys(legends)) {
		query := filled(dashboardQueries(t)[where])
		test.Checks = append(test.Checks, exprCheck{"count(" + query + ") > bool 0", "15m", []exprSample{{"{}", 1}}})
		for _, label := range legends[where] {
			has := fmt.Sprintf(`group by (has) (label_replace(%s, "has", "it", %q, ".+"))`, query, label)
			test.Checks = append(test.Checks, exprCheck{has, "15m", []exprSample{{`{has="it"}`, 1}}})
		}
	}
	if len(test.Checks) < 60 {
		t.Fatalf("%d checks", len(test.Checks))
	}
	if err := promtool(t, test); err != nil {
		t.Error(err)
	}
	test.Checks = []exprCheck{{`count(rate(pulse_records_total{outcome="nonsense"}[5m])) > bool 0`, "15m", []exprSample{{"{}", 1}}}}
	if promtool(t, test) == nil {
		t.Error("a query that gives nothing is taken")
	}
}

// legendLabels are the labels in the legends, by where the queries stand; every panel's query is in it.
func legendLabels(t *testing.T) map[string][]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, LegendFormat string }
		}
	}
	if err := json.Unmarshal(read(t, "grafana/pulse-scorer.json"), &dashboard); err != nil {
		t.Fatalf("read the dashboard: %v", err)
	}
	labels := make(map[string][]string)
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			where := fmt.Sprintf("panel %q %s", p.Title, target.RefID)
			labels[where] = nil
			for _, found := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				labels[where] = append(labels[where], found[1])
			}
		}
	}
	return labels
}

func promtool(t *testing.T, test scrape) error {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"evaluation_interval": "1m", "tests": []scrape{test}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = run(t, nil, tool(t, "PROMTOOL"), "test", "rules", path)
	return err
}

// What promtool finds odd about the exposition's own form: names, units, help texts.
func TestExposition_IsAsPrometheusWantsIt(t *testing.T) {
	t.Parallel()
	text, path := exposed(t), filepath.Join(t.TempDir(), "metrics.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, nil, "sh", "-c", `exec "$0" check metrics <"$1"`, tool(t, "PROMTOOL"), path); err != nil {
		t.Error(err)
	}
}
