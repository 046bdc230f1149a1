// Package archtest holds the repository to its own layout, with plain Go tests and no tool but the compiler.
//
// It guarantees that imports point inward (pulse ← scoring, codec, state, retry ← pipeline ← broker ← app ← cli ← cmd), that the
// libraries with one owner stay with it, that only app and broker start goroutines, and that the tree keeps the shape a reader
// expects: known names at the top level, a doc.go per package, files of a readable length, no notes for later. depguard says
// the first two as well, earlier and in the editor; the tests here also cover test files and every build tag, and they cannot
// be switched off by a comment.
//
// Every rule is a function from what was read to a list of faults, so each has two tests: one that the rule sees a fault
// (a rule that never fires is worth nothing), and one that the repository has none.
package archtest
