// Package pulse holds the words of the domain: signals, forecasts, results and
// the reasons a record can be bad.
//
// It knows no bytes, no topics and no clock, and imports the standard library
// only. Every other package speaks in these types; see the import rules in
// design terms: pulse ← scoring, codec, state ← pipeline ← broker ← app ← cli.
package pulse
