// Package config is the environment of the service: every PULSE_ variable with
// its default, its meaning and its check.
//
// Guarantee: Load reports every fault at once, each with its variable and what
// to write instead (TestLoad_ReportsEveryFaultAtOnce); nothing that was set is
// silently ignored (TestLoad_RefusesWhatTheReleaseLacks,
// TestLoad_UnknownVariable); a secret shows in no error, table or log line
// (TestSecrets_ShowNowhere).
//
// Decisions:
//
//   - Config is the single list. Defaults, bounds, meanings and the table in the
//     README come from its struct tags, so they cannot drift apart.
//   - Parsing and defaults are envconfig's. Its Process stops at the first fault
//     and reads the process environment only; therefore each variable is given
//     to it alone, in a struct of one field (decode.go). That collects all
//     faults and lets tests run in parallel on an environment of their own.
//   - What only another package can read, like PULSE_ENRICHERS, it checks by a Check
//     that is given to Load: its faults stand beside the others.
//   - A variable set to the empty string counts as not set: compose files and
//     chart templates write those for "no value".
//   - Variables of features that this release lacks are known and typed, but
//     any value other than the default is a fault: an operator must not believe
//     that a guard is on. The tag is later:"what is missing".
//   - With profile parity signals that name no source have celery's, as that
//     profile's results have always said; PULSE_DEFAULT_SOURCE wins.
package config
