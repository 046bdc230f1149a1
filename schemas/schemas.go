package schemas

import _ "embed" // the schemas

var (
	//go:embed signal.v1.json
	signal string
	//go:embed result.v1.json
	result string
	//go:embed dead-letter-headers.v1.json
	deadLetterHeaders string
	//go:embed model.v1.json
	model string
	//go:embed overview.v1.json
	overview string
	//go:embed dlq.v1.json
	deadLetters string
	//go:embed recent.v1.json
	recent string
)

// Signal returns the schema pulse.signal/1 of input records.
func Signal() string { return signal }

// Result returns the schema pulse.result/1 of results.
func Result() string { return result }

// Model returns the schema pulse.model/1 of model snapshots.
func Model() string { return model }

// Overview returns the schema pulse.overview/1 of what GET /api/overview answers.
func Overview() string { return overview }

// DeadLetters returns the schema pulse.dlq/1 of what GET /api/dlq answers.
func DeadLetters() string { return deadLetters }

// Recent returns the schema pulse.recent/1 of what GET /api/recent answers.
func Recent() string { return recent }

// DeadLetterHeaders returns the schema of a dead letter's headers, taken as
// one object of name to text.
func DeadLetterHeaders() string { return deadLetterHeaders }
