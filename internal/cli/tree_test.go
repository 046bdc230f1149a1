package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyCommand calls do for each command that a person is shown, those of cobra's own too.
func everyCommand(t *testing.T, do func(t *testing.T, c *cobra.Command)) {
	t.Helper()
	root := newRoot(Process{Now: time.Now}, commands()...)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	n := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		n++
		t.Run(strings.ReplaceAll(c.CommandPath(), " ", "/"), func(t *testing.T) { do(t, c) })
		for _, child := range c.Commands() {
			if !child.Hidden {
				walk(child)
			}
		}
	}
	walk(root)
	if n < 20 {
		t.Errorf("%d commands were looked at; there are more", n)
	}
}

// Every command says in a line what it does, and in full; our own show how they are used.
func TestCommands_HaveHelpAndExamples(t *testing.T) {
	t.Parallel()
	everyCommand(t, func(t *testing.T, c *cobra.Command) {
		t.Helper()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("its line is %q, want one without a full stop", c.Short)
		}
		cobras := c.Name() == "help" || c.Name() == "completion" || c.HasParent() && c.Parent().Name() == "completion"
		if cobras {
			return
		}
		if c.Long == "" && c.Example == "" || c.Example == "" {
			t.Error("it has no example")
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("--%s has no help", f.Name)
			}
		})
	})
}

// Every example of the help is a command line that the program takes.
func TestCommands_ExamplesParse(t *testing.T) {
	t.Parallel()
	everyCommand(t, func(t *testing.T, c *cobra.Command) {
		t.Helper()
		calls := 0
		for line := range strings.Lines(c.Example) {
			_, call, found := strings.Cut(line, "pulse-scorer")
			if !found {
				continue // what stands beside it, like curl
			}
			calls++
			for _, end := range []string{"|", ">", ")", "<"} {
				call, _, _ = strings.Cut(call, end)
			}
			root := newRoot(Process{Now: time.Now}, commands()...)
			root.InitDefaultCompletionCmd()
			named, rest, err := root.Find(strings.Fields(call))
			if err == nil {
				err = named.ParseFlags(rest)
			}
			if err == nil {
				err = named.ValidateArgs(named.Flags().Args())
			}
			if err == nil {
				err = named.ValidateFlagGroups()
			}
			if err != nil {
				t.Errorf("%q: %v", strings.TrimSpace(line), err)
				continue
			}
			if c.HasParent() && named.CommandPath() != c.CommandPath() && !strings.HasPrefix(named.CommandPath(), c.CommandPath()+" ") {
				t.Errorf("%q is an example of %s, not of %s", strings.TrimSpace(line), named.CommandPath(), c.CommandPath())
			}
		}
		if c.Example != "" && calls == 0 {
			t.Errorf("no example calls the program: %q", c.Example)
		}
	})
}

// runnable are our own commands that a person is shown and that do something, by their
// words. The program alone is serve.
func runnable() map[string]*cobra.Command {
	found := make(map[string]*cobra.Command)
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, child := range c.Commands() {
			if !child.Hidden {
				walk(child)
			}
		}
		if c.HasParent() && c.Runnable() {
			_, words, _ := strings.Cut(c.CommandPath(), " ")
			found[words] = c
		}
	}
	walk(newRoot(Process{Now: time.Now}, commands()...))
	return found
}

// Wherever there is a table there is JSON.
func TestCommands_TablesHaveJSON(t *testing.T) {
	t.Parallel()
	all := runnable()
	tableless := map[string]string{"serve": "it logs", "score": "its results are NDJSON", "produce": "it answers nothing", "dlq": "its commands do the work"}
	for words, c := range all {
		if why := tableless[words]; (c.Flags().Lookup("json") == nil) != (why != "") {
			t.Errorf("%s: it has --json or a reason for none, and not both; the reason here is %q", words, why)
		}
	}
	for words := range tableless {
		if all[words] == nil {
			t.Errorf("there is no command %s", words)
		}
	}
}

// Every command that speaks to Kafka secures its connections in the same way: each reads
// the files, and says at once all that is wrong with them, before it connects. bench, which
// connects in plain text, does not go on.
func TestCommands_ReadCertificatesAndTokens(t *testing.T) {
	t.Parallel()
	broken := file(t, "broken", "neither a certificate nor a token")
	environ := []string{
		"PULSE_BROKERS=127.0.0.1:1", "PULSE_HTTP_ADDR=127.0.0.1:0", "PULSE_TLS=true", "PULSE_TLS_CA=" + broken,
		"PULSE_SASL_MECHANISM=OAUTHBEARER", "PULSE_SASL_TOKEN_FILE=" + broken,
	}
	files := []string{"PULSE_TLS_CA", "PULSE_SASL_TOKEN_FILE"}
	says := map[string][]string{"bench": {"plain text"}, "bench scale": {"plain text"}}
	elsewhere := []string{"dev", "score", "health", "config", "version", "dlq"} // no Kafka, one of their own, or only by its commands
	needs := map[string][]string{
		"produce": {"-"}, "find": {"1"}, "dlq show": {"0:0"}, "dlq hold": {"--source", "s"}, "topics": {"create"},
		"replay": {"--output", "elsewhere", "--from-offset", "0"},
	}
	for words := range runnable() {
		if slices.Contains(elsewhere, words) {
			continue
		}
		want, other := says[words]
		if !other {
			want = files
		}
		ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
		got := runWith(ctx, nil, environ, commands(), append(strings.Fields(words), needs[words]...)...)
		cancel()
		for _, text := range want {
			if got.code != 2 || !strings.Contains(got.stderr, text) || strings.Contains(got.stderr, "neither a certificate") {
				t.Errorf("%s: %+v, want exit 2 and %s", words, got, text)
			}
		}
	}
}

// complete is what a shell asks of the program.
func complete(t *testing.T, environ []string, words ...string) []string {
	t.Helper()
	got := runWith(t.Context(), nil, environ, commands(), append([]string{cobra.ShellCompRequestCmd}, words...)...)
	if got.code != 0 {
		t.Fatalf("complete %q: %+v", words, got)
	}
	var values []string
	for line := range strings.Lines(got.stdout) {
		value, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if value != "" && !strings.HasPrefix(value, ":") {
			values = append(values, value)
		}
	}
	return values
}

func TestCompletion_OffersWhatThereIs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		words []string
		want  string // one that must be among them
	}{
		{[]string{"l"}, "lag"},
		{[]string{"dlq", ""}, "redrive"},
		{[]string{"topics", ""}, "create"},
		{[]string{"health", "--probe", ""}, "live"},
		{[]string{"dlq", "list", "--class", "inv"}, "invalid_field"},
		{[]string{"dlq", "hold", "--stage", ""}, "decode"},
		{[]string{"score", "--profile", ""}, "parity"},
		{[]string{"score", "--profile", ""}, "v2"},
		{[]string{"produce", "--shift", ""}, "now"},
		{[]string{"completion", ""}, "zsh"},
	} {
		got := strings.Join(complete(t, nil, tt.words...), " ")
		if !strings.Contains(" "+got+" ", " "+tt.want+" ") {
			t.Errorf("%q is completed with %q, want %s among them", tt.words, got, tt.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := runWith(t.Context(), nil, nil, commands(), "completion", shell); got.code != 0 || len(got.stdout) < 500 {
			t.Errorf("completion %s: exit %d with %d bytes: %s", shell, got.code, len(got.stdout), got.stderr)
		}
	}
}

// The positions of dead letters come from the brokers; without brokers there are none,
// and no word of it disturbs the shell.
func TestCompletion_OffersDeadLetters(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	r := start(t, at(b), "serve")
	awaitCode(t, "http://"+r.addr(t)+"/readyz", 200)
	produceAll(t, b, `nonsense`, `more nonsense`)
	read(t, b, "pulse.signals.pulse-scorer.dlq", 2)
	for _, words := range [][]string{{"dlq", "show", ""}, {"dlq", "redrive", ""}, {"dlq", "hold", ""}} {
		letters := complete(t, at(b), words...)
		if len(letters) != 2 {
			t.Errorf("%q is completed with %q, want two letters", words, letters)
			continue
		}
		if rest := complete(t, at(b), "dlq", "hold", letters[0], ""); len(rest) != 1 || rest[0] != letters[1] {
			t.Errorf("after %s: %q, want %s", letters[0], rest, letters[1])
		}
	}
	if got := complete(t, nil, "dlq", "show", ""); len(got) != 0 {
		t.Errorf("without brokers: %q", got)
	}
}

// health is for images without curl: it says what /readyz says, and ends accordingly.
func TestHealth_AsksTheRunningService(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	r := start(t, at(b), "serve")
	addr := r.addr(t)
	awaitCode(t, "http://"+addr+"/readyz", 200)
	environ := []string{"PULSE_HTTP_ADDR=" + addr}
	got := runWith(t.Context(), nil, environ, commands(), "health")
	for _, check := range []string{"topics", "group", "state", "broker"} {
		if !strings.Contains(got.stdout, "[+] "+check) {
			t.Errorf("health does not say how %s is: %+v", check, got)
		}
	}
	if got.code != 0 || !strings.HasPrefix(got.stdout, "ok\n") {
		t.Errorf("health: %+v", got)
	}
	for _, probe := range []string{"live", "started"} {
		if got := runWith(t.Context(), nil, environ, commands(), "health", "--probe", probe); got.code != 0 {
			t.Errorf("health --probe %s: %+v", probe, got)
		}
	}
	expectStatus(t, environ)
	if code, _ := r.interrupt(t); code != 0 {
		t.Errorf("exit %d", code)
	}
	got = runWith(t.Context(), nil, environ, commands(), "health")
	if got.code != 1 || !strings.Contains(got.stderr, "PULSE_HTTP_ADDR") {
		t.Errorf("health of a service that has ended: %+v", got)
	}
	for _, args := range [][]string{{"health", "--probe", "well"}, {"health", "--timeout", "0s"}, {"health", "x"}} {
		if got := runWith(t.Context(), nil, nil, commands(), args...); got.code != 2 {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// expectStatus checks what health --json has of a service with tasks.
func expectStatus(t *testing.T, environ []string) {
	t.Helper()
	awaitMetric(t, "http://"+strings.TrimPrefix(environ[0], "PULSE_HTTP_ADDR="), `pulse_consumer_lag_records{partition="0",topic="pulse.signals"} 0`)
	asJSON := runWith(t.Context(), nil, environ, commands(), "health", "--json")
	var status struct {
		Ready, Live, Joined bool
		Group               string
		Tasks               []struct{ Partition, Lag, End int }
		Throughput          *struct{ Records int }
	}
	if err := json.Unmarshal([]byte(asJSON.stdout), &status); err != nil || asJSON.code != 0 ||
		!status.Ready || !status.Live || !status.Joined || status.Group != "pulse-scorer" || len(status.Tasks) == 0 || status.Throughput == nil {
		t.Errorf("health --json: %+v (%v)", asJSON, err)
	}
}

// A service that is up and not ready says why, and health exits 1.
func TestHealth_OfAServiceThatIsNotReady(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"PULSE_BROKERS=127.0.0.1:1", "PULSE_HTTP_ADDR=127.0.0.1:0"}, "serve")
	got := runWith(t.Context(), nil, []string{"PULSE_HTTP_ADDR=" + r.addr(t)}, commands(), "health")
	if got.code != 1 || !strings.Contains(got.stdout, "[-] broker: ") || !strings.Contains(got.stderr, "/readyz answers 503") {
		t.Errorf("%+v", got)
	}
}

func TestLocal_IsReachableFromHere(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":9100": "localhost:9100", "0.0.0.0:1": "localhost:1", "[::]:2": "localhost:2", "10.1.2.3:4": "10.1.2.3:4", "host:5": "host:5",
	} {
		if got := local(addr); got != want {
			t.Errorf("local(%q) = %q, want %q", addr, got, want)
		}
	}
}
