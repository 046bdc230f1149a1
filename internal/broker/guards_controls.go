//go:build controls

package broker

import "os"

// The guards as the negative controls need them: PULSE_TEST_GUARD_OFF names the
// one that is off. No binary but a test's is built with this tag.
var (
	guardOwnership      = guarded("ownership")
	guardWholeTask      = guarded("whole-task")
	guardGeneration     = guarded("generation")
	guardRefusedOffsets = guarded("refused-offsets")
	guardAddedFirst     = guarded("added-first")
	guardAnswered       = guarded("answered")
	guardOutcome        = guarded("outcome")
	guardReinit         = guarded("reinit")
	guardRepeatedEnd    = guarded("repeated-end")
	guardVoid           = guarded("void")
	guardStateRefusal   = guarded("state-refusal")
	guardRecycle        = guarded("recycle")
	guardAbortFilter    = guarded("abort-filter")
	guardReadCommitted  = guarded("read-committed")
	guardEpoch          = guarded("epoch")
	guardNotBefore      = guarded("not-before")
	guardStableOffsets  = guarded("stable-offsets")
	guardFenceDead      = guarded("fence-dead")
	guardFenceHung      = guarded("fence-hung")
	guardFenceOwn       = guarded("fence-own")
	guardOwnRecord      = guarded("own-record")
	guardRestoreAnew    = guarded("restore-anew")
)

func guarded(name string) bool { return os.Getenv("PULSE_TEST_GUARD_OFF") != name }
