package ops

import (
	"fmt"
	"io"
	"log/slog"
)

// LogSettings say what is logged, and how.
type LogSettings struct {
	// Level is debug, info, warn or error (PULSE_LOG_LEVEL).
	Level string
	// Format is json or text (PULSE_LOG_FORMAT).
	Format string
}

// NewLogger writes log lines to out. Warnings and errors that repeat are logged
// every few seconds; flush, before the process ends, says what is held back.
func NewLogger(out io.Writer, settings LogSettings) (log *slog.Logger, flush func(), err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.Level)); err != nil {
		return nil, nil, fmt.Errorf("PULSE_LOG_LEVEL: %w; write debug, info, warn or error", err)
	}
	options := &slog.HandlerOptions{Level: level}
	repeats := newRepeats(repeatEvery)
	switch settings.Format {
	case "json":
		return slog.New(repeats.handler(slog.NewJSONHandler(out, options))), repeats.flush, nil
	case "text":
		return slog.New(repeats.handler(slog.NewTextHandler(out, options))), repeats.flush, nil
	}
	return nil, nil, fmt.Errorf("PULSE_LOG_FORMAT: %q is not known; write json or text", settings.Format)
}
