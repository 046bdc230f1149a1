package archtest

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines is the length from which a file is no longer read but searched.
const maxLines = 500

// topLevel lists all that lies at the repository's top, beside dotfiles.
func topLevel() []string {
	return []string{"cmd", "internal", "schemas", "deploy", "integration", "go.mod", "go.sum", "Makefile", "README.md"}
}

func TestTopLevel_HoldsTheKnownNamesAndNoOther(t *testing.T) {
	t.Parallel()
	expectNone(t, topLevelFaults(files(t)))
}

func TestTopLevel_FaultsAreSeen(t *testing.T) {
	t.Parallel()
	whole := []string{".gitignore", ".ci/run"}
	for _, name := range topLevel() {
		whole = append(whole, name+"/file")
	}
	expectNone(t, topLevelFaults(whole))
	expectFault(t, topLevelFaults(append(slices.Clone(whole), "scripts/x.sh")), "scripts")
	expectFault(t, topLevelFaults(whole[:len(whole)-1]), "README.md")
}

// topLevelFaults judges by files, because a folder without any does not survive a clone.
func topLevelFaults(files []string) []string {
	var faults, seen []string
	for _, file := range files {
		name, _, _ := strings.Cut(file, "/")
		if strings.HasPrefix(name, ".") || slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		if !slices.Contains(topLevel(), name) {
			faults = append(faults, name+": does not belong at the top level")
		}
	}
	for _, name := range topLevel() {
		if !slices.Contains(seen, name) {
			faults = append(faults, name+": is missing at the top level, or has no file in it")
		}
	}
	return faults
}

func TestFiles_AreShortEnoughToRead(t *testing.T) {
	t.Parallel()
	for _, name := range files(t) {
		if isCode(name) {
			expectNone(t, lengthFaults(name, read(t, name)))
		}
	}
}

func TestFiles_LongOnesAreSeen(t *testing.T) {
	t.Parallel()
	expectNone(t, lengthFaults("short.go", bytes.Repeat([]byte("\n"), maxLines)))
	expectFault(t, lengthFaults("long.go", bytes.Repeat([]byte("\n"), maxLines+1)), "long.go")
}

func lengthFaults(name string, text []byte) []string {
	if lines := bytes.Count(text, []byte("\n")); lines > maxLines {
		return []string{fmt.Sprintf("%s: %d lines, at most %d; split it by subject", name, lines, maxLines)}
	}
	return nil
}

func isCode(name string) bool {
	return slices.Contains([]string{".go", ".sh"}, path.Ext(name)) || name == "Makefile" || name == ".ci/run"
}

func TestPackages_SayWhatTheyAre(t *testing.T) {
	t.Parallel()
	expectNone(t, docFaults(sources(t)))
}

func TestPackages_SilentOnesAreSeen(t *testing.T) {
	t.Parallel()
	said := parse(t, "a/doc.go", "// Package a is an example.\npackage a\n")
	unsaid := parse(t, "a/doc.go", "package a\n")
	elsewhere := parse(t, "a/a.go", "// Package a is an example.\npackage a\n")
	expectNone(t, docFaults([]source{said, parse(t, "a/b.go", "package a\n")}))
	expectFault(t, docFaults([]source{unsaid}), "a: ")
	expectFault(t, docFaults([]source{elsewhere}), "a: ")
}

func docFaults(sources []source) []string {
	var faults, seen []string
	for _, file := range sources {
		if slices.Contains(seen, file.dir()) {
			continue
		}
		seen = append(seen, file.dir())
		if !slices.ContainsFunc(sources, func(other source) bool {
			return other.path == file.dir()+"/doc.go" && other.syntax.Doc != nil
		}) {
			faults = append(faults, file.dir()+": has no doc.go with a package comment (what, guarantee, decisions)")
		}
	}
	return faults
}

// laterNote finds a note for later in a comment; the words are taken apart so that this file has none itself.
var laterNote = regexp.MustCompile(`(//|#|\*).*\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func TestComments_PutNothingOff(t *testing.T) {
	t.Parallel()
	for _, name := range files(t) {
		if isCode(name) {
			expectNone(t, laterFaults(name, string(read(t, name))))
		}
	}
}

func TestComments_NotesForLaterAreSeen(t *testing.T) {
	t.Parallel()
	expectNone(t, laterFaults("a.go", "x := context.TO"+"DO()\n"))
	expectFault(t, laterFaults("a.go", "\n// TO"+"DO: finish\n"), "a.go:2")
	expectFault(t, laterFaults("a.sh", "x=1 # FIX"+"ME\n"), "a.sh:1")
}

func laterFaults(name, text string) []string {
	var faults []string
	for number, line := range strings.Split(text, "\n") {
		if laterNote.MatchString(line) {
			faults = append(faults, fmt.Sprintf("%s:%d: a note for later; do it, or file an issue", name, number+1))
		}
	}
	return faults
}
