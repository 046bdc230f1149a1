package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"pulse-scorer/internal/pipeline"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/schemas"
)

// mark is what senders write.
const mark = "what-a-sender-wrote"

// testConsole is one whose metrics, view and owners have something of everything.
func testConsole(tb testing.TB, now func() time.Time) (c *Console, scored prometheus.Counter) {
	tb.Helper()
	registry := prometheus.NewRegistry()
	records := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pulse_records_total", Help: "records"}, []string{"outcome"})
	lag := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "pulse_consumer_lag_records", Help: "lag"}, []string{"topic", "partition"})
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "pulse_end_to_end_seconds", Help: "time", Buckets: []float64{0.001, 0.01, 0.1}})
	registry.MustRegister(records, lag, took)
	lag.WithLabelValues("t", "0").Set(3)
	lag.WithLabelValues("t", "1").Set(4)
	took.Observe(0.05)
	due := now().Add(time.Minute)
	c, err := New(Settings{Version: "1", Group: "g", RetryDelays: []time.Duration{time.Second, time.Minute}, Contents: true}, Deps{
		Gatherer: registry, Now: now,
		View: func() View {
			return View{
				Ready: true, Live: true, CheckedAt: now(), Checks: []Check{{Name: "broker", OK: true}}, Readiness: []Check{{Name: "group", Detail: "not joined"}},
				Tasks: []Task{
					{Partition: 0, Phase: "running", Committed: 1, End: 4, Lag: 3, LagSeconds: 2, Tiers: []Tier{{Tier: 2, Waiting: 5, NextNotBefore: &due}, {Tier: 9, Waiting: 1}}},
					{Partition: 1, Phase: "restoring", Committed: -1, End: -1, Lag: 4, LagSeconds: 7},
				},
			}
		},
		Owners: func(context.Context) (map[int32]string, error) { return map[int32]string{0: "me", 2: "you"}, nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c, records.WithLabelValues("scored")
}

// batch is what a task shows.
func batch() *pipeline.Sight {
	s := &pipeline.Sight{
		Scored: 2, Flagged: 1, Failed: map[pipeline.Fault]uint32{{Class: pulse.InvalidField, Stage: pipeline.StageDecode}: 3},
		Results: []pipeline.SeenResult{{Trust: pulse.Some(0.5), Content: []byte(`{"name":"` + mark + `"}`)}, {Content: []byte("no JSON")}},
		Letters: []pipeline.SeenLetter{{
			Fault:   pipeline.Fault{Class: pulse.InvalidField, Stage: pipeline.StageDecode},
			Message: mark, Key: []byte(mark), Value: []byte(mark + "\xff"), Size: 20,
		}},
	}
	s.Spread[pipeline.MeasureTrust][10] = 2
	return s
}

func get(tb testing.TB, pages map[string]http.Handler, target string) *httptest.ResponseRecorder {
	tb.Helper()
	mux := http.NewServeMux()
	for pattern, page := range pages {
		mux.Handle(pattern, page)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(tb.Context(), http.MethodGet, target, http.NoBody))
	return w
}

func compiled(t *testing.T, text string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("answer.json", document); err != nil {
		t.Fatal(err)
	}
	return compiler.MustCompile("answer.json")
}

func expectValid(t *testing.T, schema *jsonschema.Schema, body []byte) {
	t.Helper()
	got, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(got)
	}
	if err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

func TestOverview_IsAsItsSchemaSays(t *testing.T) {
	t.Parallel()
	schema := compiled(t, schemas.Overview())
	c, _ := testConsole(t, time.Now)
	for _, step := range []func(){func() {}, func() { c.Watcher().Saw(batch()) }, func() { c.sample(); c.sample(); c.askOwners(t.Context()) }} {
		step()
		expectValid(t, schema, get(t, c.Pages(), "/api/overview").Body.Bytes())
	}
	body := get(t, c.Pages(), "/api/overview").Body.String()
	for _, want := range []string{
		`"lag":{"records":7,"seconds":7,"partition":1}`, `{"partition":2,"here":false,"owner":"you"`, `"members":2`,
		`{"tier":2,"delay_seconds":60,"waiting":5,"next_not_before":"`, `"anomalies":{"flagged":1,"scored":2}`, `"class":"invalid_field","stage":"decode","count":3`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the overview has no %s: %s", want, body)
		}
	}
	if w := get(t, c.Pages(), "/api/overview?after=x"); w.Code != http.StatusBadRequest {
		t.Errorf("?after=x: %d, want 400", w.Code)
	}
}

// The other half of it, that no content comes as far as here without a token, is held
// by TestSight_KeepsNoContentsThatNobodyMaySee.
func TestOverview_HasNothingThatSendersWrote(t *testing.T) {
	t.Parallel()
	c, _ := testConsole(t, time.Now)
	c.Watcher().Saw(batch())
	for pattern := range c.Pages() {
		target := strings.TrimSuffix(strings.TrimPrefix(pattern, "GET "), "{$}")
		if w := get(t, c.Pages(), target); w.Code != http.StatusOK || strings.Contains(w.Body.String(), mark) {
			t.Errorf("%s: %d, and has contents: %v", target, w.Code, strings.Contains(w.Body.String(), mark))
		}
	}
	w := get(t, c.Guarded(), "/api/recent")
	if n := strings.Count(w.Body.String(), mark); n != 4 || !strings.Contains(w.Body.String(), `{"seq":2,"result":null}`) {
		t.Errorf("with the token contents come %d times, want 4: %s", n, w.Body)
	}
}

func TestDeadLetters_AreAsTheirSchemaSays(t *testing.T) {
	t.Parallel()
	schema := compiled(t, schemas.DeadLetters())
	c, _ := testConsole(t, time.Now)
	expectValid(t, schema, get(t, c.Guarded(), "/api/dlq").Body.Bytes())
	long := batch()
	long.Letters[0].Size, long.Letters[0].Offset = pipeline.MaxSeenBytes+1, 7
	for range keep {
		c.Watcher().Saw(batch())
	}
	c.Watcher().Saw(long)
	body := get(t, c.Guarded(), "/api/dlq").Body
	expectValid(t, schema, body.Bytes())
	for _, want := range []string{
		`{"schema":"pulse.dlq/1","dead_letters":[{"seq":51,"at":"`, `"class":"invalid_field","stage":"decode","partition":0,"offset":7,"attempts":0,"size_bytes":`,
		`,"message":"` + mark + `","key":"` + mark + `","value":"` + mark + "\uFFFD" + `","cut":true},{"seq":50,`, `"size_bytes":20,`, `"cut":false}`,
	} {
		if !strings.Contains(body.String(), want) {
			t.Errorf("the dead letters have no %s: %s", want, body)
		}
	}
	if strings.Contains(body.String(), `"seq":1,`) {
		t.Errorf("more than %d dead letters are kept: %s", keep, body)
	}
}

// The answers of one that has nothing, and more than is kept, and what is too long; the schema takes none that lacks a field.
func TestRecent_IsAsItsSchemaSays(t *testing.T) {
	t.Parallel()
	schema := compiled(t, schemas.Recent())
	c, _ := testConsole(t, time.Now)
	expectValid(t, schema, get(t, c.Guarded(), "/api/recent").Body.Bytes())
	for range keep {
		c.Watcher().Saw(batch())
	}
	long := batch()
	long.Letters[0].Size = pipeline.MaxSeenBytes + 1
	c.Watcher().Saw(long)
	body := get(t, c.Guarded(), "/api/recent").Body
	expectValid(t, schema, body.Bytes())
	for _, want := range []string{
		`{"schema":"pulse.recent/1","results":[{"seq":102,"result":null},{"seq":101,"result":{"name":"` + mark + `"}},{"seq":100,`,
		`"dead_letters":[{"seq":51,"at":"`, `"message":"` + mark + `","key":"` + mark + `","value":"` + mark + "\uFFFD" + `","cut":true},{"seq":50,`,
	} {
		if !strings.Contains(body.String(), want) {
			t.Errorf("the answer has no %s: %s", want, body)
		}
	}
	for of, fields := range map[string][]string{
		"": {"schema", "results", "dead_letters"}, "results": {"seq", "result"}, "dead_letters": {"seq", "at", "message", "key", "value"},
	} {
		for _, field := range fields {
			if schema.Validate(lacking(t, body.String(), of, field)) == nil {
				t.Errorf("the schema takes an answer without %s in %q", field, of)
			}
		}
	}
}

// lacking is an answer without one field: its own, or that of the first in one of its lists.
func lacking(t *testing.T, answer, list, field string) any {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	object, _ := document.(map[string]any)
	if list != "" {
		all, _ := object[list].([]any)
		if len(all) == 0 {
			t.Fatalf("nothing in %s: %s", list, answer)
		}
		object, _ = all[0].(map[string]any)
	}
	if _, there := object[field]; !there {
		t.Fatalf("the answer has no %s in %q: %s", field, list, answer)
	}
	delete(object, field)
	return document
}

// Whatever comes, in whatever amount, memory and answers stay small.
func TestMemory_IsBounded(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	c, scored := testConsole(t, func() time.Time { return at })
	full := batch()
	full.Letters[0].Value = bytes.Repeat([]byte("x"), pipeline.MaxSeenBytes)
	for i := range 2000 {
		full.Failed = map[pipeline.Fault]uint32{{Class: pulse.Class(fmt.Sprint(i)), Stage: 0}: 1}
		c.Watcher().Saw(full)
		scored.Add(10)
		at = at.Add(SampleEvery)
		c.sample()
	}
	if n := len(c.history.after(time.Time{})); n != samples {
		t.Errorf("%d samples are kept, want %d", n, samples)
	}
	if n := len(c.history.after(at.Add(-3 * SampleEvery))); n != 3 {
		t.Errorf("%d samples came after the third last, want 3", n)
	}
	if n := len(c.seen.failed); n != faults {
		t.Errorf("%d kinds of dead letters are kept, want %d", n, faults)
	}
	recent := c.seen.recent()
	if len(recent.Results) != keep || len(recent.DeadLetters) != keep || recent.DeadLetters[0].Seq != 2000 || recent.DeadLetters[keep-1].Seq != 2000-keep+1 {
		t.Errorf("%d results and %d letters are kept, from %d to %d", len(recent.Results), len(recent.DeadLetters),
			recent.DeadLetters[keep-1].Seq, recent.DeadLetters[0].Seq)
	}
	if size := get(t, c.Pages(), "/api/overview").Body.Len(); size > 100_000 {
		t.Errorf("the overview has %d bytes", size)
	}
}

func TestHistory_HasRatesAndQuantiles(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_700_000_000, 0)
	before := reading{at: began, outcomes: map[string]float64{"scored": 10}, bounds: []float64{1, 2}, counts: []uint64{5, 5, 5}}
	now := reading{at: began.Add(5 * time.Second), outcomes: map[string]float64{"scored": 60, "dead": 5}, bounds: []float64{1, 2}, counts: []uint64{5, 15, 15}, lagRecords: 9}
	s := now.since(&before)
	if s.scored != 10 || s.dead != 1 || s.retried != 0 || s.lagRecords != 9 {
		t.Errorf("sample %+v, want 10 scored and 1 dead a second, 9 behind", s)
	}
	if math.Abs(float64(s.p50)-1.5) > 1e-9 || math.Abs(float64(s.p99)-1.99) > 1e-9 {
		t.Errorf("p50 %v, p99 %v; want 1.5, 1.99", s.p50, s.p99)
	}
	idle := now.since(&now)
	if text, err := idle.p50.MarshalJSON(); err != nil || string(text) != "null" {
		t.Errorf("nothing measured is %s, want null", text)
	}
	if text, _ := measured(1234567.891).MarshalJSON(); string(text) != "1234570" {
		t.Errorf("rounded to %s", text)
	}
}

// The group is asked while somebody looks, and not for longer.
func TestFollow_AsksOnlyWhileSomebodyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := testConsole(t, time.Now)
		var asked atomic.Int64
		lastAnswer := func() owners {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.owners
		}
		c.deps.Owners = func(context.Context) (map[int32]string, error) {
			if asked.Add(1) > 1 {
				return nil, errors.New("away")
			}
			return map[int32]string{0: "me"}, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Follow(ctx) }()
		<-time.After(time.Minute)
		synctest.Wait()
		if n := asked.Load(); n != 0 {
			t.Errorf("asked %d times while nobody looked", n)
		}
		get(t, c.Pages(), "/api/overview")
		synctest.Wait()
		if n, last := asked.Load(), lastAnswer(); n != 1 || last.of[0] != "me" {
			t.Errorf("asked %d times at the first look, want once: %+v", n, last)
		}
		<-time.After(10 * time.Minute)
		synctest.Wait()
		if n, last := asked.Load(), lastAnswer(); n < 2 || n > 4 || last.fault == "" || last.of[0] != "me" {
			t.Errorf("asked %d times in all, want 3 or so, and the last answer stays: %+v", n, last)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPage_IsSmallAndAlone(t *testing.T) {
	t.Parallel()
	c, _ := testConsole(t, time.Now)
	const most = 300_000
	total := 0
	for pattern := range c.Pages() {
		target := strings.TrimSuffix(strings.TrimPrefix(pattern, "GET "), "{$}")
		if path.Dir(target) != "/" {
			continue
		}
		w := get(t, c.Pages(), target)
		total += w.Body.Len()
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has policy %q", target, policy)
		}
		text := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		for _, elsewhere := range []string{"http://", "https://", "@import", "url(", " style=", " onclick=", "innerHTML", "eval("} {
			if strings.Contains(text, elsewhere) {
				t.Errorf("%s has %q", target, elsewhere)
			}
		}
	}
	if total < 20_000 || total > most {
		t.Errorf("the page has %d bytes, at most %d are promised", total, most)
	}
}

// What a browser needs for the first paint is in each document itself, its policy lets that style through and no other, and scripts
// come from here alone.
func TestPage_IsPaintedFromOneAnswer(t *testing.T) {
	t.Parallel()
	c, _ := testConsole(t, time.Now)
	for _, target := range []string{"/", "/runbook"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			expectOneAnswer(t, get(t, c.Pages(), target))
		})
	}
}

func expectOneAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(page, -1)
	if len(styles) != 1 {
		t.Fatalf("%d styles in the page, want one", len(styles))
	}
	hash := sha256.Sum256([]byte(styles[0][1]))
	want := "script-src 'self'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "';"
	if !strings.Contains(policy, want) {
		t.Errorf("policy %q, want %s", policy, want)
	}
	if n := strings.Count(page, `<svg width="28" height="28"`); n != 1 {
		t.Errorf("%d icons in the page, want one", n)
	}
	for _, waits := range []string{`rel="stylesheet"`, "<img", "@font-face"} {
		if strings.Contains(page, waits) {
			t.Errorf("the first paint waits for %s", waits)
		}
	}
	for _, script := range regexp.MustCompile(`<script[^>]*>`).FindAllString(page, -1) {
		if !strings.Contains(script, " defer>") {
			t.Errorf("the first paint waits for %s", script)
		}
	}
}

// A page that does not ask for style or icon in the words that are looked for would be served without them.
func TestInlined_PanicsWithoutItsMarker(t *testing.T) {
	t.Parallel()
	if got := inlined("a MARK b", "MARK", "text"); got != "a text b" {
		t.Errorf("got %q", got)
	}
	for _, page := range []string{"a b", "MARK, MARK"} {
		if !panics(func() { inlined(page, "MARK", "text") }) {
			t.Errorf("%q is taken", page)
		}
	}
}

func panics(do func()) (did bool) {
	defer func() { did = recover() != nil }()
	do()
	return false
}

// Text, and lines of plots, against what they stand on: WCAG 2.2, 1.4.3 and 1.4.11.
func TestPalette_HasContrast(t *testing.T) {
	t.Parallel()
	css, err := assets.ReadFile("assets/console.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`:root \{[^}]*\}`).FindAllString(string(css), -1)
	if len(schemes) != 2 {
		t.Fatalf("%d palettes, want light and dark", len(schemes))
	}
	for i, scheme := range schemes {
		colors := make(map[string]float64)
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(scheme, -1) {
			colors[m[1]] = luminance(t, m[2])
		}
		for _, pair := range slices.Concat(
			pairs(4.5, []string{"text", "muted", "blue", "green", "amber", "red"}, []string{"ground", "card"}),
			pairs(4.5, []string{"text", "red", "amber", "green"}, []string{"chip"}), pairs(4.5, []string{"text"}, []string{"warn-ground", "bad-ground"}),
			pairs(3, []string{"violet", "bar"}, []string{"card"}),
		) {
			a, b := colors[pair.of], colors[pair.on]
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < pair.least {
				t.Errorf("palette %d: %s on %s has a contrast of %.2f, want %.1f", i, pair.of, pair.on, contrast, pair.least)
			}
		}
	}
}

type pair struct {
	of, on string
	least  float64
}

func pairs(least float64, of, on []string) (out []pair) {
	for _, a := range of {
		for _, b := range on {
			out = append(out, pair{a, b, least})
		}
	}
	return out
}

// luminance is WCAG's relative luminance.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
