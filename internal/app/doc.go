// Package app is the composition root: it wires the engine, the record paths
// and the HTTP server from an environment, and owns the order in which they
// start and stop.
//
// Start: settings are checked, the HTTP port is bound, topics are created or
// checked (waiting for a broker if need be), then the engine joins the group.
// Stop: the engine drains first (no more fetches, the open transaction ends,
// the group is left), the HTTP server last.
package app
