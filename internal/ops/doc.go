// Package ops is what an operator looks at: logs, metrics, probes, status and
// the build.
//
// Guarantee: the probes answer 200 or 503 and nothing else, whatever the method
// and also when a check panics (TestProbes_AnswerOnly200And503); every answer
// carries the security headers (TestServer_SecurityHeadersOnEveryAnswer). Profiles,
// and whatever shows what is in records (Deps.Guarded), open to the admin token only,
// and are not there without one (TestGuard_ClosedToAllButTheToken,
// TestGuard_NothingIsThereWithoutAToken).
//
// Decisions:
//
//   - The server knows nothing about Kafka. It asks the small interfaces
//     declared here, which the service implements.
//   - Checks are asked on every request and must answer from memory: a probe
//     that waits is a probe that fails.
//   - The port is bound by Listen, before anything else is started, so that a
//     port in use is a plain message and not a half-started service. The server
//     stops last, so that probes and metrics show a drain to its end.
//   - Lines that repeat are limited in one place, a slog.Handler in front of all
//     (repeats.go), so that nobody who logs has to think of it. Libraries for it
//     drop what repeats; here the last one and the count are what matters after an
//     outage. Its timers fire outside of the engine's goroutines and write nothing
//     after flush.
//   - The registry is injected; nothing is registered globally.
package ops
