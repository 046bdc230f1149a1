package deploy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAlerts_EachHasAnEntryInTheRunbookAndACase(t *testing.T) {
	t.Parallel()
	runbook, cases := string(read(t, "RUNBOOK.md")), string(read(t, "prometheus/alerts_test.yaml"))
	var names []string
	for _, a := range alerts(t) {
		names = append(names, a.Alert)
		if want := "http://127.0.0.1:9100/runbook#" + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s: no summary or description", a.Alert)
		}
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", a.Alert, s)
		}
		fires := `ALERTS{alertname="` + a.Alert + `", alertstate="firing"`
		if !strings.Contains(cases, fires+`}`+"\n") || !strings.Contains(cases, fires+`, `) {
			t.Errorf("%s: alerts_test.yaml has no case in which it fires, or none in which it is quiet", a.Alert)
		}
	}
	headings := regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(runbook, -1)
	for _, h := range headings {
		if !slices.Contains(names, h[1]) {
			t.Errorf("the runbook has an entry for %s, which is no alert", h[1])
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == h[1] })
	}
	if len(names) > 0 {
		t.Errorf("no entry in the runbook, or two: %s", strings.Join(names, ", "))
	}
}

func TestRunbook_LinksToItsOwnEntries(t *testing.T) {
	t.Parallel()
	runbook := string(read(t, "RUNBOOK.md"))
	for _, link := range regexp.MustCompile(`\[(\w+)\]\(#(\w+)\)`).FindAllStringSubmatch(runbook, -1) {
		anchor := strings.ToLower(link[1])
		if !strings.Contains(runbook, "\n## "+link[1]+"\n") || link[2] != anchor {
			t.Errorf("link %s leads nowhere", link[0])
		}
	}
}
