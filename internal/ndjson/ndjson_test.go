package ndjson

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// lines reads everything; a line that is too long is its size in brackets.
func lines(t *testing.T, in io.Reader, limit int) []string {
	t.Helper()
	r := NewReader(in, limit)
	var got []string
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if line.Number != int64(len(got))+1 {
			t.Errorf("line number %d, want %d", line.Number, len(got)+1)
		}
		if line.TooLong {
			got = append(got, "[too long]")
			continue
		}
		got = append(got, string(line.Bytes))
	}
}

func TestReader_Lines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"one", "a\n", []string{"a"}},
		{"last without line feed", "a\nb", []string{"a", "b"}},
		{"empty ones", "\n\na\n\n", []string{"", "", "a", ""}},
		{"carriage return stays", "a\r\n", []string{"a\r"}},
		{"at the limit", "12345678\n", []string{"12345678"}},
		{"over the limit", "123456789\nb\n", []string{"[too long]", "b"}},
		{"over the limit at the end", "a\n123456789", []string{"a", "[too long]"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := lines(t, strings.NewReader(tt.in), 8); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("lines(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if got := lines(t, iotest.OneByteReader(strings.NewReader(tt.in)), 8); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("byte by byte: lines(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestReader_LongLineDoesNotEndTheRun(t *testing.T) {
	t.Parallel()
	const limit, size = 1 << 20, 50 << 20
	in := io.MultiReader(strings.NewReader("a\n"), io.LimitReader(zeros{}, size), strings.NewReader("\nb\n"))
	r := NewReader(in, limit)
	for _, want := range []Line{{Number: 1, Size: 1}, {Number: 2, Size: size, TooLong: true}, {Number: 3, Size: 1}} {
		got, err := r.Next()
		if err != nil || got.Number != want.Number || got.Size != want.Size || got.TooLong != want.TooLong {
			t.Fatalf("line %+v, %v; want %+v", got, err, want)
		}
	}
	if cap(r.buf) > 4*limit {
		t.Errorf("the buffer grew to %d bytes", cap(r.buf))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestReader_FailureDropsTheCutLine(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(strings.NewReader("a\nhal"), iotest.ErrReader(broken)), 8)
	if line, err := r.Next(); err != nil || string(line.Bytes) != "a" {
		t.Fatalf("first line %q, %v", line.Bytes, err)
	}
	if line, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("cut line = %q, %v; want the error", line.Bytes, err)
	}
}

func compress(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOpen_PlainCompressedAndStdin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, packed := filepath.Join(dir, "a.ndjson"), filepath.Join(dir, "a.ndjson.gz")
	for path, content := range map[string][]byte{plain: []byte("a\nb\n"), packed: compress(t, "a\nb\n")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, path string
		stdin      io.Reader
		known      bool
	}{
		{"plain file", plain, nil, true},
		{"compressed file", packed, nil, true},
		{"stdin", Stdin, strings.NewReader("a\nb\n"), false},
		{"compressed stdin", Stdin, bytes.NewReader(compress(t, "a\nb\n")), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source, err := Open(tt.path, tt.stdin)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(t, source, 8); !reflect.DeepEqual(got, []string{"a", "b"}) {
				t.Errorf("lines = %q", got)
			}
			if tt.known != (source.Size() > 0) || (tt.known && source.Progress() != source.Size()) {
				t.Errorf("progress %d of %d", source.Progress(), source.Size())
			}
			if err := source.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpen_Faults(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"no/such/file": "no such file", t.TempDir(): "directory"} {
		if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want %q in it", path, err, want)
		}
	}
}

func TestSource_CutOffArchiveIsAnError(t *testing.T) {
	t.Parallel()
	whole := compress(t, strings.Repeat("some line\n", 1000))
	source, err := From("x.gz", bytes.NewReader(whole[:len(whole)-10]), -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, source)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "x.gz") {
		t.Errorf("error = %v, want an unexpected end that names the file", err)
	}
}

// Invariants: the lines joined by line feeds are the input (apart from a last
// line feed), and no line is longer than the limit.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a\n\nb"), 8)
	f.Add([]byte("\n"), 0)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = min(max(limit, 0), 1<<16)
		r := NewReader(bytes.NewReader(in), limit)
		want := bytes.Split(in, []byte("\n"))
		if len(want[len(want)-1]) == 0 {
			want = want[:len(want)-1]
		}
		for i := range want {
			line, err := r.Next()
			if err != nil {
				t.Fatalf("line %d of %d: %v", i+1, len(want), err)
			}
			if line.TooLong != (len(want[i]) > limit) || line.Size != int64(len(want[i])) || (!line.TooLong && !bytes.Equal(line.Bytes, want[i])) {
				t.Fatalf("line %d = %+v, want %q", i+1, line, want[i])
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last line: %v", err)
		}
	})
}
