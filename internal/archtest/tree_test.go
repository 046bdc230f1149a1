package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "pulse-scorer"
	// root is the repository's, seen from this package, which is where go test runs.
	root = "../.."
)

// source is one Go file of the repository, parsed, whatever its build tags say.
type source struct {
	path    string // slash-separated, from the repository's root
	syntax  *ast.File
	imports []string
}

func (s source) dir() string { return path.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// within tells whether the file lies in one of the folders or below it.
func (s source) within(dirs ...string) bool { return below(s.dir(), dirs...) }

func below(dir string, tops ...string) bool {
	for _, top := range tops {
		if dir == top || strings.HasPrefix(dir, top+"/") {
			return true
		}
	}
	return false
}

// sources parses every Go file of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	for _, name := range files(t) {
		if path.Ext(name) == ".go" {
			found = append(found, parse(t, name, string(read(t, name))))
		}
	}
	return found
}

// parse makes a source of a text, so that a rule can be shown a fault that the repository does not have.
func parse(t *testing.T, name, text string) source {
	t.Helper()
	syntax, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
	if err != nil {
		t.Fatalf("parse %s: %v", name, err)
	}
	parsed := source{path: name, syntax: syntax}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("read the imports of %s: %v", name, err)
		}
		parsed.imports = append(parsed.imports, imported)
	}
	return parsed
}

// files lists the repository's files but for build output, test data and git's own.
func files(t *testing.T) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			found = append(found, name)
		case name == ".git" || name == ".cache" || name == "bin" || entry.Name() == "testdata":
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatalf("list the repository's files: %v", err)
	}
	return found
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return text
}

// expectNone fails the test with every fault that a rule has found.
func expectNone(t *testing.T, faults []string) {
	t.Helper()
	for _, fault := range faults {
		t.Error(fault)
	}
}

// expectFault fails the test unless a rule has found exactly one fault and names the thing at fault.
func expectFault(t *testing.T, faults []string, name string) {
	t.Helper()
	if len(faults) != 1 || !strings.Contains(faults[0], name) {
		t.Errorf("got faults %q, want one that names %q", faults, name)
	}
}
