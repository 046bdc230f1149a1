package prefetch_test

import (
	"testing"

	"pulse-scorer/internal/state/prefetch"
)

// A request for memory that is not there, or for none, is all right: the processor would
// end the process else.
func TestBytes_NeverFaults(t *testing.T) {
	t.Parallel()
	b := []byte{1, 2, 3}
	for _, n := range []uintptr{0, 1, 64, 65, 1 << 20} {
		for i := range b {
			prefetch.Bytes(&b[i], n)
		}
		prefetch.Bytes((*byte)(nil), n)
	}
}
