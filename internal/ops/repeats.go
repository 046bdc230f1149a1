package ops

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// repeatEvery is how often a line that repeats is logged. During an outage
	// several places try again four times a second.
	repeatEvery = 5 * time.Second
	// maxRepeating bounds the lines that are remembered; messages are constants,
	// so there are a few dozen.
	maxRepeating = 1000
)

// repeats keeps lines that repeat from filling the log. The first passes at once;
// of those that are equal to it the last one passes every few seconds, with its
// own time and the number of those left out, so that what was said last is always
// said (TestRepeats_SayTheFirstAndTheLastWithACount). Warnings are equal when they
// have the same message: while a broker is away the error's text differs each time.
// Errors need the same attributes, too, because each may name another loss. What is
// less than a warning passes.
type repeats struct {
	every time.Duration

	mu     sync.Mutex // guards the rest
	lines  map[string]*repeating
	closed bool
}

// repeating is a line that was logged less than a while ago.
type repeating struct {
	timer   *time.Timer
	last    *heldBack // nil when none was
	leftOut int       // held back before the last
}

// heldBack is a line with the way that it would have gone.
type heldBack struct {
	line  slog.Record
	write func(slog.Record)
}

// repeatHandler is a slog.Handler in front of another. All that derive from one
// share what repeats.
type repeatHandler struct {
	next    slog.Handler
	repeats *repeats
}

var _ slog.Handler = (*repeatHandler)(nil)

func newRepeats(every time.Duration) *repeats {
	return &repeats{every: every, lines: make(map[string]*repeating)}
}

func (r *repeats) handler(next slog.Handler) slog.Handler { return &repeatHandler{next, r} }

// Enabled implements slog.Handler.
func (h *repeatHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *repeatHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeatHandler{h.next.WithAttrs(attrs), h.repeats}
}

// WithGroup implements slog.Handler.
func (h *repeatHandler) WithGroup(name string) slog.Handler {
	return &repeatHandler{h.next.WithGroup(name), h.repeats}
}

// Handle implements slog.Handler.
func (h *repeatHandler) Handle(ctx context.Context, line slog.Record) error {
	write := func(line slog.Record) {
		// A log that cannot be written has nowhere to say so.
		_ = h.next.Handle(context.WithoutCancel(ctx), line)
	}
	if line.Level >= slog.LevelWarn && h.repeats.hold(line, write) {
		return nil
	}
	if err := h.next.Handle(ctx, line); err != nil {
		return fmt.Errorf("write a log line: %w", err)
	}
	return nil
}

// hold keeps a line back when an equal one was logged just now.
func (r *repeats) hold(line slog.Record, write func(slog.Record)) bool {
	key := keyOf(line)
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.lines[key]
	switch {
	case r.closed, known == nil && len(r.lines) >= maxRepeating:
		return false
	case known == nil:
		r.lines[key] = &repeating{timer: time.AfterFunc(r.every, func() { r.due(key) })}
		return false
	case known.last != nil:
		known.leftOut++
	}
	known.last = &heldBack{line.Clone(), write}
	return true
}

func keyOf(line slog.Record) string {
	key := line.Level.String() + " " + line.Message
	if line.Level >= slog.LevelError {
		line.Attrs(func(a slog.Attr) bool {
			key += " " + a.String()
			return true
		})
	}
	return key
}

// due says what was held back, and forgets a line that has not come again.
func (r *repeats) due(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := r.lines[key]
	switch {
	case r.closed:
	case line.last == nil:
		delete(r.lines, key)
	default:
		line.say()
		line.timer.Reset(r.every)
	}
}

func (l *repeating) say() {
	if l.last == nil {
		return
	}
	if l.leftOut > 0 {
		l.last.line.AddAttrs(slog.Int("suppressed", l.leftOut))
	}
	l.last.write(l.last.line)
	l.last, l.leftOut = nil, 0
}

// flush says what is held back, in the order of its times; from then on everything passes, and nothing is
// written that is not asked for.
func (r *repeats) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	var held []*repeating
	for _, line := range r.lines {
		if line.timer.Stop(); line.last != nil {
			held = append(held, line)
		}
	}
	slices.SortFunc(held, func(a, b *repeating) int { return a.last.line.Time.Compare(b.last.line.Time) })
	for _, line := range held {
		line.say()
	}
	r.closed = true
	clear(r.lines)
}
