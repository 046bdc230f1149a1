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

// NewLogger writes log lines to out.
func NewLogger(out io.Writer, settings LogSettings) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.Level)); err != nil {
		return nil, fmt.Errorf("PULSE_LOG_LEVEL: %w; write debug, info, warn or error", err)
	}
	options := &slog.HandlerOptions{Level: level}
	switch settings.Format {
	case "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(out, options)), nil
	}
	return nil, fmt.Errorf("PULSE_LOG_FORMAT: %q is not known; write json or text", settings.Format)
}
