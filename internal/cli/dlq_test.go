package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/app"
	"pulse-scorer/internal/audit"
	"pulse-scorer/internal/devbroker"
)

func dlqJSON[T any](t *testing.T, b *devbroker.Broker, args ...string) T {
	t.Helper()
	got := runWith(t.Context(), nil, at(b), commands(), append([]string{"dlq"}, append(args, "--json")...)...)
	var answer T
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != 0 {
		t.Fatalf("%v: %v: %+v", args, err, got)
	}
	return answer
}

// serveOn has a service work off what waits.
func serveOn(t *testing.T, b *devbroker.Broker) {
	t.Helper()
	service := start(t, at(b), "serve")
	service.await(t, `"state restored"`)
	awaitNoLag(t, b)
	if code, _ := service.interrupt(t); code != 0 {
		t.Fatalf("serve: exit %d\n%s", code, service.stderr)
	}
}

// A poison record goes round as often as is allowed, then it is held; each letter
// is sent once; and the accounts balance all the while.
func TestDLQ_APoisonRecordDoesNotLoop(t *testing.T) { //nolint:cyclop // one record, all the way round
	t.Parallel()
	const letters = 700 // more than one transaction
	lines := []string{`{"id":"good","name":"n","value":1,"source":"s"}`}
	for i := range letters {
		lines = append(lines, fmt.Sprintf(`{"id":"bad-%d","name":"n","value":"text","source":"s"}`, i))
	}
	b := served(t, lines...)
	for round := range defaultMaxRedrives {
		dry := runWith(t.Context(), nil, at(b), commands(), "dlq", "redrive", "--dry-run")
		if dry.code != 0 || !strings.Contains(dry.stdout, "invalid_field  700") {
			t.Fatalf("round %d: %+v", round, dry)
		}
		// The last one first: those that the filter passes over stay.
		one := dlqJSON[app.Redriven](t, b, "redrive", "--id", fmt.Sprintf("bad-%d", letters-1))
		some := dlqJSON[app.Redriven](t, b, "redrive", "--limit", "10", "--rate", "1000")
		rest := dlqJSON[app.Redriven](t, b, "redrive")
		again := dlqJSON[app.Redriven](t, b, "redrive")
		if one.ToInput != 1 || some.ToInput != 10 || rest.ToInput != letters-11 || again.Sent() != 0 {
			t.Fatalf("round %d: %+v, %+v, %+v", round, some, rest, again)
		}
		serveOn(t, b)
		auditJSON(t, b, 0)
	}
	last := dlqJSON[app.Redriven](t, b, "redrive")
	if last.Sent() != 0 || last.Held["held: redriven too often"] != letters {
		t.Errorf("%+v", last)
	}
	report, _ := auditJSON(t, b, 0)
	if sum := audit.Total(report.Partitions); sum.Dead != letters*(defaultMaxRedrives+1) || !report.Balanced {
		t.Errorf("%+v", sum)
	}
	list := dlqJSON[[]shownLetter](t, b, "list", "--id", "bad-7")
	if len(list) != defaultMaxRedrives+1 || list[0].Standing != "redriven" || !list[defaultMaxRedrives].Held || list[defaultMaxRedrives].Redrives != defaultMaxRedrives {
		t.Errorf("%+v", list)
	}
}

// Letters that a filter passes over, or that are held, stay for a later redrive;
// a tombstone is shown and held.
func TestDLQ_FiltersAndHoldsLoseNothing(t *testing.T) { //nolint:cyclop // one topic, dealt with in many ways
	t.Parallel()
	b := served(t, mixedLines...)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "pulse.signals", Key: []byte("n")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	serveOn(t, b)
	all := dlqJSON[[]shownLetter](t, b, "list")
	if len(all) != 4 {
		t.Fatalf("%+v", all)
	}
	var field, tombstone shownLetter
	for _, l := range all {
		switch {
		case l.Class == "invalid_field":
			field = l
		case l.Tombstone:
			tombstone = l
		}
	}
	position := fmt.Sprintf("%d:%d", field.Partition, field.Offset)
	if got := runWith(t.Context(), nil, at(b), commands(), "dlq", "show", "--raw", position); got.stdout != mixedLines[5] {
		t.Errorf("raw: %+v", got)
	}
	shown := runWith(t.Context(), nil, at(b), commands(), "dlq", "show", fmt.Sprintf("%d:%d", tombstone.Partition, tombstone.Offset))
	if !strings.Contains(shown.stdout, "tombstone (null)") {
		t.Errorf("tombstone: %+v", shown)
	}
	if got := runWith(t.Context(), nil, at(b), commands(), "dlq", "hold", position); !strings.HasPrefix(got.stdout, "1 dead letters put on hold") {
		t.Errorf("%+v", got)
	}
	if got := dlqJSON[app.Redriven](t, b, "redrive", "--class", "id_conflict"); got.Sent() != 1 || got.Filtered != 2 {
		t.Errorf("by class: %+v", got)
	}
	if got := dlqJSON[app.Redriven](t, b, "redrive"); got.Sent() != 1 || got.Held["held: tombstone"] != 1 {
		t.Errorf("what the filter passed over: %+v", got)
	}
	if got := dlqJSON[app.Redriven](t, b, "hold", "--release", position); got.Released != 1 {
		t.Errorf("release: %+v", got)
	}
	if got := dlqJSON[app.Redriven](t, b, "redrive"); got.Sent() != 1 {
		t.Errorf("released: %+v", got)
	}
	serveOn(t, b)
	auditJSON(t, b, 0)
}

// Ctrl-C ends a redrive after its transaction, and the next one goes on there: in
// the end the input holds each record twice, once by upstream and once sent back.
func TestDLQ_InterruptedNothingIsSkippedOrSentTwice(t *testing.T) {
	t.Parallel()
	const letters = 300
	var lines []string
	for i := range letters {
		lines = append(lines, fmt.Sprintf(`{"id":"bad-%d","name":"n","value":"text","source":"s"}`, i))
	}
	b := served(t, lines...)
	interrupted := 0
	for {
		redrive := start(t, at(b), "dlq", "redrive", "--rate", "100")
		for sentBack(b) < letters && redrive.stdout.String() == "" && t.Context().Err() == nil {
			before := sentBack(b)
			if before > 0 && before < letters {
				break
			}
		}
		if code, _ := redrive.interrupt(t); code == 0 {
			break
		}
		interrupted++
		if interrupted == 2 { // and then to the end
			if got := runWith(t.Context(), nil, at(b), commands(), "dlq", "redrive"); got.code != 0 {
				t.Fatalf("%+v", got)
			}
			break
		}
	}
	seen := make(map[string]int)
	for _, r := range read(t, b, "pulse.signals", 2*letters) {
		seen[string(r.Value)]++
	}
	for _, line := range lines {
		if seen[line] != 2 {
			t.Errorf("%s is there %d times, want 2", line, seen[line])
		}
	}
	if interrupted == 0 {
		t.Error("no redrive was interrupted")
	}
	serveOn(t, b)
	auditJSON(t, b, 0)
}

// sentBack is how far the input has grown since upstream wrote 300 records.
func sentBack(b *devbroker.Broker) int {
	ends := int64(-300)
	for _, end := range b.EndOffsets("pulse.signals") {
		ends += end
	}
	return int(ends)
}

// A name that no letter has is a mistake, not an answer of none.
func TestDLQ_AMistypedNameIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"redrive", "--class", "enricher_unreachable"}, []string{`--class: "enricher_unreachable"`, "enricher_unavailable", "retries_exhausted"}},
		{[]string{"hold", "--class", "unknown,invalid"}, []string{`--class: "invalid"`, "invalid_field"}},
		{[]string{"list", "--stage", "decoding"}, []string{`--stage: "decoding"`, "decode", "emit"}},
	} {
		got := runWith(t.Context(), nil, []string{"PULSE_BROKERS=localhost:1"}, commands(), append([]string{"dlq"}, c.args...)...)
		for _, want := range c.want {
			if got.code != exitUsage || !strings.Contains(got.stderr, want) {
				t.Errorf("%v: exit %d, want %d and %q in %q", c.args, got.code, exitUsage, want, got.stderr)
			}
		}
	}
}

// Whoever names a letter is told why nothing was done with it, and by the exit code too;
// what was named beside it is dealt with all the same.
func TestDLQ_SaysWhyANamedLetterWasLeft(t *testing.T) {
	t.Parallel()
	b := served(t, mixedLines...)
	all := dlqJSON[[]shownLetter](t, b, "list")
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	at0, at1, at2 := place(all[0]), place(all[1]), place(all[2])
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string // parts of them
	}{
		{[]string{"hold", "99:1"}, 1, "0 dead letters put on hold", "99:1: no such partition: they are 0 to 1"},
		{[]string{"hold", at0}, 0, "1 dead letters put on hold", ""},
		{[]string{"hold", at0, at1}, 1, "1 dead letters put on hold", at0 + ": already held"},
		{[]string{"redrive", "0:99999"}, 1, "0 redriven", "0:99999: no letter at that offset"},
		{[]string{"redrive", "--dry-run", at0, at2}, 1, "redriven        1  #", at0 + ": held: release it first (dlq hold --release " + at0 + ")"},
		{[]string{"redrive", at0, at2}, 1, "1 redriven", at0 + ": held: release it first (dlq hold --release " + at0 + ")"},
		{[]string{"redrive", at2}, 1, "0 redriven", at2 + ": already redriven"},
		{[]string{"hold", "--release", at0, at1}, 0, "2 dead letters released", ""},
		{[]string{"hold", "--release", at0}, 1, "0 dead letters released", at0 + ": not held"},
		{[]string{"redrive", at0, "--source", "other"}, 1, "0 redriven", at0 + ": the letter there does not fit the other filters"},
		{[]string{"redrive", at0, at1, "--limit", "1"}, 1, "1 redriven", at1 + ": still open: --limit ended the redrive before it"},
		{[]string{"redrive", at1, at1}, 0, "1 redriven", ""},
	} {
		got := runWith(t.Context(), nil, at(b), commands(), append([]string{"dlq"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) || (c.stderr == "") != (got.stderr == "") {
			t.Errorf("%v: %+v, want %+v", c.args, got, c)
		}
	}
}

func place(l shownLetter) string { return fmt.Sprintf("%d:%d", l.Partition, l.Offset) }

// What a dry run shows is what the redrive with the same flags sends.
func TestDLQ_ADryRunEndsAtTheLimit(t *testing.T) {
	t.Parallel()
	b := served(t, mixedLines...)
	for limit, want := range map[string]uint64{"1": 1, "2": 2, "3": 3, "9": 3, "0": 3} {
		if got := dlqJSON[app.DryRun](t, b, "redrive", "--dry-run", "--limit", limit); got.Letters != want || got.Standing["redriven"] != want {
			t.Errorf("--limit %s: %+v, want %d letters", limit, got.Histogram, want)
		}
	}
	if got := dlqJSON[app.Redriven](t, b, "redrive", "--limit", "2"); got.Sent() != 2 {
		t.Errorf("sent %d, want 2", got.Sent())
	}
}

// A letter outlives what is remembered of its signal's ID: then a redrive may have it
// scored twice, and says so, before and after.
func TestDLQ_SaysWhatMayBeScoredTwice(t *testing.T) {
	t.Parallel()
	b := served(t, append(slices.Clone(mixedLines), `{"id":"d","name":"n","value":"text"}`)...)
	for _, c := range []struct {
		age  time.Duration
		args []string
		want string // in stdout; without it, that nothing is said
	}{
		{23 * time.Hour, []string{"--dry-run"}, ""},
		{25 * time.Hour, []string{"--dry-run"}, "\n4 of them older than PULSE_DEDUPE_WINDOW (24h0m0s): "},
		{25 * time.Hour, []string{"--dry-run", "--json"}, `"older_than_dedupe_window": 4`},
		{23 * time.Hour, []string{"--limit", "1"}, ""},
		{25 * time.Hour, []string{"--limit", "2"}, "\n2 of them older than PULSE_DEDUPE_WINDOW (24h0m0s): "},
		{25 * time.Hour, []string{"--json"}, `"older_than_dedupe_window": 1`},
	} {
		var stdout, stderr strings.Builder
		p := Process{
			Args: append([]string{"dlq", "redrive"}, c.args...), Environ: at(b), Stdout: &stdout, Stderr: &stderr,
			Now: func() time.Time { return time.Now().Add(c.age) },
		}
		code := Main(t.Context(), p)
		if said := strings.Contains(stdout.String(), "PULSE_DEDUPE_WINDOW"); code != 0 || !strings.Contains(stdout.String(), c.want) || c.want == "" && said {
			t.Errorf("%v later, %v: exit %d, %q, want %q\n%s", c.age, c.args, code, stdout.String(), c.want, stderr.String())
		}
	}
}
