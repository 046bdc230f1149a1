package state

import "pulse-scorer/internal/pulse"

const (
	// maxWindow keeps a window's value under the 1 MiB brokers take.
	maxWindow = 100_000
	// memorySlots is how many changelog keys a stream uses in turn. It is
	// fixed, so that a change of MemorySize needs no new keys.
	memorySlots = 128
	// MaxForecastBytes bounds the encoded size of one remembered forecast.
	MaxForecastBytes = 256 << 10
)

// forecast is an entry of a stream's memory.
type forecast = pulse.Value

// Observe appends a value to the window of a series and returns the window,
// oldest first, value last. The slice is valid until the next call on the
// Task and must not be changed.
func (t *Task) Observe(source, name string, value float64) []float64 {
	return t.windows.push(source, name, value)
}

// Window returns the window of a series as Observe left it. It is valid until
// the next call on the Task and must not be changed.
func (t *Task) Window(source, name string) []float64 { return t.windows.view(source, name) }

// Memory returns the earlier forecasts of a stream as a list, oldest first. It
// is valid until the next Learn or a rollback.
func (t *Task) Memory(source, name string) pulse.Value {
	return pulse.ListValue(t.memory.view(source, name))
}

// Learn adds a forecast to the memory of its stream. It keeps a copy. The
// answer is false, and nothing is kept, when the forecast is larger than
// MaxForecastBytes encoded or nested deeper than 10,000: a changelog record
// that no broker takes would stop the task for good.
func (t *Task) Learn(source, name string, entry pulse.Value) bool {
	if _, ok := valueSize(entry, MaxForecastBytes, 0); !ok {
		return false
	}
	t.memory.push(source, name, cloneValue(entry))
	return true
}
