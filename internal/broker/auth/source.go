package auth

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// source is a value that comes from files and is made anew when they change.
//
// The files are read at every use: a use is a new connection, of which there are
// few, and what a file system says about its times (mounted secrets are symbolic
// links to folders that are swapped) need not be trusted then.
type source[T any] struct {
	variable string
	paths    []string
	parse    func(files [][]byte) (T, error)
	log      *slog.Logger

	mu    sync.Mutex // guards the rest
	value T
	seen  []byte // checksum of what value was made of, or of what was refused last
}

// newSource reads the files for the first time. Later failures are logged only.
func newSource[T any](variable string, log *slog.Logger, parse func([][]byte) (T, error), paths ...string) (*source[T], error) {
	s := &source[T]{variable: variable, paths: paths, parse: parse, log: log}
	files, err := s.read()
	if err == nil {
		s.value, err = parse(files)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	s.seen = checksum(files)
	return s, nil
}

// get is the value as of now; the last good one when the files are broken.
func (s *source[T]) get() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, err := s.read()
	sum := checksum(files)
	if err == nil && bytes.Equal(sum, s.seen) {
		return s.value
	}
	if err == nil {
		var value T
		if value, err = s.parse(files); err == nil {
			s.value = value
			s.log.Info("file has changed; new connections use what is in it now", slog.String("variable", s.variable), slog.Any("files", s.paths))
		}
	}
	if err != nil && !bytes.Equal(sum, s.seen) {
		s.log.Error("a new file cannot be used; new connections go on with what was in it before", slog.String("variable", s.variable),
			slog.Any("files", s.paths), slog.Any("err", err))
	}
	s.seen = sum
	return s.value
}

func (s *source[T]) read() ([][]byte, error) {
	files := make([][]byte, 0, len(s.paths))
	for _, path := range s.paths {
		content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("file cannot be read: %w", err)
		}
		files = append(files, content)
	}
	return files, nil
}

// checksum tells contents apart without keeping secrets in memory twice.
func checksum(files [][]byte) []byte {
	hash := sha256.New()
	for _, content := range files {
		part := sha256.Sum256(content)
		hash.Write(part[:])
	}
	return hash.Sum(nil)
}
