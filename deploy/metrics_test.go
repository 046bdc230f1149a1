package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// known are the labels of each metric in an exposition, under each of the names it can be asked by.
func known(text string) map[string][]string {
	metrics := make(map[string][]string)
	lines := strings.Split(text, "\n")
	sample := regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$`)
	label := regexp.MustCompile(`([a-zA-Z_]\w*)="(?:[^"\\]|\\.)*"`)
	for _, line := range lines {
		found := sample.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		for _, l := range label.FindAllStringSubmatch(found[2], -1) {
			if !slices.Contains(metrics[found[1]], l[1]) {
				metrics[found[1]] = append(metrics[found[1]], l[1])
			}
		}
		if !slices.Contains(metrics[found[1]], scraped[0]) {
			metrics[found[1]] = append(metrics[found[1]], scraped...)
		}
	}
	return metrics
}

// scraped are labels that Prometheus adds.
var scraped = []string{"namespace", "job", "instance"}

var (
	selector = regexp.MustCompile(`\b((?:pulse|go|process)_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)`)
	grouping = regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`)
)

// queryFaults finds metrics and labels in a query that the service does not expose.
func queryFaults(query string, metrics map[string][]string) []string {
	var faults, has []string
	for _, found := range selector.FindAllStringSubmatch(query, -1) {
		labels, ok := metrics[found[1]]
		if !ok {
			faults = append(faults, fmt.Sprintf("%s is exposed by no service", found[1]))
			continue
		}
		has = append(has, labels...)
		for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
			if !slices.Contains(labels, m[1]) && !slices.Contains(scraped, m[1]) {
				faults = append(faults, fmt.Sprintf("%s has no label %s", found[1], m[1]))
			}
		}
	}
	for _, group := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(group[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(has, label) {
				faults = append(faults, fmt.Sprintf("no metric of %q has a label %s", query, label))
			}
		}
	}
	return faults
}

// dashboardQueries are the queries of the dashboard by where they stand: panels and variables.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ RefID, Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(read(t, "grafana/pulse-scorer.json"), &dashboard); err != nil {
		t.Fatalf("read the dashboard: %v", err)
	}
	queries := make(map[string]string)
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			queries[fmt.Sprintf("panel %q %s", p.Title, target.RefID)] = target.Expr
		}
	}
	for _, v := range dashboard.Templating.List {
		queries["variable "+v.Name] = v.Definition
	}
	if len(queries) < 40 {
		t.Fatalf("%d queries in the dashboard", len(queries))
	}
	return queries
}

type alert struct {
	Alert, Expr, For string
	Labels           map[string]string
	Annotations      map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal(read(t, "prometheus/alerts.yaml"), &file); err != nil {
		t.Fatalf("read the alerts: %v", err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 20 {
		t.Fatalf("alerts = %+v", file)
	}
	return file.Groups[0].Rules
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDashboard_AsksForWhatTheServiceExposes(t *testing.T) {
	t.Parallel()
	metrics := known(exposed(t))
	for where, query := range dashboardQueries(t) {
		for _, fault := range queryFaults(query, metrics) {
			t.Errorf("%s: %s", where, fault)
		}
	}
}

// Whatever the service exposes of its own can be looked at: each metric is in a query of a panel. What it exposes is listed by
// the test of the application, which fails when the list is not true.
func TestDashboard_ShowsEveryMetric(t *testing.T) {
	t.Parallel()
	var panels strings.Builder
	for where, query := range dashboardQueries(t) {
		if strings.HasPrefix(where, "panel ") {
			panels.WriteString(query + "\n")
		}
	}
	exposition, own := string(read(t, "../internal/app/testdata/exposition.txt")), 0
	for line := range strings.Lines(exposition) {
		name, _, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(name, "pulse_") {
			continue
		}
		own++
		if !regexp.MustCompile(`\b` + name + `(_bucket|_sum|_count)?\b`).MatchString(panels.String()) {
			t.Errorf("%s is in no panel", name)
		}
	}
	if own < 40 {
		t.Errorf("the exposition has %d metrics of the service's own", own)
	}
}

// Panels lie side by side: none covers another, and their numbers are their own.
func TestDashboard_PanelsHavePlacesOfTheirOwn(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
		}
	}
	if err := json.Unmarshal(read(t, "grafana/pulse-scorer.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	ids, cells := make(map[int]string), make(map[[2]int]string)
	for _, p := range dashboard.Panels {
		if other, taken := ids[p.ID]; taken {
			t.Errorf("%q and %q have the number %d", p.Title, other, p.ID)
		}
		ids[p.ID] = p.Title
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W < 1 || p.GridPos.H < 1 {
			t.Errorf("%q lies beyond the grid: %+v", p.Title, p.GridPos)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, taken := cells[cell]; taken && other != p.Title {
					t.Fatalf("%q covers %q", p.Title, other)
				}
				cells[cell] = p.Title
			}
		}
	}
}

func TestAlerts_AskForWhatTheServiceExposes(t *testing.T) {
	t.Parallel()
	metrics := known(exposed(t))
	for _, a := range alerts(t) {
		for _, fault := range queryFaults(a.Expr, metrics) {
			t.Errorf("%s: %s", a.Alert, fault)
		}
	}
}

// Metrics that texts name, with or without labels.
func TestTexts_NameMetricsThatTheServiceExposes(t *testing.T) {
	t.Parallel()
	metrics := known(exposed(t))
	for name := range maps.Clone(metrics) {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, ok := strings.CutSuffix(name, suffix); ok {
				metrics[base] = metrics[name]
			}
		}
	}
	named := regexp.MustCompile("`(pulse_[a-z_]+)(?:\\{([a-z,]*)\\})?`")
	for _, path := range []string{"../README.md", "README.md", "RUNBOOK.md", "helm/pulse-scorer/README.md"} {
		for _, found := range named.FindAllStringSubmatch(string(read(t, path)), -1) {
			labels, ok := metrics[found[1]]
			if !ok {
				t.Errorf("%s names %s, which is exposed by no service", path, found[1])
			}
			for label := range strings.SplitSeq(found[2], ",") {
				if ok && label != "" && !slices.Contains(labels, label) {
					t.Errorf("%s: %s has no label %s", path, found[1], label)
				}
			}
		}
	}
}

func TestQueryFaults_AreSeen(t *testing.T) {
	t.Parallel()
	metrics := known("pulse_a{x=\"1\",y=\"}\"} 1\npulse_b 2\n")
	for query, faults := range map[string]int{
		`sum by (x, job) (rate(pulse_a{y="2",job="j"}[5m])) / pulse_b`: 0,
		`pulse_c`:                                1,
		`pulse_a{z="1"}`:                         1,
		`sum by (z) (pulse_a)`:                   1,
		`pulse_b * on (x) group_left () pulse_b`: 1,
	} {
		if got := queryFaults(query, metrics); len(got) != faults {
			t.Errorf("%s: faults %q, want %d", query, got, faults)
		}
	}
}
