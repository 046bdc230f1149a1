package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestUntil_GivesAllBytesInOrder(t *testing.T) {
	t.Parallel()
	want := make([]byte, 5*chunkBytes+7)
	for i := range want {
		want[i] = byte(i * 31 >> 3)
	}
	for name, in := range map[string]io.Reader{
		"large reads":   bytes.NewReader(want),
		"small reads":   iotest.HalfReader(bytes.NewReader(want)),
		"end with data": iotest.DataErrReader(bytes.NewReader(want)),
	} {
		got, err := io.ReadAll(Until(t.Context(), in))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want the %d that went in", name, len(got), err, len(want))
		}
	}
}

func TestUntil_HandsOnTheError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	in := Until(t.Context(), io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(broken)))
	got, err := io.ReadAll(in)
	if !errors.Is(err, broken) || string(got) != "abc" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, broken) {
		t.Errorf("read again: %v, want the same error", err)
	}
}

func TestUntil_EndsWhileTheInputWaits(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe() // nobody writes
	t.Cleanup(func() { _ = out.Close() })
	asked := errors.New("asked to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	waits := Until(ctx, in)
	cancel(asked)
	if _, err := waits.Read(make([]byte, 1)); !errors.Is(err, asked) {
		t.Errorf("read: %v, want the cause", err)
	}
}
