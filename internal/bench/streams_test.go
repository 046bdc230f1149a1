package bench

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// integration is the folder with the broker and the comparison on Kafka Streams.
const integration = "../../integration"

func TestStreams_IsOfTheBrokersVersion(t *testing.T) {
	t.Parallel()
	client := only(t, "bench/streams/pom.xml", `<kafka\.version>([\d.]+)</kafka\.version>`)
	broker := only(t, "kafka/common.sh", `(?m)^KAFKA_VERSION=\$\{KAFKA_VERSION:-([\d.]+)\}$`)
	if client != broker {
		t.Errorf("Kafka Streams is of version %s (pom.xml), the broker of %s (common.sh)", client, broker)
	}
}

// only is what an expression's group finds in a file, once.
func only(t *testing.T, name, expression string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(integration, name))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(expression).FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		t.Fatalf("%s has %d of %s, want one", name, len(found), expression)
	}
	return found[0][1]
}

// On a machine without Java each script says what is missing and which package brings it.
func TestStreams_ScriptsSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		has    []string
		want   string
	}{
		"no JDK":   {"build.sh", nil, "build.sh: javac is missing; install it, on Debian with: apt-get install default-jdk-headless"},
		"no Maven": {"build.sh", []string{"javac"}, "build.sh: mvn is missing; install it, on Debian with: apt-get install maven"},
		"no Java":  {"run.sh", nil, "run.sh: java is missing; install it, on Debian with: apt-get install default-jre-headless"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.CommandContext(t.Context(), "bash", filepath.Join(integration, "bench", "streams", c.script))
			command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + pathWith(t, c.has)}
			said, err := command.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 || strings.TrimSpace(string(said)) != c.want {
				t.Errorf("%v: %s, want %s", err, said, c.want)
			}
		})
	}
}

// pathWith is a folder with what the scripts use of the system, and with commands of
// these names, which nobody gets to run.
func pathWith(t *testing.T, names []string) string {
	t.Helper()
	dir := t.TempDir()
	targets := make(map[string]string)
	for _, name := range names {
		targets[name] = "/bin/sh"
	}
	for _, name := range []string{"dirname", "basename"} {
		found, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		targets[name] = found
	}
	for name, target := range targets {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
