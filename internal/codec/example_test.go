package codec_test

import (
	"fmt"

	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
)

// A record that cannot be read says which field is at fault, and why.
func ExampleDecoder_Decode() {
	const kafkaTimestamp = 1763923533123
	decoder := codec.NewDecoder(codec.Settings{DefaultSource: "unknown"})
	for _, record := range []string{
		`{"id":"7","name":"sp500","value":6602.99,"timestamp":1763922333.123}`,
		`{"id":"8","name":"sp500","value":"6602.99"}`,
		`{"id":"9","name":"sp500","value":NaN}`,
	} {
		var sig pulse.Signal
		if bad := decoder.Decode([]byte(record), nil, kafkaTimestamp, &sig); bad != nil {
			fmt.Println(bad)
			continue
		}
		fmt.Println(sig.Source, sig.ID, sig.Name, sig.Value, sig.Timestamp)
	}
	// Output:
	// unknown 7 sp500 6602.99 2025-11-23T18:25:33.123000+00:00
	// invalid_field: value: must be a number
	// malformed_json: not JSON at byte 33 of 37: a value is expected
}
