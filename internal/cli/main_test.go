package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/ops"
)

// result is what a command leaves behind.
type result struct {
	code           int
	stdout, stderr string
}

// runWith runs args against a root with the given commands.
func runWith(ctx context.Context, stdin io.Reader, environ []string, list []constructor, args ...string) result {
	var stdout, stderr bytes.Buffer
	p := Process{Args: args, Environ: environ, Stdin: stdin, Stdout: &stdout, Stderr: &stderr, Now: time.Now, Version: "1.2.3"}
	code := run(ctx, p, newRoot(p, list...))
	return result{code, stdout.String(), stderr.String()}
}

// failing is a command whose code fails as told.
func failing(name string, err error) constructor {
	return func(Process) *cobra.Command {
		command := &cobra.Command{Use: name, RunE: func(*cobra.Command, []string) error { return err }}
		command.Flags().Bool("known", false, "")
		return command
	}
}

func TestMain_ExitCodes(t *testing.T) {
	t.Parallel()
	list := append(commands(),
		failing("works", nil), failing("breaks", errors.New("no luck")), failing("misused", usagef("--x is odd")), failing("serve", errors.New("served")))
	tests := []struct {
		name    string
		args    []string
		environ []string
		code    int
		stderr  string // part of it
	}{
		{"done", []string{"works"}, nil, 0, ""},
		{"help", []string{"--help"}, nil, 0, ""},
		{"help of a command", []string{"help", "config"}, nil, 0, ""},
		{"failed", []string{"breaks"}, nil, 1, "no luck"},
		{"usage seen by the command", []string{"misused"}, nil, 2, "--x is odd"},
		{"unknown command", []string{"sevre"}, nil, 2, "serve"},
		{"unknown flag", []string{"works", "--nope"}, nil, 2, "--nope"},
		{"unknown flag of the default command", []string{"--nope"}, nil, 2, "--nope"},
		{"argument too many", []string{"version", "x"}, nil, 2, "x"},
		{"flags that exclude each other", []string{"config", "--json", "--markdown"}, nil, 2, "markdown"},
		{"configuration", []string{"config"}, []string{"PULSE_COMPRESSION=gzip", "PULSE_GRUOP=x"}, 2, "PULSE_GRUOP"},
		{"default command", nil, nil, 1, "served"},
		{"flag of the default command", []string{"--known"}, nil, 1, "served"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := runWith(t.Context(), nil, tt.environ, list, tt.args...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("exit %d, stderr %q; want %d and %q", got.code, got.stderr, tt.code, tt.stderr)
			}
			if tt.code == 0 && got.stderr != "" {
				t.Errorf("stderr %q on success", got.stderr)
			}
			if tt.code != 0 && got.stdout != "" {
				t.Errorf("stdout %q on failure", got.stdout)
			}
		})
	}
}

func TestMain_RunsTheRealList(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := Main(t.Context(), Process{Args: []string{"--version"}, Stdout: &stdout, Stderr: &stderr, Version: "1.2.3"}); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	if !strings.HasPrefix(stdout.String(), "pulse-scorer 1.2.3 ") {
		t.Errorf("stdout = %q", stdout.String())
	}
}

func TestConfig_ReportsEveryFaultWithItsVariable(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PULSE_COMPRESSION=gzip", "PULSE_SESSION_TIMEOUT=x", "PULSE_KAFKA_TOPIC=y",
		"PULSE_ENRICHERS=a=http://x?timeout=20s", "PULSE_RETRY_OVERRIDES=too_large=1",
	}
	got := runWith(t.Context(), nil, environ, commands(), "config")
	for _, variable := range []string{"PULSE_COMPRESSION", "PULSE_SESSION_TIMEOUT", "PULSE_KAFKA_TOPIC", "PULSE_ENRICHERS", "PULSE_RETRY_OVERRIDES"} {
		if !strings.Contains(got.stderr, variable+": ") {
			t.Errorf("stderr %q does not report %s", got.stderr, variable)
		}
	}
	if got.code != 2 {
		t.Errorf("exit %d, want 2", got.code)
	}
}

func TestConfig_Forms(t *testing.T) {
	t.Parallel()
	environ := []string{"PULSE_GROUP=mine", "PULSE_SESSION_TIMEOUT=3s", "PULSE_SASL_MECHANISM=PLAIN", "PULSE_SASL_USERNAME=u", "PULSE_SASL_PASSWORD=hunter2"}
	plain := runWith(t.Context(), nil, environ, commands(), "config")
	if plain.code != 0 || !strings.Contains(plain.stdout, "PULSE_GROUP") || !strings.Contains(plain.stdout, "mine") {
		t.Errorf("config = %+v", plain)
	}
	if !strings.Contains(plain.stderr, "warning: PULSE_SESSION_TIMEOUT") {
		t.Errorf("stderr = %q, want the warning", plain.stderr)
	}
	var settings []config.Setting
	asJSON := runWith(t.Context(), nil, environ, commands(), "config", "--json")
	if err := json.Unmarshal([]byte(asJSON.stdout), &settings); err != nil || len(settings) < 40 {
		t.Errorf("config --json: %d settings, %v", len(settings), err)
	}
	markdown := runWith(t.Context(), nil, []string{"PULSE_COMPRESSION=gzip"}, commands(), "config", "--markdown")
	if markdown.code != 0 || markdown.stdout != config.Markdown() {
		t.Errorf("config --markdown = %+v", markdown)
	}
	if strings.Contains(plain.stdout+plain.stderr+asJSON.stdout, "hunter2") {
		t.Error("the password shows")
	}
}

func TestVersion_Forms(t *testing.T) {
	t.Parallel()
	if got := runWith(t.Context(), nil, nil, commands(), "version"); !strings.HasPrefix(got.stdout, "pulse-scorer 1.2.3 (revision ") {
		t.Errorf("version = %+v", got)
	}
	var build ops.Build
	got := runWith(t.Context(), nil, nil, commands(), "version", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &build); err != nil || build.Version != "1.2.3" || build.Revision == "" || build.Go == "" {
		t.Errorf("version --json = %+v (%v)", got, err)
	}
}

// An answer that could not be written was not given.
func TestCommands_FailWhenStdoutFails(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"version", "--json"}, {"config"}, {"config", "--json"}, {"config", "--markdown"}} {
		var stderr bytes.Buffer
		p := Process{Args: args, Stdout: full{}, Stderr: &stderr}
		if code := Main(t.Context(), p); code != 1 || !strings.Contains(stderr.String(), "disk full") {
			t.Errorf("%q: exit %d, stderr %q", args, code, stderr.String())
		}
	}
}

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }
