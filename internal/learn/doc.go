// Package learn predicts the trust score of forecasts.
package learn
