// Package console looks at the page of a running service with a real Chromium (Debian's
// package, or the one that CHROMIUM names), headless, on the embedded broker.
//
// What a test cannot judge it leaves to people: every state of the page is kept as a
// picture in .cache/console (light, dark, narrow, empty, with a broker that is away,
// without the service, one worker of two, with 256 partitions, the runbook). Look at them after a change.
//
// The tests carry the build tag integration. None of them may skip.
package console
