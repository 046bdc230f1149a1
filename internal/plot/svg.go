package plot

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Series is what is drawn.
type Series struct {
	Name, Source string
	Points       []Point
	// Threshold is the anomaly score from which a value is flagged; nil where it is
	// not known, or there are no scores.
	Threshold *float64
}

// Point is one observation.
type Point struct {
	Time  time.Time
	Value float64
	// Score is the anomaly score in [0,1], nil for none.
	Score *float64
	Flag  bool
}

// The picture, in pixels.
const (
	width               = 1200
	left, right         = 80, 1180
	valueTop, valueEnd  = 60, 310
	scoreTop, scoreEnd  = 340, 450
	labelsBelow         = 18
	labelHalf           = 32 // of the width of a time
	colorValue          = "#1f5fa8"
	colorFlag           = "#c62828"
	colorScore          = "#8e5a00"
	colorGrid, colorInk = "#e2e2e2", "#333"
)

// picture is a series that is being drawn.
type picture struct {
	canvas

	points   []Point
	from, to time.Time
	low, top float64
	bottom   int // of the lowest panel
}

// SVG draws a series. Without points it says so.
func SVG(s *Series) string {
	p := &picture{points: slices.Clone(s.Points), bottom: valueEnd}
	slices.SortStableFunc(p.points, func(a, b Point) int { return a.Time.Compare(b.Time) })
	scored := slices.ContainsFunc(p.points, func(q Point) bool { return q.Score != nil })
	if scored {
		p.bottom = scoreEnd
	}
	p.begin(s)
	if len(p.points) == 0 {
		p.text((left+right)/2, (valueTop+valueEnd)/2, "middle", colorInk, "no observations")
		return p.close()
	}
	p.scale()
	p.timeAxis()
	p.valueAxis()
	p.line(func(q Point) (float64, bool) { return p.y(q.Value), true }, colorValue)
	if scored {
		p.scores(s.Threshold)
	}
	p.flags()
	p.legend(scored, s.Threshold)
	return p.close()
}

func (p *picture) begin(s *Series) {
	flags := 0
	for _, q := range p.points {
		if q.Flag {
			flags++
		}
	}
	p.open(p.bottom+50, s.Name+" of "+s.Source, s.Name)
	p.text(left, 46, "start", "#666", fmt.Sprintf("source %s, %d observations, %d flagged", s.Source, len(p.points), flags))
}

// scale finds the ranges of the axes.
func (p *picture) scale() {
	p.from, p.to = p.points[0].Time, p.points[len(p.points)-1].Time
	if !p.from.Before(p.to) {
		p.from, p.to = p.from.Add(-time.Minute), p.to.Add(time.Minute)
	}
	p.low, p.top = math.Inf(1), math.Inf(-1)
	for _, q := range p.points {
		p.low, p.top = min(p.low, q.Value), max(p.top, q.Value)
	}
	if p.low == p.top { // a constant in the middle
		margin := max(math.Abs(p.low)/10, math.SmallestNonzeroFloat64*1e6, 1e-9)
		p.low, p.top = p.low-margin, p.top+margin
	}
}

func (p *picture) x(t time.Time) float64 {
	return left + float64(right-left)*float64(t.Sub(p.from))/float64(p.to.Sub(p.from))
}

// y of a value; halves, so that the widest range there is does not overflow.
func (p *picture) y(v float64) float64 {
	share := (v/2 - p.low/2) / (p.top/2 - p.low/2)
	return valueEnd - float64(valueEnd-valueTop-8)*share
}

func scoreY(score float64) float64 { return scoreEnd - float64(scoreEnd-scoreTop)*score }

// line draws a line through the lowest and the highest point of each column.
func (p *picture) line(at func(Point) (y float64, ok bool), color string) {
	p.f(`<polyline fill="none" stroke-width="1.2" stroke-linejoin="round" stroke="%s" points="`, color)
	column, low, high, some := math.Inf(-1), 0.0, 0.0, false
	flush := func() {
		if some {
			p.f("%.1f,%.1f ", column, low)
			if high != low {
				p.f("%.1f,%.1f ", column, high)
			}
		}
	}
	for _, q := range p.points {
		y, ok := at(q)
		if !ok {
			continue
		}
		if x := math.Round(p.x(q.Time)*2) / 2; x != column {
			flush()
			column, low, high, some = x, y, y, true
		}
		low, high = max(low, y), min(high, y)
	}
	flush()
	p.f("\"/>\n")
}

func (p *picture) scores(threshold *float64) {
	p.frame(scoreTop, scoreEnd)
	for _, tick := range []float64{0, 0.5, 1} {
		p.rule(scoreY(tick), strconv.FormatFloat(tick, 'g', -1, 64))
	}
	p.line(func(q Point) (float64, bool) {
		if q.Score == nil {
			return 0, false
		}
		return scoreY(*q.Score), true
	}, colorScore)
	if threshold != nil {
		y := scoreY(*threshold)
		p.f(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="6 4"/>`+"\n", left, right, y, y, colorFlag)
	}
	p.text(left-60, scoreTop-8, "start", "#666", "anomaly score")
}

func (p *picture) flags() {
	for _, q := range p.points {
		if !q.Flag {
			continue
		}
		p.f(`<circle cx="%.1f" cy="%.1f" r="4.5" fill="none" stroke="%s" stroke-width="2"><title>%s: %s</title></circle>`+"\n",
			p.x(q.Time), p.y(q.Value), colorFlag, q.Time.UTC().Format(time.RFC3339), strconv.FormatFloat(q.Value, 'g', -1, 64))
	}
}

func (p *picture) legend(scored bool, threshold *float64) {
	x := right - 420
	entry := func(color, text, mark string) {
		p.f(mark, x, x, color)
		p.text(float64(x+26), 46, "start", colorInk, text)
		x += 40 + 7*len(text)
	}
	const dash = `<path d="M%d 42h20" data-x="%d" stroke="%s" stroke-width="2"/>`
	entry(colorValue, "value", dash)
	if scored {
		entry(colorScore, "anomaly score", dash)
	}
	if threshold != nil {
		entry(colorFlag, "threshold "+strconv.FormatFloat(*threshold, 'g', 4, 64), strings.Replace(dash, "/>", ` stroke-dasharray="6 4"/>`, 1))
	}
	entry(colorFlag, "flagged", `<circle cx="%d" cy="42" r="4.5" data-x="%d" transform="translate(10 0)" fill="none" stroke="%s" stroke-width="2"/>`)
}

func (p *picture) frame(top, end int) {
	p.f(`<path d="M%d %dV%dH%d" fill="none" stroke="%s"/>`+"\n", left, top, end, right, colorInk)
}

// rule is a line across a panel with its number.
func (p *picture) rule(y float64, label string) {
	p.f(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s"/>`+"\n", left, right, y, y, colorGrid)
	p.text(left-8, y+4, "end", colorInk, label)
}

func (p *picture) valueAxis() {
	p.frame(valueTop, valueEnd)
	step := niceStep(p.top/6 - p.low/6)
	for i := math.Ceil(p.low / step); i*step <= p.top; i++ {
		if y := p.y(i * step); y >= valueTop-1 && y <= valueEnd+1 {
			p.rule(y, strconv.FormatFloat(i*step, 'g', 6, 64))
		}
		if i+1 == i {
			break // a step too small for numbers of this size
		}
	}
}

// niceStep is 1, 2 or 5 times a power of ten, at least so much.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if power*factor >= least {
			return power * factor
		}
	}
	return power * 10
}

func (p *picture) timeAxis() {
	for t, every := range p.ticks() {
		x := p.x(t)
		p.f(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/>`+"\n", x, x, valueTop, p.bottom, colorGrid)
		p.text(min(x, right-labelHalf), float64(p.bottom+labelsBelow), "middle", colorInk, t.UTC().Format(every.format))
	}
	p.text(right, float64(p.bottom+2*labelsBelow), "end", "#666", "UTC, "+p.from.UTC().Format("2006-01-02 15:04")+" to "+p.to.UTC().Format("2006-01-02 15:04"))
}

// interval is between two labels of the time axis: months of the calendar, or a
// duration.
type interval struct {
	months int
	step   time.Duration
	format string
}

// intervals, the shortest first.
func intervals() (list []interval) {
	for _, s := range []int{1, 5, 15, 30} {
		list = append(list, interval{step: time.Duration(s) * time.Second, format: "15:04:05"})
	}
	for _, m := range []int{1, 5, 15, 30, 60, 180, 360, 720} {
		list = append(list, interval{step: time.Duration(m) * time.Minute, format: "01-02 15:04"})
	}
	for _, d := range []int{1, 2, 7, 14} {
		list = append(list, interval{step: time.Duration(d) * day, format: "2006-01-02"})
	}
	for _, m := range []int{1, 3, 12, 60, 120, 1200} {
		list = append(list, interval{months: m, step: time.Duration(m) * 30 * day, format: "2006-01"})
	}
	return list
}

const day = 24 * time.Hour

// ticks are the times with a label, eleven at most.
func (p *picture) ticks() iter.Seq2[time.Time, interval] {
	list, span := intervals(), p.to.Sub(p.from)
	at := slices.IndexFunc(list, func(i interval) bool { return i.step >= span/10 })
	if at < 0 {
		at = len(list) - 1
	}
	every := list[at]
	return func(yield func(time.Time, interval) bool) {
		for t := every.after(p.from.UTC()); !t.After(p.to); t = every.after(t) {
			if !yield(t, every) {
				return
			}
		}
	}
}

// after is the first tick after a time.
func (i interval) after(t time.Time) time.Time {
	if i.months == 0 {
		return t.Truncate(i.step).Add(i.step)
	}
	month := 12*t.Year() + int(t.Month()) - 1
	next := (month/i.months + 1) * i.months
	return time.Date(next/12, time.Month(next%12+1), 1, 0, 0, 0, 0, time.UTC)
}
