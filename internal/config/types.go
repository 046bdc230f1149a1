package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// List is a comma-separated list. Spaces around an item are dropped.
type List []string

// Decode implements envconfig.Decoder.
func (l *List) Decode(value string) error {
	items := strings.Split(value, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
		if items[i] == "" {
			return fmt.Errorf("item %d is empty; write items separated by single commas", i+1)
		}
	}
	*l = items
	return nil
}

// String is the list as it is written in the environment.
func (l List) String() string { return strings.Join(l, ",") }

// Durations is a comma-separated list of durations.
type Durations []time.Duration

// Decode implements envconfig.Decoder.
func (d *Durations) Decode(value string) error {
	var items List
	if err := items.Decode(value); err != nil {
		return err
	}
	parsed := make(Durations, len(items))
	for i, item := range items {
		n, err := time.ParseDuration(item)
		if err != nil || n <= 0 {
			return fmt.Errorf("item %d is not a positive duration; write a list like 5s,30s,2m", i+1)
		}
		parsed[i] = n
	}
	*d = parsed
	return nil
}

// String is the list as it is written in the environment.
func (d Durations) String() string {
	items := make([]string, len(d))
	for i, n := range d {
		items[i] = formatDuration(n)
	}
	return strings.Join(items, ",")
}

// Bytes is a size. It is written as a number of bytes, or with the unit KiB,
// MiB or GiB.
type Bytes int64

// Decode implements envconfig.Decoder.
func (b *Bytes) Decode(value string) error {
	digits, factor := value, int64(1)
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(value, unit); ok {
			digits, factor = strings.TrimSpace(rest), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !plainInteger(digits) || n < 0 || n > math.MaxInt64/factor {
		return errors.New("is not a size; write a number of bytes like 1048576, or 64KiB, 1MiB, 1GiB")
	}
	*b = Bytes(n * factor)
	return nil
}

// String is the size as a number of bytes.
func (b Bytes) String() string { return strconv.FormatInt(int64(b), 10) }

// redacted is what stands in place of a secret, wherever one is printed.
const redacted = "[redacted]"

// Secret is a text that shows itself to Reveal only: printing, logging and
// encoding it yield a placeholder.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer: a placeholder, or empty when there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer, for %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, and so JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Decode implements envconfig.Decoder.
func (s *Secret) Decode(value string) error {
	*s = Secret(value)
	return nil
}

// plainInteger reports whether text is an integer as people write it.
// strconv's base 0, which envconfig uses, reads 010 as eight.
func plainInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || (len(digits) > 1 && digits[0] == '0') {
		return false
	}
	return !slices.ContainsFunc([]byte(digits), func(c byte) bool { return c < '0' || c > '9' })
}

// formatDuration drops the zero units of time.Duration's form: 24h, not
// 24h0m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
