package scoring

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"pulse-scorer/internal/pulse"
)

// vector is one recorded run of the old system.
type vector struct {
	id, op, kind   string
	in, want, diag pulse.Value
}

// parityVectors reads the file called name in dir and returns the vectors that have
// to match. It fails the test on an absent or empty directory or file and on
// anything it cannot place, and logs what it read and what it left out.
func parityVectors(t testing.TB, dir, name, op string) []vector {
	t.Helper()
	path := parityFile(t, dir, name)
	all := readVectors(t, path)
	var kept []vector
	defects := 0
	for _, v := range all {
		switch {
		case v.op != op:
			t.Errorf("%s: vector %s: op %q, want %q", path, v.id, v.op, op)
		case v.kind == "parity":
			kept = append(kept, v)
		case v.kind == "defect":
			defects++
		default:
			t.Errorf("%s: vector %s: unknown kind %q", path, v.id, v.kind)
		}
	}
	t.Logf("%s: %d vectors read, %d compared, %d skipped (kind defect: behaviour not to copy)", path, len(all), len(kept), defects)
	if len(kept) == 0 {
		t.Fatalf("%s: no vector to compare", path)
	}
	return kept
}

// parityDir is PULSE_PARITY_DIR, else testdata. A relative path may start at
// the module's root, where the command is usually given, or at this package,
// where go test runs it.
func parityDir(t testing.TB) string {
	t.Helper()
	dir, given := os.LookupEnv("PULSE_PARITY_DIR")
	if !given {
		return filepath.Join("testdata", "parity")
	}
	if dir == "" {
		t.Fatal("PULSE_PARITY_DIR is set but empty: name a directory or unset it")
	}
	root := moduleRoot(t)
	tried := []string{dir}
	if !filepath.IsAbs(dir) {
		tried = []string{filepath.Join(root, dir), dir}
	}
	for _, d := range tried {
		if entries, err := os.ReadDir(d); err == nil && len(entries) > 0 {
			return watched(root, d)
		}
	}
	t.Fatalf("PULSE_PARITY_DIR: no such directory, or nothing in it; tried %q", tried)
	return ""
}

// watched is dir written as a path that begins with the module's root. The go
// command keeps a test's result until a file changes that the test opened below
// that root, judged by how the path begins; for other vectors at the same
// place outside it would go on reporting the old result. (Verified on go1.26:
// without this, "(cached)" after the file had changed.)
func watched(root, dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return dir
	}
	path := root + string(filepath.Separator) + rel // not cleaned, on purpose
	a, errA := os.Stat(dir)
	b, errB := os.Stat(path)
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return dir // the root is reached through a symbolic link
	}
	return path
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the package")
		}
		dir = parent
	}
}

// parityFile is the file called name in dir, plain or compressed.
func parityFile(t testing.TB, dir, name string) string {
	t.Helper()
	for _, candidate := range []string{name, name + ".gz"} {
		path := dir + string(filepath.Separator) + candidate // see watched
		if _, err := os.Stat(path); err == nil {
			return path
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	t.Fatalf("%s: neither %s nor %s.gz", dir, name, name)
	return ""
}

func readVectors(t testing.TB, path string) []vector {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var r io.Reader = file
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	var all []vector
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		v := value(t, lines.Text())
		all = append(all, vector{
			id: member(v, "id").String, op: member(v, "op").String, kind: member(v, "kind").String,
			in: member(v, "in"), want: member(v, "want"), diag: member(v, "diag"),
		})
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return all
}
