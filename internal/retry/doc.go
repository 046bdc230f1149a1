// Package retry decides where a failed record goes: into which tier and when it
// is due there, or to the dead letters.
//
// It is pure: the clock's time, the random number and what went before are
// handed in, so the same failure gets the same answer.
//
// Decisions:
//
//   - A record that fails goes to the tier after the one it came from, or to the
//     first later one that covers what Retry-After asks for. It never goes back:
//     however the answers turn out, after as many failures as there are tiers it
//     is over (TestPolicy_AlwaysComesToAnEnd).
//   - Jitter is two-sided, a share of the delay: without it, all that failed in
//     one second would come back in one second. Retry-After is a floor; jitter
//     does not go below it.
//   - Not-before times of a tier never go back (Policy.Next takes the last one):
//     the head of a tier is then the next due of all of it, and whoever reads a
//     tier looks at one record.
//   - An override gives a class its own number of tiers, 0 for none. Only
//     classes that trying again can help may have one.
package retry
