package devbroker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lock keeps other processes out of a data directory as long as it is held,
// and no longer: it goes with the process, however that ends.
type lock struct {
	file *os.File
}

// errTaken is what tryLock answers when another process holds the file.
var errTaken = errors.New("locked by another process")

// acquire locks dir, which is made when it is missing. An empty dir needs no
// lock.
func acquire(dir string) (*lock, error) {
	if dir == "" {
		return &lock{}, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the developer names the directory
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := tryLock(file); err != nil {
		_ = file.Close()
		if errors.Is(err, errTaken) {
			return nil, fmt.Errorf("data directory %s is in use by another broker; stop it or use another directory", dir)
		}
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return &lock{file: file}, nil
}

// release gives the directory free.
func (l *lock) release() error {
	if l.file == nil {
		return nil
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("unlock data directory: %w", err)
	}
	return nil
}
