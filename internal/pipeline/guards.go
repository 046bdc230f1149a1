//go:build !controls

package pipeline

// guardDedupe gives a signal whose ID was scored before no second result. It is
// a constant that only a test binary of the negative controls can switch off
// (guards_controls.go; integration/controls).
const guardDedupe = true
