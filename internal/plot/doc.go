// Package plot draws a series with its anomaly scores and flags as SVG: values above,
// scores below, one time axis. Pure: text out of numbers.
//
// It is our own and short because what it draws is one picture: charting libraries
// bring fonts and rasterisers for what a browser does with a hundred lines of SVG.
// Thousands of points are drawn as the lowest and highest of each pixel column, so
// that a file stays small and no peak is lost (TestSVG_KeepsEveryPeak).
package plot
