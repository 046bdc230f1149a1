package archtest

import (
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

//go:generate go test -run ^TestGuides_ShowWhatRuns$ . -update

var update = flag.Bool("update", false, "write the examples into the guides")

const guides = "deploy/guides/"

// embedded is where a guide shows a file: the comment that names it, and the block below.
var embedded = regexp.MustCompile("(?m)^<!-- (examples/\\S+) -->\n(?:\n```\\w+\n(?s:.*?)\n```\n)?")

// languages of code blocks, by the extension of the file.
var languages = map[string]string{".py": "python", ".java": "java", ".sh": "sh"}

// What the guides show are the very files that the integration tests run.
func TestGuides_ShowWhatRuns(t *testing.T) {
	t.Parallel()
	shown := make(map[string]bool)
	for _, name := range files(t) {
		if path.Ext(name) != ".md" || !strings.HasPrefix(name, guides) {
			continue
		}
		text := string(read(t, name))
		want := withExamples(text, func(example string) string {
			shown[example] = true
			return string(read(t, guides+example))
		})
		if *update {
			if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
			text = want
		}
		if text != want {
			t.Errorf("%s does not show its examples as they are; run go generate ./internal/archtest", name)
		}
	}
	tests := string(read(t, "integration/clients_test.go"))
	for _, name := range files(t) {
		example, ok := strings.CutPrefix(name, guides)
		if !ok || !strings.HasPrefix(example, "examples/") || languages[path.Ext(name)] == "" {
			continue
		}
		if !shown[example] {
			t.Errorf("%s is shown in no guide", name)
		}
		if !strings.Contains(tests, strings.Trim(fmt.Sprintf("%q", path.Base(name)), "`")) {
			t.Errorf("%s is run by no test", name)
		}
	}
	if len(shown) < 6 {
		t.Errorf("the guides show %d files only: %v", len(shown), shown)
	}
}

// withExamples puts each file that a guide names into the block below its name.
func withExamples(text string, file func(example string) string) string {
	return embedded.ReplaceAllStringFunc(text, func(block string) string {
		example := embedded.FindStringSubmatch(block)[1]
		return fmt.Sprintf("<!-- %s -->\n\n```%s\n%s\n```\n", example, languages[path.Ext(example)], strings.TrimRight(file(example), "\n"))
	})
}

func TestGuides_AnOldExampleIsSeen(t *testing.T) {
	t.Parallel()
	file := func(string) string { return "new\n\nlines\n" }
	const want = "a\n\n<!-- examples/x.py -->\n\n```python\nnew\n\nlines\n```\n\nb\n\n```sh\nstays\n```\n"
	for _, text := range []string{
		"a\n\n<!-- examples/x.py -->\n\nb\n\n```sh\nstays\n```\n",
		"a\n\n<!-- examples/x.py -->\n\n```python\nold\n```\n\nb\n\n```sh\nstays\n```\n", want,
	} {
		if got := withExamples(text, file); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
