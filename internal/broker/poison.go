//go:build poison

package broker

// A test binary with the tag poison overwrites memory when it is given back: whoever
// still reads it, reads nonsense, and the tests that compare results with their input
// go red. make race has the tag; no binary but a test's is built with it.
const poisoned = 0xdb

// poison overwrites all that a slice can be grown to.
func poison(bytes []byte) {
	bytes = bytes[:cap(bytes)]
	for i := range bytes {
		bytes[i] = poisoned
	}
}
