//go:build !amd64 && !arm64

package prefetch

// Bytes does nothing here.
func Bytes[T any](*T, uintptr) {}
