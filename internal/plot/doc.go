// Package plot draws as SVG: a series with its anomaly scores and flags (values above,
// scores below, one time axis), and panels of bars. Pure: text out of numbers.
//
// It is our own and short because what it draws is two pictures: charting libraries
// bring fonts and rasterisers for what a browser does with a hundred lines of SVG.
// Thousands of points are drawn as the lowest and highest of each pixel column, so
// that a file stays small and no peak is lost (TestSVG_KeepsEveryPeak).
package plot
