// Package controls proves that the tests would miss each guard of the service:
// a suite that stays green without one proves nothing about it.
//
// It builds the test binaries of the engine with the tag controls, in which
// PULSE_TEST_GUARD_OFF names one guard that is off (internal/broker/guards.go and
// internal/pipeline/guards.go have them), and runs for each guard the tests that
// must go red, all of them; then the same tests with every guard on, which must
// be green. "make controls" does so on the embedded broker, "make integration"
// on a real Kafka.
//
// Decisions:
//
//   - A guard is a constant in every other build, so the service has no seam:
//     archtest holds that for the sources, and TestService_HasNoSeam looks into
//     the binary.
//   - Red means a failed assertion of a named test, not a time-out: where a missing
//     guard only costs patience, the case counts requests instead (case_guard.go of
//     brokertest).
//   - A guard that no broker could tell from its absence (memory, a refused state
//     record, the order of two requests) has a test of its own beside the engine.
//
// table_test.go is the table: guard, promise, and what goes red.
package controls
