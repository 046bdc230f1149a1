//go:build unix

package devbroker

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks file for as long as it is open.
func tryLock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor fits
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errTaken
	}
	return err
}
