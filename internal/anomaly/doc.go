// Package anomaly says how unusual a value is for its own series: one pass, bounded memory, no look-ahead, no labels, nothing tuned
// to a name or a data set.
//
// # What a score means
//
// The score is one minus the share of values in an ordinary series that surprise as much. On series without anomalies about 1 % of the
// values reach 0.99, 0.1 % reach 0.999, and 0.03 to 0.07 % reach DefaultThreshold, on average over ten kinds of series and at each age
// (TestScore_IsCalibratedWithoutAnomalies: ten kinds of series, 600,000 values). 0.9 is reached by 14 % of the values of
// a series younger than 600, by 6 % of those up to 6,000 and by 1 % later: most values then are no news at all and score 0. The
// first 100 values of a series score 0.
//
// An alarm, a score of at least DefaultThreshold, opens an episode of 6 % of the values so far, 600 at most. In it scores are held at
// 0.99, unless one surprises by 4 bits more than the alarm did: one cause is one alarm (runs declustering, episode.go). Episodes go
// by DefaultThreshold, whatever threshold flags (PULSE_ANOMALY_THRESHOLD): under one of up to 0.99 the scores held are flagged, too,
// and over a higher one what is held can have no flag. Whoever rounds scores must keep five decimals, or the threshold is lost.
//
// # Method
//
// A value is new if it lies far from all that came before. Of each value x five statistics are taken, and of each statistic
// the novelty is measured (novelty.go):
//
//   - r, the residual: x less what is usual at this hour of the day. Usual is the running mean of the hour's earlier visits, each weighing 1/3;
//     before an hour was visited, the running mean of all values, rate 1/1000 (season.go). A value far out counts in part, so that it
//     leaves no echo at its hour of the next days (TestNext_OutlierHasNoEcho), unless the values just before it were out there too.
//   - w, the week's residual: r less what this day of the week adds at this hour. Silent until the day was visited.
//   - r over the last few values, rate 1/5: small but lasting deviations.
//   - w over the last few dozen values, rate 1/20.
//   - the spread: mean distance of values from their short-run mean, rate 1/20, over the same at rate 1/500.
//
// The novelty of a statistic is its distance from the nearest value it ever had, kept as 16 intervals that close their smallest gap
// when a 17th would be needed. That distance is ranked among the earlier distances of that statistic, in a histogram of half
// octaves: p = (larger ones + 1/2) / (n + 1), below a power law with exponent 2 beyond the largest one. So each statistic is measured
// in its own past, and neither unit nor shape of the distribution matters. With b = -log2 p, the surprise of the value is
//
//	S = (b1^1.5 + … + b5^1.5)^(2/3) · n/(n+120)
//
// which lies between the sum (all must agree) and the largest (any will do); what is young has seen little, and counts less. Distances below 1/1024 of
// the usual deviation are none, or a series that repeats itself exactly would find everything else remarkable. S becomes a
// score by a table that was measured once (likelihood.go). Every 4,096 values half of the counts are forgotten, and intervals in
// which nothing fell; so the memory reaches back between 4,096 and 8,192 values.
//
// Where it comes from: the novelty of values and of their contexts is what the contextual anomaly detector (CAD-OSE, M. Smirnov, 2016,
// github.com/smirmik/CAD) and ARTime (M. Hampton, github.com/markNZed/ARTimeNAB.jl) find; both know the range of the whole
// series beforehand, which no stream does, and rest after a detection. Conformal detectors rank a distance among earlier ones (Laxhammar and
// Falkman, Conformal prediction for distribution-independent anomaly detection in streaming vessel data, 2010; Burnaev and Ishimtsev,
// Conformalized density- and distance-based anomaly detection in time-series data, arXiv:1608.04585: KNN-CAD). The power law beyond the largest
// observation is the idea of SPOT (Siffer et al., Anomaly Detection in Streams with Extreme Value Theory, KDD 2017). No code was taken over.
//
// # What was tried
//
// Score in the standard profile of the Numenta Anomaly Benchmark (package nab), with the best threshold for all series: on the seven labelled
// series of the sample data; with each of them left out when the threshold is chosen; and on 32 kinds of made-up series with known anomalies
// (spikes, shifts, missing and flat peaks, bursts, counts with many zeros, heavy tails, walks; not kept here), with six new seeds for
// the second figure of the last row. Published methods were written anew, small, and without the range of the whole series, so these figures do not
// judge the originals. Those with a rank have the rest after a detection as well.
//
//	                                                     seven  left out  made up
//	old detector, flag (50 values, z > 3)                  0.0       0.0      0.0
//	old detector, z as a score                            28.4      16.5     42.0
//	windowed Gaussian (6,400 values)                      13.9    -135.1     57.7
//	fuzzy ART over windows of 8 (as ARTime)               32.8      20.3     46.7
//	novel contexts of 1 to 8 symbols (as CAD-OSE)         24.7     -12.1     44.2
//	relative entropy of 30 values in 8 bins               49.8      44.7     69.8
//	nearest neighbour of (value, mean of 20), ranked      60.9      41.6     79.4
//	hour's residual, anomaly likelihood (as HTM)          34.7      23.3     77.3
//	|hour's residual|, ranked                             53.0      42.1     77.1
//	|week's residual|, ranked                             57.4      47.3     65.6
//	novelty of the value, ranked                          64.7      45.3     76.5
//	novelty of the hour's residual, ranked                67.2      61.5     79.3
//	novelty of the week's residual, ranked                79.2      74.3     64.0
//	all five statistics (this package)                    74.6      70.0     85.1, 83.3
//
// Without r the three figures are 66.3, 57.2 and 82.5 (on two other seeds, with all five 83.9); without w 67.2, 54.7 and 83.9; without the
// lasting r 71.0, 63.8 and 81.3; without the lasting w 73.4, 68.6 and 83.8; without the spread 72.9, 71.2 and 83.5. A power of 2 in place
// of 1.5 is as good. The sum and, much more, the largest alone were worse when first compared. Half and double of the other constants (rates,
// horizon, rest, infancy, tolerance, half of the intervals) change the first and the last figure by 2 at most, but for the rate of the lasting
// r (1/10 costs 5 and 2); figures for series left out swing by 6, for seven series are few. More statistics (the value itself, differences, the mean
// of 20, a second spread) and a rank of S itself were not better. At DefaultThreshold the seven series give 74.3; the benchmark's profile
// against false alarms gives 69.5, the one against misses 79.5 (TestDetector_OnLabelledSeries prints the table and holds a floor).
//
// # Cost
//
// A series takes 128 bytes at first and 2,024 when grown (TestSize_IsBoundedAndSmallWhenYoung); stored, 72 and about 1,700. A million grown
// series are 2 GB. A value takes 0.1 to 0.3 µs and allocates nothing once the series is grown (BenchmarkNext,
// TestNext_AllocatesNothingWhenGrown).
//
// # Guarantees
//
//   - The same values and times give the same scores, to the bit, on every architecture and after any number of restores
//     (TestNext_HasFixedBits, TestDetector_RestoredOrCopiedGoesOnAlike, FuzzNext): no clock, no randomness, no fused
//     multiply-add, own logarithm and power.
//   - Scores are in [0,1] for values of any size and times in any order (FuzzNext). Multiplying a series by a power of two changes
//     no bit of its scores; other factors and shifts change them by rounding only (TestNext_IsIndependentOfTheUnit).
//   - A state that was not written by AppendBinary is refused or harmless (FuzzUnmarshalBinary, TestUnmarshalBinary_SurvivesChangedBytes).
//
// # Limits
//
//   - Slow change is learned, not reported: a drift, or a spread that dies away, makes many small novelties and no large one. A level that is
//     reached slowly is seen only if it lies outside of all levels before.
//   - Rhythms are those of the day and the week, in UTC. Others (a month, a shift of ten hours) are noise.
//   - What is smaller than 2^-126 of a series' largest value counts as nothing, and a distance below 2^-32 of the value as rounding.
//   - It asks whether a value is unusual, not whether it is bad.
package anomaly
