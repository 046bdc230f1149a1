//go:build integration

package console_test

import (
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// paintWithin is what is promised on loopback; it is held against the machine only with
// -timed, and told always.
const paintWithin = 200

var timed = flag.Bool("timed", false, "hold the first paint against the clock")

// maxPageBytes is all that the page loads before it asks for figures.
const maxPageBytes = 300_000

// A page without anything to show says how to begin; it is small, loads nothing from
// elsewhere, and the browser finds nothing wrong with it.
func TestPage_OfAServiceThatHasNothing(t *testing.T) {
	t.Parallel()
	chrome, l := browser(t), newLab(t, 8)
	p := open(chrome, t, l.url, 1280, 900, "light")
	p.expectText(t, "#state", "Ready, idle")
	p.expectText(t, "#start", "kcat -P -b "+l.broker.Addrs()[0]+" -t pulse.signals -k my_signal -X partitioner=murmur2_random")
	p.await(t, "document.querySelectorAll('#tasks tr').length === 8 && document.querySelector('#tasks').innerText.includes('running')")
	p.await(t, "document.querySelector('#checked').innerText.includes('was made at')")
	for _, says := range []string{"No result yet", "None since the process began", "8 here"} {
		if !strings.Contains(p.text(t, "main"), says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	p.expectNames(t)
	p.picture(t, "empty")
	p.expectNoFaults(t)

	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0.0
	for address, size := range p.loaded {
		if at, err := url.Parse(address); err != nil || "http://"+at.Host+"/" != l.url {
			t.Errorf("the page loads %s", address)
		} else if !strings.HasPrefix(at.Path, "/api/") {
			total += size
		}
	}
	t.Logf("the page has %.0f bytes on the wire", total)
	if total < 10_000 || total > maxPageBytes {
		t.Errorf("the page has %.0f bytes on the wire, at most %d are promised", total, maxPageBytes)
	}
}

func TestPage_PaintsAtOnce(t *testing.T) { //nolint:paralleltest // measures
	chrome, l := browser(t), newLab(t, 8)
	open(chrome, t, l.url, 1280, 900, "light").expectFirstPaint(t)
}

// expectFirstPaint loads the page again a few times; it tells the median, and when the answer with the
// figures had ended, which is before they are drawn.
func (p *tab) expectFirstPaint(t *testing.T) {
	t.Helper()
	const loads, paint = 15, "performance.getEntriesByName('first-contentful-paint')[0]"
	const figures = "performance.getEntriesByType('resource').find((r) => r.name.includes('/api/overview'))"
	var took, told []float64
	for range loads {
		p.do(t, chromedp.Reload())
		p.await(t, paint+" && "+figures)
		took = append(took, eval[float64](t, p, paint+".startTime"))
		told = append(told, eval[float64](t, p, figures+".responseEnd"))
	}
	slices.Sort(took)
	slices.Sort(told)
	t.Logf("first paint after %.0f ms (quartiles %.0f and %.0f, of %d loads: %.0f to %.0f); the answer with the figures had ended after %.0f ms (%.0f to %.0f)",
		took[loads/2], took[loads/4], took[loads*3/4], loads, took[0], took[loads-1], told[loads/2], told[0], told[loads-1])
	if *timed && took[loads/2] > paintWithin {
		t.Errorf("first paint after %.0f ms, promised are %d", took[loads/2], paintWithin)
	}
}

// A page with something of everything, light and dark, wide and narrow; contents are
// there with the token and not without.
func TestPage_OfABusyService(t *testing.T) {
	t.Parallel()
	chrome, l := browser(t), newLab(t, 8, enricher(t), "PULSE_RETRY_DELAYS=1m,5m", "PULSE_ANOMALY_THRESHOLD=0.99")
	l.busy(t)
	p := open(chrome, t, l.url, 1280, 900, "light")
	p.expectText(t, "#t-rate-note", strconv.Itoa(busyRecords)+" records")
	// It comes alone, so that it is sure to be among the recent results.
	l.produce(t, 1, temperature("high", 1, 9000))
	p.expectScores(t)
	l.expectAnswers(t)
	p.expectText(t, "#dead-why", "malformed_json")
	p.expectText(t, "#dead-why", "dlq redrive --class invalid_field --stage decode --dry-run")
	p.await(t, "[...document.querySelectorAll('#dead-why code')].some((c) => c.innerText.endsWith('dlq redrive --class invalid_field --stage decode') && c.parentNode.querySelector('.what').innerText === 'redrive')")
	p.expectText(t, "#dead-why", "PULSE_RETRY_DELAYS=1m,5m")
	p.await(t, "/^[1-9]/.test(document.querySelector('#t-retry').innerText)")
	p.expectText(t, "#tiers", "(in ")
	p.expectText(t, "#tasks", "this process (")
	p.await(t, "document.querySelector('#p-rate svg').getAttribute('aria-label').includes('scored now')")
	if seen := eval[string](t, p, "document.documentElement.outerHTML"); strings.Contains(seen, "secret") || strings.Contains(seen, "air_temperature") {
		t.Errorf("without the token the page has contents")
	}
	p.picture(t, "light-without-token")

	p.do(t, chromedp.SendKeys("#token", "not the token"+kb.Enter))
	p.expectText(t, "#token-note", "That is not the token")
	p.do(t, chromedp.SendKeys("#token", token+kb.Enter))
	p.expectText(t, "#dead-recent", "secret ten")
	// Which of the 200 are among the last 50 depends on the batches.
	p.expectText(t, "#results", "air_temperature_")
	p.expectNames(t)
	p.picture(t, "light")
	l.expectKeyboard(t, p)

	dark := open(chrome, t, l.url+"#token="+token, 1280, 900, "dark")
	dark.expectText(t, "#dead-recent", "secret ten")
	if at := eval[string](t, dark, "location.href"); strings.Contains(at, token) {
		t.Errorf("the token stays in the address: %s", at)
	}
	dark.await(t, "document.querySelector('#p-rate svg').getAttribute('aria-label').includes('scored now')")
	dark.picture(t, "dark")
	dark.expectNoFaults(t)

	narrow := open(chrome, t, l.url+"#token="+token, 400, 800, "light")
	narrow.expectText(t, "#dead-recent", "secret ten")
	narrow.await(t, "document.querySelector('#p-rate svg').getAttribute('aria-label').includes('scored now')")
	if wide := eval[int](t, narrow, "document.documentElement.scrollWidth"); wide > 400 {
		t.Errorf("on a screen of 400 pixels the page is %d wide: %s", wide, eval[string](t, narrow, "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 400 && !e.closest('.scroll, code, svg')).map((e) => e.tagName + '#' + e.id + '.' + e.className).join(' ')"))
	}
	narrow.picture(t, "narrow")
	narrow.expectNoFaults(t)
}

// expectScores checks what is drawn of scores against what was sent: each histogram has the results that have that score, as many bars
// as there are steps with results in them, and the one anomaly is counted and marked.
func (p *tab) expectScores(t *testing.T) {
	t.Helper()
	const raw, all = busyRaw + 1, busyRaw + 1 + busyForecasts
	for name, results := range map[string]int{
		"Trust": busyForecasts, "Alignment": busyForecasts, "Quality": raw, "Anomaly": all, "Recency": all,
	} {
		histogram := fmt.Sprintf(`[...document.querySelectorAll('#scores svg')].find((s) => s.getAttribute('aria-label').startsWith(%q))`, name+": ")
		p.await(t, fmt.Sprintf(`%s.getAttribute('aria-label').startsWith('%s: %d results, ')`, histogram, name, results))
		measure := strings.ToLower(name) + "_score"
		p.await(t, fmt.Sprintf(`[...%s.querySelectorAll('.bar')].filter((b) => b.getAttribute('height') > 0).length ===
			latest.scores.find((s) => s.name === %q).counts.filter((n) => n > 0).length`, histogram, measure))
	}
	p.expectText(t, "#anomalies", fmt.Sprintf("1 of %d results are flagged as anomalies (0.34\u00a0%%).", all))
	p.await(t, "[...document.querySelectorAll('#results .tag.amber')].filter((tag) => tag.innerText.endsWith(' flagged')).length === 1")
}

// expectKeyboard goes through the page with Tab: everything that can be used is reached,
// shows that it has the focus, and plots can be read with the arrow keys.
func (l *lab) expectKeyboard(t *testing.T, p *tab) {
	t.Helper()
	p.do(t, chromedp.Focus(".skip"))
	reached := make(map[string]bool)
	for range 60 {
		at := eval[struct {
			What    string
			Outline float64
		}](t, p, `(() => {
			const e = document.activeElement, s = getComputedStyle(e);
			return { what: e === document.body ? 'BODY' : e.id || e.getAttribute('class') || e.closest('[id]')?.id + ' ' + e.tagName, outline: s.outlineStyle === 'none' ? 0 : parseFloat(s.outlineWidth) };
		})()`)
		if at.What == "BODY" {
			break
		}
		if at.Outline < 2 {
			t.Errorf("%s does not show that it has the focus", at.What)
		}
		reached[at.What] = true
		p.do(t, chromedp.KeyEvent(kb.Tab))
	}
	for _, want := range []string{"skip", "p-rate svg", "p-lag svg", "results-box", "only-busy", "forget", "dead-why BUTTON"} {
		if !reached[want] {
			t.Errorf("Tab does not reach %s; it reaches %v", want, reached)
		}
	}
	p.do(t, chromedp.Focus("#p-rate svg"), chromedp.KeyEvent(kb.End))
	p.expectText(t, "#said", "scored ")
}

// The broker goes away, and then the service: the page says which, and why.
func TestPage_OfAServiceWhoseBrokerIsAway(t *testing.T) {
	t.Parallel()
	chrome, l := browser(t), newLab(t, 8)
	l.produce(t, 0, `{"id":"1","name":"a","value":1,"source":"s"}`)
	p := open(chrome, t, l.url, 1280, 900, "light")
	p.expectText(t, "#t-rate-note", "1 record in all")
	if err := l.broker.Close(); err != nil {
		t.Fatal(err)
	}
	p.expectText(t, "#state", "Not ready")
	p.expectText(t, "#holds", "broker: no answer within the last 15 s")
	p.picture(t, "broker-away")
	p.expectNoFaults(t)

	l.stop()
	p.expectText(t, "#lost", "Connection lost: no answer at all")
	p.expectText(t, "#state", "Connection lost")
	p.expectText(t, "#lost", "Asking again every")
	p.picture(t, "service-away")
}

// Two workers share the partitions: the page of one says which the other has, by the name it was given, and takes them when it leaves.
func TestPage_OfOneWorkerOfTwo(t *testing.T) {
	t.Parallel()
	chrome, l := browser(t), newLab(t, 8, "PULSE_INSTANCE_ID=worker-a")
	p := open(chrome, t, l.url, 1280, 900, "light")
	p.expectText(t, "#tasks-lead", "8 here;")
	_, stop := l.serve(t, "PULSE_INSTANCE_ID=worker-b")
	p.expectText(t, "#tasks-lead", "4 here, 4 with others (2 members)")
	const rows = "[...document.querySelectorAll('#tasks tr')].filter((r) => r.innerText.includes(%q) && r.innerText.includes(%q)).length === %d"
	p.await(t, fmt.Sprintf(rows, "running", "this process (worker-a", 4))
	p.await(t, fmt.Sprintf(rows, "elsewhere", "worker-b", 4))
	p.await(t, "document.querySelectorAll('#cells .away').length === 4 && document.querySelectorAll('#cells .run').length === 4")
	p.picture(t, "two-workers")
	stop()
	p.expectText(t, "#tasks-lead", "8 here;")
	p.await(t, fmt.Sprintf(rows, "running", "this process (worker-a", 8))
	p.expectNoFaults(t)
}

// The runbook is there for who comes by an alert's link, on a phone too.
func TestPage_OfTheRunbook(t *testing.T) {
	t.Parallel()
	chrome, l := browser(t), newLab(t, 1)
	p := open(chrome, t, l.url+"runbook#pulsescorerfenced", 400, 800, "dark")
	p.await(t, "document.querySelector(':target').innerText === 'PulseScorerFenced' && document.querySelector(':target').getBoundingClientRect().top < 100")
	if wide := eval[int](t, p, "document.documentElement.scrollWidth"); wide > 400 {
		t.Errorf("on a screen of 400 pixels the runbook is %d wide", wide)
	}
	p.expectNoFaults(t)
	wide := open(chrome, t, l.url+"runbook", 1280, 900, "light")
	wide.expectText(t, "h1", "Runbook")
	wide.picture(t, "runbook")
	wide.expectNoFaults(t)
}

// 256 partitions are all there, and the page stays usable.
func TestPage_Of256Partitions(t *testing.T) {
	t.Parallel()
	chrome, l := browser(t), newLab(t, 256)
	for i := range 40 {
		l.produce(t, int32(i*6), fmt.Sprintf(`{"id":"%d","name":"n%d","value":1,"source":"s"}`, i, i))
	}
	p := open(chrome, t, l.url, 1280, 900, "light")
	p.expectText(t, "#tasks-lead", "256 here")
	p.await(t, "[...document.querySelectorAll('#tasks tr')].filter((r) => r.innerText.includes('running')).length === 256")
	p.expectText(t, "#t-rate-note", "40 records")
	p.picture(t, "256-partitions")
	p.do(t, chromedp.Click("#only-busy"))
	p.await(t, "document.querySelectorAll('#tasks tr').length < 256")
	took := eval[float64](t, p, "(() => { const t = performance.now(); render(latest); return performance.now() - t; })()")
	t.Logf("drawing it anew takes %v", time.Duration(took*float64(time.Millisecond)).Round(time.Millisecond))
	p.expectNoFaults(t)
}
