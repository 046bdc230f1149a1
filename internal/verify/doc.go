// Package verify compares results with what the same code makes of the same input
// again, and sums it up. Pure: who reads topics is not its concern.
//
// Compared is every member of a result, but for input, attempts and external, which
// say how it came about, and scorer_version, which is told apart: a result of
// another version may differ for good reason, and the report says so. A member that
// only one of the two has is a difference.
//
// Not compared, but counted, are results of a later try, those with answers of
// external enrichers, those of another profile, and, where the beginning of the
// input is gone, those of the first records that are there (warm-up): what came
// before them is not known.
package verify
