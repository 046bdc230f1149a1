package pulse

// Kind says whether a signal carries a forecast.
type Kind uint8

const (
	// Raw is an observation alone.
	Raw Kind = iota
	// Forecasted is an observation that carries a forecast object.
	Forecasted
)

// String returns the name used in results: "raw" or "forecast".
func (k Kind) String() string {
	if k == Forecasted {
		return "forecast"
	}
	return "raw"
}

// Signal is one named observation, as decoded from a record.
//
// The strings may share memory with the record they were decoded from and are
// valid only as long as that record is; whoever keeps one clones it
// (strings.Clone).
type Signal struct {
	// ID as given by the sender, 1 to 256 bytes, or derived from the content
	// when the record had none; IDGiven is false then.
	ID      string
	IDGiven bool
	// Name of the series, 1 to 256 bytes.
	Name string
	// Source of the observation. SourceGiven is false when it is the default.
	Source      string
	SourceGiven bool
	// Value is finite.
	Value float64
	// Timestamp of the observation; the record's own time when
	// TimestampGiven is false.
	Timestamp      Timestamp
	TimestampGiven bool
	// Kind is Forecasted exactly when Record is not null.
	Kind Kind
	// Record is an object of the record's members that scoring reads of a
	// forecast, as given (its member "forecast" is the inner object); the
	// zero Value for raw signals. It shares no memory with the record.
	Record Value
	// Context is the record's optional "context" object, the zero Value
	// (null) when absent or when the signal is raw. It shares no memory with
	// the record.
	Context Value
}
