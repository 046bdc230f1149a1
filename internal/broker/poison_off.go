//go:build !poison

package broker

// poison does something in test binaries only (poison.go).
func poison([]byte) {}
