// Package anomaly says how unusual a value is for its own series: one pass,
// bounded memory, no look-ahead, no labels, nothing tuned to a name.
package anomaly
