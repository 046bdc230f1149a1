package state

import (
	"slices"
	"unsafe"
)

// blockEntries is how many entries of an undo log lie together.
const blockEntries = 256

// undoLog is a list of changes that may have to be taken back: it grows and is cut at
// its end, and forgets from its beginning. It is made of blocks that are used again,
// so that nothing is moved, neither when a batch is larger than any before nor when
// one commits (TestUndoLog_BehavesLikeASlice).
type undoLog[T any] struct {
	// blocks are those in use, then spare ones.
	blocks []*[blockEntries]T
	// start is where the first entry is in the first block, n how many there are.
	start, n int
	// keep is how many blocks there may be: as many as the late batches had in use.
	keep int
}

// at is the i-th entry, of those there are.
func (l *undoLog[T]) at(i int) *T {
	place := uint(l.start + i)
	return &l.blocks[place/blockEntries][place%blockEntries]
}

// grow adds an entry, zero, and returns it to be filled.
func (l *undoLog[T]) grow() *T {
	place := uint(l.start + l.n)
	if place == uint(len(l.blocks))*blockEntries {
		l.blocks = append(l.blocks, new([blockEntries]T))
	}
	l.n++
	return &l.blocks[place/blockEntries][place%blockEntries]
}

// cut drops the entries from the i-th on.
func (l *undoLog[T]) cut(i int) {
	l.wipe(i, l.n)
	l.n = i
}

// forget drops the first n entries. Their blocks go behind the others.
func (l *undoLog[T]) forget(n int) {
	l.wipe(0, n)
	// What one large batch needed goes within some smaller ones
	// (TestUndoLog_GivesBackWhatOneLargeBatchNeeded).
	used := (l.start + l.n + blockEntries - 1) / blockEntries
	l.keep = max(used, l.keep-(l.keep+15)/16)
	if len(l.blocks) > l.keep {
		clear(l.blocks[l.keep:])
		l.blocks = l.blocks[:l.keep]
	}
	l.start += n
	l.n -= n
	if l.n == 0 {
		l.start = 0
		return
	}
	done := l.start / blockEntries
	l.start %= blockEntries
	slices.Reverse(l.blocks[:done])
	slices.Reverse(l.blocks[done:])
	slices.Reverse(l.blocks)
}

// wipe leaves nothing in entries that are dropped: others are to find them zero, and
// what they hold is to go.
func (l *undoLog[T]) wipe(from, to int) {
	for from < to {
		block := l.blocks[(l.start+from)/blockEntries][(l.start+from)%blockEntries:]
		block = block[:min(len(block), to-from)]
		clear(block)
		from += len(block)
	}
}

// bytes is the memory in use.
func (l *undoLog[T]) bytes() int64 {
	return int64(len(l.blocks)) * int64(unsafe.Sizeof([blockEntries]T{}))
}
