//go:build !unix

package devbroker

import "os"

// tryLock does nothing where there is no flock: the directory is for
// development, and unguarded there.
func tryLock(*os.File) error { return nil }
