package console

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

//go:generate go test -run ^TestRunbook_IsTheOneOfTheChart$ . -update

var update = flag.Bool("update", false, "write assets/runbook.html")

// runbookPage stands around the text.
const runbookPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Runbook · pulse-scorer</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="console.css">
</head>
<body>
<header><a class="brand" href="/"><img src="icon.svg" alt="" width="28" height="28">Console</a></header>
<main class="card text">
TEXT</main>
</body>
</html>
`

// The page is what a Markdown library makes of the runbook that lies in the chart; headings have the anchors that alerts link to.
func TestRunbook_IsTheOneOfTheChart(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/helm/pulse-scorer/RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := markdown.Convert(text, &body); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(runbookPage, "TEXT", body.String(), 1)
	if *update {
		if err := os.WriteFile("assets/runbook.html", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if file("runbook.html") != want {
		t.Error("assets/runbook.html is not made of the chart's RUNBOOK.md; run: go generate ./internal/console")
	}
}

// What alerts and the runbook's own links name is there, once.
func TestRunbook_HasTheEntriesThatAlertsLinkTo(t *testing.T) {
	t.Parallel()
	c, _ := testConsole(t, time.Now)
	w := get(t, c.Pages(), "/runbook")
	page := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("/runbook: %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	alerts, err := os.ReadFile("../../deploy/helm/pulse-scorer/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`runbook_url: http://127\.0\.0\.1:9100/runbook#(\w+)\n`).FindAllStringSubmatch(string(alerts), -1)
	if n := strings.Count(string(alerts), "runbook_url:"); n < 20 || len(links) != n {
		t.Fatalf("%d alerts, %d of them with a link to this page", n, len(links))
	}
	links = append(links, regexp.MustCompile(`href="#(\w+)"`).FindAllStringSubmatch(page, -1)...)
	for _, link := range links {
		if n := strings.Count(page, `<h2 id="`+link[1]+`">`); n != 1 {
			t.Errorf("%d entries for %s, want 1", n, link[0])
		}
	}
	for _, href := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(href[1], "#") && href[1] != "/" && href[1] != "/icon.svg" {
			t.Errorf("a link to %s, which the service does not serve", href[1])
		}
	}
}
