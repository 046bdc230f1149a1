//go:build unix

package devbroker

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// tryLock locks file for as long as it is open.
func tryLock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errTaken
	}
	if err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	return nil
}
