// Package enricher asks external HTTP services about signals.
//
// A batch of inquiries goes out with bounded concurrency over all tasks of a worker
// (PULSE_ENRICHER_CONCURRENCY); when each has its answer, or ctx has ended, the batch
// is over. Calls are at least once: a batch that is rolled back is asked again, and the
// Idempotency-Key, the signal's ID, tells the service so. It is unique per source only,
// and the body, where the source is, is the same at each try; the number of the try is in
// the header Pulse-Attempt (TestAsk_TriesDifferInTheirHeadersOnly).
//
// What becomes of an answer:
//
//	200, a JSON object of at most 64 KiB   taken
//	204                                    nothing to add
//	408, 429, 5xx, time-out, no connection enricher_unavailable; Retry-After is passed on
//	any other status, any other body       enricher_rejected
//
// (TestAsk_ByAnswer.) A required enricher's failure is the inquiry's; an optional one's
// is counted, and the result goes without it.
//
// Decisions:
//
//   - Each enricher has a circuit breaker (sony/gobreaker, without dependencies of its
//     own). It opens after breakerFailures failures in a row, and lets one call through
//     a second later. While a required one's is not closed, all that failed because of
//     it in a batch is answered with enricher_down, also what was asked before it
//     opened: an outage must not cost a signal its tries
//     (TestAsk_AnOutageIsToldForAllOfABatch). The record path holds then.
//   - Until there is a token (PULSE_ENRICHER_TOKEN_FILE) enrichers are down from the
//     first signal on: ten failures would not come together where signals are few, and
//     they would die without a call ever made (TestAsk_WithoutItsTokenAllWaits).
//   - Rejections and 429 do not count as failures of the service: it is there.
//   - Redirects are not followed: they would send signals where nobody has configured.
//   - The URL may hold secrets. Messages name an enricher by its name and the kind of
//     fault, never by its URL or what it said.
//   - The goroutines of a batch are waited for before Ask returns (errgroup), so that
//     nothing of a batch outlives it.
package enricher
