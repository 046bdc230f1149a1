package broker

import (
	"sync"
	"sync/atomic"

	"pulse-scorer/internal/broker/batch"
)

// memory holds what is used again: batch builders, compressors and fetch
// buffers. It is shared by all workers and fetchers.
type memory struct {
	builders    sync.Pool
	compressors sync.Pool
	buffers     sync.Pool
	sealed      sync.Pool // *[]byte
}

func newMemory(c batch.Compression) (*memory, error) {
	first, err := batch.NewCompressor(c)
	if err != nil {
		return nil, err
	}
	m := &memory{}
	m.builders.New = func() any { return new(batch.Builder) }
	m.compressors.New = func() any {
		again, err := batch.NewCompressor(c)
		if err != nil {
			panic(err) // the same call has succeeded above
		}
		return again
	}
	m.compressors.Put(first)
	m.sealed.New = func() any { return new([]byte) }
	m.buffers.New = func() any { return new(buffer) }
	return m, nil
}

func (m *memory) builder() *batch.Builder { return m.builders.Get().(*batch.Builder) }

// seal closes a batch and takes its builder back. The bytes are a copy of their
// own: compressed they are a fraction of what the builder holds, and many wait
// for a transaction while builders are few.
func (m *memory) seal(b *batch.Builder) []byte {
	c := m.compressors.Get().(*batch.Compressor)
	bytes := *m.sealed.Get().(*[]byte)
	bytes = append(bytes[:0], b.Seal(c)...)
	m.compressors.Put(c)
	b.Reset()
	m.builders.Put(b)
	return bytes
}

// recycle takes the bytes of a batch back. Only when no request can hold them
// any more: after an answer, never after a time-out.
func (m *memory) recycle(bytes []byte) {
	poison(bytes)
	m.sealed.Put(&bytes)
}

// buffer holds one fetch answer. Each chunk that aliases it holds one
// reference; the last release gives it back.
type buffer struct {
	bytes  []byte
	refs   atomic.Int32
	memory *memory
}

// buffer returns a buffer of n bytes with one reference.
func (m *memory) buffer(n int) *buffer {
	b := m.buffers.Get().(*buffer)
	if cap(b.bytes) < n {
		b.bytes = make([]byte, n)
	}
	b.bytes = b.bytes[:n]
	b.memory = m
	b.refs.Store(1)
	return b
}

func (b *buffer) retain() { b.refs.Add(1) }

func (b *buffer) release() {
	switch n := b.refs.Add(-1); {
	case n == 0:
		poison(b.bytes)
		b.memory.buffers.Put(b)
	case n < 0:
		panic("fetch buffer released twice")
	}
}
