//go:build amd64 || arm64

package prefetch

import "unsafe"

// line is how many bytes are fetched at a time.
const line = 64

// Bytes asks for the n bytes from p on, a cache line at a time. It is all right if they
// are more than what p points to.
func Bytes[T any](p *T, n uintptr) {
	at := unsafe.Pointer(p) //nolint:gosec // G103: the address is not used but for the request
	lines(at, (uintptr(at)%line+n+line-1)/line)
}

// lines asks for the line that p is in and those behind it, n in all, at least one.
//
//go:noescape
func lines(p unsafe.Pointer, n uintptr)
