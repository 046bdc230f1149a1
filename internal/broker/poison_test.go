//go:build poison

package broker

import (
	"bytes"
	"testing"

	"pulse-scorer/internal/broker/batch"
)

// What the tag is for: the bytes of a buffer are gone with its last reference, those of a
// batch when it is used again.
func TestPoison_NothingIsLeftOfWhatWasGivenBack(t *testing.T) {
	t.Parallel()
	m, err := newMemory(batch.None)
	if err != nil {
		t.Fatal(err)
	}
	gone := bytes.Repeat([]byte{poisoned}, 8)
	b := m.buffer(8)
	kept := b.bytes
	copy(kept, "a signal")
	b.retain()
	b.release()
	if string(kept) != "a signal" {
		t.Errorf("%q is left while there is a reference", kept)
	}
	b.release()
	if !bytes.Equal(kept, gone) {
		t.Errorf("%q is left after the last one", kept)
	}
	sealed := append(make([]byte, 0, 8), "a result"...)
	m.recycle(sealed)
	if !bytes.Equal(sealed, gone) {
		t.Errorf("%q is left of a batch", sealed)
	}
}
