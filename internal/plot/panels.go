package plot

import (
	"math"
	"strconv"
)

// Panel shows one figure for several values of one thing, side by side.
type Panel struct {
	Name, Caption string
	Bars          []Bar
}

// Bar is a median with what lies around it.
type Bar struct {
	Label               string
	Median, Least, Most float64
}

// The panels, in pixels.
const (
	panelTop, panelEnd = 84, 270
	panelHeight        = 330
	panelGap           = 36
	barMost            = 46 // of the width of a bar
	whiskerHalf        = 6
	colorBar           = "#9cc1e6"
)

// board is a row of panels that is being drawn. All have the same scale, from 0, so
// that they can be compared.
type board struct {
	canvas

	top, panelWidth float64
}

// Panels draws panels beside each other; what says what the bars measure.
func Panels(headline, what string, panels []Panel) string {
	b := &board{panelWidth: (right - left + panelGap) / float64(max(len(panels), 1))}
	for _, p := range panels {
		for _, bar := range p.Bars {
			b.top = max(b.top, bar.Median, bar.Most)
		}
	}
	b.open(panelHeight, headline, headline)
	b.text(left, 46, "start", "#666", what)
	for i := range panels {
		b.panel(left+float64(i)*b.panelWidth, &panels[i])
	}
	return b.close()
}

func (b *board) panel(from float64, p *Panel) {
	end := from + b.panelWidth - panelGap
	b.f(`<text x="%.1f" y="%d" font-weight="bold" fill="%s">%s</text>`+"\n", from, panelTop-14, colorInk, escaped(p.Name))
	b.scale(from, end)
	slot := (end - from) / float64(max(len(p.Bars), 1))
	for i := range p.Bars {
		b.bar(from+(float64(i)+0.5)*slot, min(barMost, slot*0.6), &p.Bars[i])
	}
	b.f(`<path d="M%.1f %dV%dH%.1f" fill="none" stroke="%s"/>`+"\n", from, panelTop, panelEnd, end, colorInk)
	b.text((from+end)/2, panelEnd+42, "middle", "#666", p.Caption)
}

// scale draws the lines across a panel, and their numbers.
func (b *board) scale(from, end float64) {
	if b.top <= 0 {
		return
	}
	step := niceStep(b.top / 5)
	for i := 0.0; i*step <= b.top; i++ {
		y := b.y(i * step)
		b.f(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>`+"\n", from, end, y, y, colorGrid)
		b.text(from-6, y+4, "end", colorInk, strconv.FormatFloat(i*step, 'g', 6, 64))
	}
}

// bar is as high as the median; the whisker goes from the least to the most.
func (b *board) bar(x, wide float64, bar *Bar) {
	y := b.y(bar.Median)
	b.f(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x-wide/2, y, wide, panelEnd-y, colorBar)
	least, most := b.y(bar.Least), b.y(bar.Most)
	b.f(`<path d="M%.1f %.1fh%dm-%d 0V%.1fm-%d 0h%d" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n",
		x-whiskerHalf, least, 2*whiskerHalf, whiskerHalf, most, whiskerHalf, 2*whiskerHalf, colorValue)
	b.text(x, panelEnd-6, "middle", colorInk, strconv.FormatFloat(bar.Median, 'f', 2, 64))
	b.text(x, panelEnd+labelsBelow, "middle", colorInk, bar.Label)
}

// y leaves room above the highest.
func (b *board) y(v float64) float64 {
	if b.top <= 0 {
		return panelEnd
	}
	return panelEnd - (panelEnd-panelTop-8)*math.Max(v, 0)/b.top
}
