package ndjson

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// Stdin is the path that means standard input.
const Stdin = "-"

// Source is an opened input: what Read gives is decompressed.
type Source struct {
	name   string
	size   int64
	stored *counter
	plain  io.Reader
	close  func() error
}

// Open opens a file, or stdin for the path "-". Close it.
func Open(path string, stdin io.Reader) (*Source, error) {
	if path == Stdin {
		return From("standard input", stdin, -1)
	}
	file, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("open input: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; name files", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open input: %w", err), file.Close())
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		size = -1
	}
	source, err := From(path, file, size)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	source.close = file.Close
	return source, nil
}

// From makes a Source of any stream. name is for messages; size is the number
// of stored bytes, -1 when unknown. Closing the Source does not close in.
func From(name string, in io.Reader, size int64) (*Source, error) {
	stored := &counter{in: in}
	source := &Source{name: name, size: size, stored: stored, close: func() error { return nil }}
	peek := bufio.NewReader(stored)
	magic, err := peek.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	source.plain = peek
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952, section 2.3.1
		if source.plain, err = gzip.NewReader(peek); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return source, nil
}

// Name is the path, or what stands for it in messages.
func (s *Source) Name() string { return s.name }

// Size is the number of stored bytes, -1 when unknown.
func (s *Source) Size() int64 { return s.size }

// Progress is the number of stored bytes read so far, read-ahead included. It
// may be called from another goroutine.
func (s *Source) Progress() int64 { return s.stored.n.Load() }

// Read implements io.Reader. Errors name the input.
func (s *Source) Read(p []byte) (int, error) {
	n, err := s.plain.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read %s: %w", s.name, err)
	}
	return n, err
}

// Close closes a file; standard input stays open.
func (s *Source) Close() error { return s.close() }

// counter counts what is read.
type counter struct {
	in io.Reader
	n  atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n.Add(int64(n))
	return n, err
}
