package pulse_test

import (
	"testing"
	"time"

	"pulse-scorer/internal/pulse"
)

// instants are every 301st day from year 1 to 9999, at shifting times of the
// day, and the edges of days, years and the range.
func instants() []int64 {
	var all []int64
	const step = int64(301*24*time.Hour/time.Microsecond) + 12_345_678_901
	for us := int64(pulse.MinMicros); us <= pulse.MaxMicros; us += step {
		all = append(all, us)
	}
	return append(all, pulse.MaxMicros, -1, 0, 1, -1_000_000, 999_999, 951_782_399_999_999, 951_782_400_000_000,
		1_709_164_800_000_000, -62_135_596_799_999_999, 4_102_444_800_000_000)
}

// Package time writes the same text.
func TestTimestamp_AppendRFC3339AgreesWithTime(t *testing.T) {
	t.Parallel()
	for _, us := range instants() {
		for _, offset := range []int16{0, 1, -1, 330, -450, 1439, -1439} {
			stamp := pulse.Timestamp{Micros: us, Offset: offset}
			at := time.UnixMicro(us).In(time.FixedZone("", int(offset)*60))
			if at.Year() < 1 || at.Year() > 9999 {
				continue
			}
			layout := "2006-01-02T15:04:05-07:00"
			if us%1_000_000 != 0 {
				layout = "2006-01-02T15:04:05.000000-07:00"
			}
			if got, want := stamp.String(), at.Format(layout); got != want {
				t.Fatalf("%d at %d minutes: got %s, want %s", us, offset, got, want)
			}
			if !stamp.Time().Equal(at) || stamp.Time().Format(layout) != at.Format(layout) {
				t.Fatalf("%d at %d minutes: Time is %v, want %v", us, offset, stamp.Time(), at)
			}
		}
	}
}

func TestAppendMillis_AgreesWithTime(t *testing.T) {
	t.Parallel()
	for _, us := range instants() {
		ms := time.UnixMicro(us).UnixMilli()
		if got, want := string(pulse.AppendMillis(nil, ms)), time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Fatalf("%d: got %s, want %s", ms, got, want)
		}
	}
}

func TestAppendMillis_KeepsItsShapeForAnyNumber(t *testing.T) {
	t.Parallel()
	for _, ms := range []int64{1<<63 - 1, -1 << 63, 253_402_300_800_000, -62_167_219_200_001} {
		if got := string(pulse.AppendMillis([]byte("at "), ms)); len(got) != len("at 2006-01-02T15:04:05.000Z") {
			t.Errorf("%d: got %s", ms, got)
		}
	}
}

// A Day writes the same whatever it wrote before: forwards and back, over the ends
// of days, years and what has a date.
func TestDay_WritesWhatTheFunctionsWrite(t *testing.T) {
	t.Parallel()
	var day pulse.Day
	const aDay = int64(24 * time.Hour / time.Microsecond)
	all := append(instants(), 1<<63-1, -1<<63, 0, aDay-1, aDay, aDay-1, -1, 0, -aDay, -aDay-1, 2*aDay, 5)
	for i := range all {
		for _, us := range []int64{all[i], all[i], all[len(all)-1-i]} {
			stamp := pulse.Timestamp{Micros: us, Offset: int16(i%3-1) * 90}
			if got, want := string(day.AppendRFC3339([]byte("x"), stamp)), "x"+stamp.String(); got != want {
				t.Fatalf("%d: got %s, want %s", us, got, want)
			}
			if got, want := string(day.AppendMillis(nil, us)), string(pulse.AppendMillis(nil, us)); got != want {
				t.Fatalf("%d ms: got %s, want %s", us, got, want)
			}
		}
	}
}
