//go:build integration

package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// What ends what would hang: all of a browser, and a wait. Nothing is measured by them.
const (
	hangGuard  = 4 * time.Minute
	awaitGuard = time.Minute
)

// pictures is where screenshots go, seen from this package.
const pictures = "../../.cache/console"

// browser starts a Chromium for one test.
func browser(t *testing.T) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(hangGuard),
	)
	if path := os.Getenv("CHROMIUM"); path != "" {
		options = append(options, chromedp.ExecPath(path))
	}
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v; install Debian's package chromium, or name one in CHROMIUM", err)
	}
	return ctx
}

// tab is one page, with what it has loaded and complained about.
type tab struct {
	//nolint:containedctx // it is chromedp's handle of the tab
	ctx context.Context

	mu       sync.Mutex // guards the rest
	loaded   map[string]float64
	requests map[network.RequestID]string
	faults   []string
}

// open shows an address in a new tab.
func open(browser context.Context, t *testing.T, url string, width, height int64, scheme string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &tab{ctx: ctx, loaded: make(map[string]float64), requests: make(map[network.RequestID]string)}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatalf("browser: %v", err)
	}
	call(t, p, network.Enable, network.EnableParams{})
	call(t, p, log.Enable, cdp.Empty{})
	call(t, p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	call(t, p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	p.do(t, chromedp.Navigate(url))
	return p
}

// hear notes requests, and everything that the browser finds wrong.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests[e.RequestID] = e.Request.URL
	case *network.EventLoadingFinished:
		p.loaded[p.requests[e.RequestID]] += e.EncodedDataLength
	case *runtime.EventExceptionThrown:
		p.faults = append(p.faults, fmt.Sprintf("exception: %+v", e.ExceptionDetails))
	case *log.EventEntryAdded:
		p.faults = append(p.faults, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

// call sends one command of the protocol.
func call[P, R any](t *testing.T, p *tab, command cdp.Command[P, R], params P) R {
	t.Helper()
	result, err := chromedp.Call(p.ctx, command, params)
	if err != nil {
		t.Fatalf("browser: %s: %v", command.Method, err)
	}
	return result
}

func (p *tab) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		t.Fatalf("browser: %v", err)
	}
}

// expectNoFaults is the browser's own judgement: exceptions, what the policy refused,
// what could not be loaded.
func (p *tab) expectNoFaults(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		t.Errorf("the browser says %s", fault)
	}
}

// await waits until an expression of JavaScript is true. (chromedp.Poll makes a function
// of text in the page, which the page's policy refuses.)
func (p *tab) await(t *testing.T, expression string) {
	t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	patience := time.After(awaitGuard)
	for {
		is, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if is && err == nil {
			return
		}
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("never true: %s: %v; the page says\n%s", expression, err, p.text(t, "body"))
		}
	}
}

func (p *tab) text(t *testing.T, selector string) string {
	t.Helper()
	return eval[string](t, p, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// expectText waits until an element's text has a part.
func (p *tab) expectText(t *testing.T, selector, part string) {
	t.Helper()
	p.await(t, fmt.Sprintf("(document.querySelector(%q)?.innerText ?? '').includes(%q)", selector, part))
}

func eval[T any](t *testing.T, p *tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// picture keeps the whole page.
func (p *tab) picture(t *testing.T, name string) {
	t.Helper()
	beyond := true
	png := call(t, p, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond}).Data
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pictures, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
	if len(png) < 10_000 {
		t.Errorf("picture %s has %d bytes: nothing is on it", name, len(png))
	}
}

// expectNames checks, in the tree that screen readers are given, that every control,
// picture, table and region has a name, and that there is one of each landmark.
func (p *tab) expectNames(t *testing.T) {
	t.Helper()
	nodes := call(t, p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	roles := make(map[string]int)
	for _, n := range nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role, name := value(n.Role), ""
		if n.Name != nil {
			name = value(n.Name)
		}
		roles[role]++
		if slices.Contains([]string{"button", "link", "textbox", "checkbox", "image", "img", "table", "region", "figure", "navigation", "heading"}, role) && strings.TrimSpace(name) == "" {
			t.Errorf("a %s has no name", role)
		}
	}
	for _, role := range []string{"banner", "main", "contentinfo", "navigation"} {
		if roles[role] != 1 {
			t.Errorf("%d landmarks %s, want one", roles[role], role)
		}
	}
	if roles["heading"] < 10 || roles["table"] < 2 {
		t.Errorf("roles %v: headings and tables are missing", roles)
	}
}

func value(v *accessibility.Value) string { return strings.Trim(string(v.Value), `"`) }
