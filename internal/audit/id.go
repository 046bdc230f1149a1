package audit

import (
	"encoding/binary"
	"hash/maphash"
)

// ID is a signal ID, source and id, as a hash.
type ID uint64

// NoID stands for a record that has none, because it is no signal.
const NoID ID = 0

// Hasher makes IDs. Those of different Hashers have nothing to do with each
// other.
type Hasher struct {
	seed    maphash.Seed
	scratch []byte
}

// NewHasher makes a Hasher with a random key.
func NewHasher() *Hasher { return &Hasher{seed: maphash.MakeSeed()} }

// ID hashes a signal's source and id.
func (h *Hasher) ID(source, id string) ID {
	// The length keeps the two texts apart.
	h.scratch = append(binary.AppendUvarint(h.scratch[:0], uint64(len(source))), source...)
	h.scratch = append(h.scratch, id...)
	return max(1, ID(maphash.Bytes(h.seed, h.scratch)))
}
