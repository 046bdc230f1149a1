// Package scoring says what a signal is worth: pure functions over one record,
// the state its stream has, and a Profile that holds every constant.
//
// # Steps
//
// Admit refuses what cannot be scored at all. Ingest judges any observation:
// recency, anomaly, tag, trust index (STI), parts of its quality. Enrich judges a
// forecast, in this order:
//
//	arc → [fragility] → capital → history → risk → confidence → gate → [fragility] →
//	retrodiction → alignment → attention → regret → licence → summary
//
// one file each. Combine joins both into a pulse.Score; MemoryEntry is what
// the stream keeps of a forecast for the next ones.
//
// # Profiles
//
// V2, the default, and Parity are values of one type for one code path. v2.go is
// all that they differ in, and the README's table of it is checked against them
// (TestProfiles_DifferAsTheREADMESays).
//
// # Guarantees
//
//   - The same arguments give the same result, to the bit and on every
//     architecture: no clock, no randomness, no I/O, no order of a map, no fused
//     multiply-add (TestEnrich_IsDeterministicAndFiniteOnWildRecords; the
//     compiler's arm64 code was searched for fused instructions: none).
//   - Nothing panics and no number of a result is infinite or undefined as
//     long as the numbers of the input are finite (FuzzEnrich, FuzzIngest).
//   - Arguments are only read.
//
// # Where the formulas come from
//
// Profile parity reproduces the public repository repengine/pulse at commit
// 6a9f1131: ingestion/iris_trust.py and iris_symbolism.py (recency, anomaly,
// STI, tag), trust_system/trust_engine.py (arc, confidence, risk, gate,
// attention, regret, summary), fragility_detector.py and alignment_index.py,
// forecast_licensing_shell.py and license_explainer.py beside it,
// symbolic_system/symbolic_utils.py (tension, penalty) and
// analytics/learning.py (distance of states). File and line in a comment refer
// to it. The vectors in testdata were made by running those functions.
//
// The old system is Python: which types raise, which count as absent and how
// a number prints is part of its behaviour. truth.go, equal.go, pytext.go and
// numbers.go hold those rules, so that the steps can be read as formulas.
// Whether a number was sent as 2 or as 2.0 shows in two texts only. Python
// prints them differently, and a pulse.Value carries the difference in String:
// the digits of a number that was written without point and exponent. Where
// it is empty the number prints as a float.
//
// # Decisions
//
//   - An enrichment that fails returns an error and nothing else; trust and
//     alignment are null then, not 0.
//   - In v2 trust in a raw signal is its quality, a mean that one bad part brings
//     down (quality.go says why it is geometric).
//   - In v2 types are checked before anything else (Admit), strictly: null, text
//     and booleans are no numbers. What the types allow only the size of numbers
//     can fail (TestAdmit_WhatItTakesOnlySizeCanFail).
//   - In v2 a forecast without trace_id, or one that says null, has no repeat_regret:
//     nothing is known about it, as of an alignment component that is null.
//   - RawConfidence is the confidence before floor and ceiling.
//   - Sums over names that two objects share run in byte order of the names. The
//     old system's order changed with the process.
//   - Texts that stand for numbers are decimal and finite. Python's float also
//     takes "1_000", "inf", "nan", "1e999" and digits of other scripts; here
//     they do not convert.
//   - Numbers are doubles. Python's integers are exact beyond 2^53; a product
//     with such a one can differ in its last digits.
//   - Magnitudes near the end of float's range: the window detector flags nothing
//     when mean or deviation overflow, as the old one; overlays whose products
//     overflow fail the enrichment, where the old one answered with an
//     undefined fragility; all other steps clamp.
//   - What a stream remembers cannot fail its later forecasts (MemoryEntry).
package scoring
