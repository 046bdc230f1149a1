// Package series is what a task remembers of a series and of a source: a small
// machine each, which observations advance and which scoring and learning read.
//
// Series joins the anomaly detector, the cadence of the series, its level (last
// values, what is usual in the long and in the short run) and the trust its
// forecasts got. Source holds how reliable a source has been, and where its
// series stand.
//
// # Guarantees
//
//   - The same calls lead to the same state, to the bit and on every
//     architecture: no clock, no randomness, no fused multiply-add
//     (TestSeries_RestoredAtAnyPointGoesOnTheSame).
//   - Nothing allocates while it observes (TestSeries_ObserveAllocatesNothing).
//   - No number becomes infinite or undefined, whatever finite values come
//     (FuzzSeries).
//   - Bytes that AppendBinary did not write are refused (FuzzSeries_Garbage).
//
// # Decisions
//
//   - Everything is measured in the series' own deviations from its own mean, and
//     bounded, so that one model can learn from all series and one threshold fits
//     all. The deviation is the mean absolute one: it needs no square, which
//     overflows from 1e154 on, and a single outlier counts less.
//   - Observations are taken in the order they arrive; one with an older timestamp
//     is a value like any other, and makes no gap.
package series
