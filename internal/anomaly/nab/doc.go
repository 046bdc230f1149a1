// Package nab scores detectors by the protocol of the Numenta Anomaly
// Benchmark (Lavin and Ahmad, Evaluating Real-Time Anomaly Detection
// Algorithms – the Numenta Anomaly Benchmark, ICMLA 2015, arXiv:1510.03336).
//
// Each known anomaly has a window around it. The first detection within a
// window counts, the earlier the better; a window without one costs; every
// detection outside costs, less so shortly after a window. Positions are weighed
// by the sigmoid s(y) = 2/(1+exp(5y)) - 1, where y is -1 at the window's
// first value, 0 just behind its last, and a window's width further on for each 1.
// The first values of a series, 15 % but 750 at most, are not judged. One
// threshold serves all series: the best one. 0 is a detector that says
// nothing, 100 one that detects each window at its first value and nothing else.
//
// It is for development and tests; the service does not use it.
package nab
