package app

import (
	"context"
	"io"
)

// chunkBytes is what a reader of Until takes at a time.
const chunkBytes = 64 << 10

// chunk is one answer of a reader.
type chunk struct {
	bytes []byte
	err   error
}

// Until returns a reader of in that ends with the cause of ctx when ctx is
// done, also while in keeps it waiting (TestUntil_EndsWhileTheInputWaits).
// Nothing else can end the wait for a terminal or a pipe.
//
// Its goroutine ends with in, or at in's next answer after ctx is done. For an
// input that never answers it stays until the process ends, which is why
// Until is for the input of commands only. The reader is for one goroutine.
func Until(ctx context.Context, in io.Reader) io.Reader {
	chunks := make(chan chunk)
	go pump(ctx, in, chunks)
	var current chunk
	return readerFunc(func(p []byte) (int, error) {
		for len(current.bytes) == 0 {
			if current.err != nil {
				return 0, current.err
			}
			select {
			case current = <-chunks:
			case <-ctx.Done():
				current = chunk{err: context.Cause(ctx)}
			}
		}
		n := copy(p, current.bytes)
		current.bytes = current.bytes[n:]
		return n, nil
	})
}

// pump hands on what in gives. Two buffers in turn are enough: the channel
// takes the next chunk when the one before it has been used up.
func pump(ctx context.Context, in io.Reader, chunks chan<- chunk) {
	buffers := [2][]byte{make([]byte, chunkBytes), make([]byte, chunkBytes)}
	for turn := 0; ; turn = 1 - turn {
		n, err := in.Read(buffers[turn])
		select {
		case chunks <- chunk{bytes: buffers[turn][:n], err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// readerFunc makes a function an io.Reader.
type readerFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
