//go:build integration

package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/broker"
)

// examples are the programs of the guides (deploy/guides), as users copy them.
const examples = "../deploy/guides/examples"

// clients run the examples.
type clients struct {
	*lab

	python, jars string
}

// newClients finds what the examples need, or fails: a client that is left out would
// look like one that works.
func (l *lab) newClients(ctx context.Context, t *testing.T) clients {
	t.Helper()
	for _, program := range []string{"kcat", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s, which the guides' examples need, is not on the PATH: %v", program, err)
		}
	}
	script := func(name string, args ...string) string {
		out, err := exec.CommandContext(ctx, filepath.Join("kafka", name), args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return strings.TrimSpace(string(out))
	}
	return clients{l, script("python.sh"), script("jars.sh")}
}

// run runs an example in the environment that its first lines ask for.
func (c clients) run(ctx context.Context, t *testing.T, program string, args ...string) string {
	t.Helper()
	path := filepath.Join(examples, program)
	var words []string
	switch filepath.Ext(program) {
	case ".py":
		words = []string{c.python, path}
	case ".java":
		words = []string{"java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", c.jars + "/*", path}
	default:
		words = []string{path}
	}
	words = append(words, args...)
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Env = append(os.Environ(), "PULSE_BROKERS="+strings.Join(c.brokers, ","), "PULSE_TOPIC_INPUT="+c.topics.Input, "PULSE_TOPIC_OUTPUT="+c.topics.Results)
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", program, err, out, said.String())
	}
	return string(out)
}

// signalsOf writes signals of a client to a file. All clients send the same names.
func signalsOf(t *testing.T, client string, n int) string {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"id":"%s-%d","name":"series %d","value":%d,"source":%q}`+"\n", client, i, i%10, i, client)
	}
	path := filepath.Join(t.TempDir(), client+".ndjson")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// abortedResult is what only a reader without read_committed sees.
const abortedResult = "aborted-result"

func (l *lab) abortResult(ctx context.Context, t *testing.T) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.TransactionalID(kafkatest.Name("aborts")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	value := []byte(`{"id":"` + abortedResult + `","name":"n","kind":"raw","trust_score":0}`)
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: l.topics.Results, Key: []byte("n"), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}

// The guides' examples produce signals and read their results with kcat, Python and Java:
// each key lies where Kafka's partitioner puts it, each signal has one result, and what
// was aborted is seen by none.
func TestClients_ProduceAndReadAsTheGuidesSay(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), enrichersHangGuard)
	defer cancel()
	l := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("clients"), 4)
	c := l.newClients(ctx, t)
	l.abortResult(ctx, t)
	s := l.startService(ctx, t, "PULSE_DEFAULT_SOURCE=unknown")
	const each = 50
	c.run(ctx, t, "kcat.sh")
	c.run(ctx, t, "produce.py", signalsOf(t, "python", each))
	c.run(ctx, t, "ProduceSignals.java", signalsOf(t, "java", each))
	want := map[string]bool{"kcat-1": true, "kcat-2": true, "kcat-3": true}
	for i := range each {
		want["python-"+strconv.Itoa(i)], want["java-"+strconv.Itoa(i)] = true, true
	}
	s.awaitValue(ctx, t, float64(len(want)), "pulse_records_total", "scored")
	if got := s.value(t, "pulse_misplaced_keys_total"); got != 0 {
		t.Errorf("%v signals have another key than their name", got)
	}
	l.expectPlaced(ctx, t)
	s.stop(t)

	count := strconv.Itoa(len(want))
	expectIDs(t, "consume.py", want, c.run(ctx, t, "consume.py", kafkatest.Name("python"), count), func(line string) string {
		id, _, _ := strings.Cut(line, " ")
		return id
	})
	ofJSON := func(line string) string {
		var result struct{ ID string }
		if err := json.Unmarshal([]byte(line), &result); err != nil {
			t.Errorf("result %q: %v", line, err)
		}
		return result.ID
	}
	expectIDs(t, "ReadResults.java", want, c.run(ctx, t, "ReadResults.java", kafkatest.Name("java"), count), ofJSON)
	expectIDs(t, "kcat-results.sh", want, c.run(ctx, t, "kcat-results.sh"), ofJSON)
	t.Logf("kcat, %s and the Java client each read the %d results of the signals that they have produced", pinned(t), len(want))
}

// pinned is what the Python environment was asked for.
func pinned(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// expectPlaced checks that every client has used Kafka's partitioner.
func (l *lab) expectPlaced(ctx context.Context, t *testing.T) {
	t.Helper()
	look, err := broker.NewInspector(broker.Connection{Brokers: l.brokers}, broker.InspectorSettings{Group: l.group, Topics: l.topics, MaxRecordBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	used := make(map[int32]bool)
	l.each(ctx, t, l.topics.Input, func(r *kgo.Record) {
		used[r.Partition] = true
		if want := look.PartitionOf(string(r.Key), int32(l.partitions)); r.Partition != want {
			t.Errorf("%s: key %q lies in partition %d, want %d", r.Value, r.Key, r.Partition, want)
		}
	})
	if len(used) < 2 {
		t.Errorf("all keys lie in partitions %v: the test looked at nothing", used)
	}
}

func expectIDs(t *testing.T, program string, want map[string]bool, out string, idOf func(line string) string) {
	t.Helper()
	seen := make(map[string]int)
	for line := range strings.Lines(out) {
		seen[idOf(strings.TrimSpace(line))]++
	}
	for id := range want {
		if seen[id] != 1 {
			t.Errorf("%s: signal %s has %d results, want 1", program, id, seen[id])
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%s: results of %d signals, want %d: %v", program, len(seen), len(want), seen)
	}
}
