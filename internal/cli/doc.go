// Package cli is the command line: what the user can ask, and how the answer
// and the exit code look.
//
// Guarantee: Main exits 0 when the command did what it was asked, 2 when the
// command line or the environment is wrong, 1 on any other failure
// (TestMain_ExitCodes); an error is one message on stderr, with every fault of
// the environment in it, and never a stack trace.
//
// Decisions:
//
//   - Main takes everything it touches, so that tests run it in parallel without
//     a process of their own.
//   - A command is one file with a constructor that newRoot lists. It loads the
//     environment itself, because commands differ in what they need of it.
//   - Whatever fails before a command's own code runs is a mistake in the
//     command line; that is how cobra's errors are told apart.
package cli
