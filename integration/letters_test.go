//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
	"pulse-scorer/internal/app"
	"pulse-scorer/internal/deadletter"
)

var letterCount = flag.Int("letters", 300, "how many dead letters TestLetters deals with")

// What becomes of a signal of TestLetters, by the last digit of its ID. Nine of ten
// are dead letters.
const (
	repeated  = 0 // rejected, and sent again by upstream before it is redriven
	rejected  = 4 // up to here: by the enricher
	exhausted = 7 // up to here: unavailable until the tiers are used up
	poisoned  = 8 // can never be scored
	kinds     = 10
	maxRounds = 3 // the default of --max-redrives
)

// letterSignal is a signal of one of the kinds.
func letterSignal(l *lab, id int) *kgo.Record {
	value := fmt.Sprintf("%d.5", id)
	if id%kinds == poisoned {
		value = `"` + poison + `"`
	}
	partition := id / kinds % l.partitions
	name := fmt.Sprintf("series-%d", partition)
	return &kgo.Record{
		Topic: l.topics.Input, Partition: int32(partition), Key: []byte(name),
		Value: fmt.Appendf(nil, `{"id":"%d","name":%q,"value":%s,"source":"s%d"}`, id, name, value, id%2),
	}
}

// correspondence is the lab of TestLetters.
type correspondence struct {
	*lab

	program string
	enrich  *stub
	healed  atomic.Bool
	worker  *worker
	signals int
	byKind  [kinds]int
	rate    int
}

// Dead letters by the thousand are listed, filtered, counted and sent back at a rate,
// by a redrive that is interrupted, one that is killed inside its transaction, and one
// that ends; then there is nothing more to send. Whoever was scored meanwhile is not
// scored again, what can never be scored goes round three times, and the ledger balances
// throughout.
func TestLetters(t *testing.T) { //nolint:paralleltest // measures when it is asked to
	if !*timed {
		t.Parallel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), retriesHangGuard)
	defer cancel()
	c := newCorrespondence(ctx, t, newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("letters"), chaosPartitions))
	c.look(ctx, t)
	again := c.repeat(ctx, t)
	c.interrupt(ctx, t)
	c.settle(ctx, t, again)
	c.goRound(ctx, t)
	c.worker.drain(ctx, t)
	c.judge(ctx, t)
	c.expectAudit(ctx, t)
}

// newCorrespondence makes the letters.
func newCorrespondence(ctx context.Context, t *testing.T, l *lab) *correspondence {
	t.Helper()
	c := &correspondence{
		lab: l, program: buildWorker(ctx, t), enrich: startStub(t, 0), rate: max(100, *letterCount/10),
	}
	c.env = []string{"PULSE_RETRY_DELAYS=100ms,200ms,300ms,400ms"}
	c.enrich.fail(func(q question) int {
		id, err := strconv.Atoi(q.id)
		switch {
		case err != nil, c.healed.Load(), id%kinds > exhausted:
			return http.StatusOK
		case id%kinds <= rejected:
			return http.StatusUnprocessableEntity
		default:
			// Not an outage: it is there, and wants less.
			return http.StatusTooManyRequests
		}
	})
	for c.letters() < *letterCount {
		c.byKind[c.signals%kinds]++
		c.signals++
	}
	c.send(ctx, t, func(int) bool { return true })
	c.worker = c.startAsking(t, c.program, "A", c.enrich)
	c.worker.awaitValue(ctx, t, float64(c.letters()), "pulse_dead_letters_total")
	return c
}

// letters is how many signals are dead letters at first.
func (c *correspondence) letters() int {
	n := 0
	for _, count := range c.byKind[:poisoned+1] {
		n += count
	}
	return n
}

// of counts signals of kinds.
func (c *correspondence) of(from, to int) int {
	n := 0
	for _, count := range c.byKind[from : to+1] {
		n += count
	}
	return n
}

// send produces the signals that are meant, and returns how many they are.
func (c *correspondence) send(ctx context.Context, t *testing.T, meant func(id int) bool) int {
	t.Helper()
	n := 0
	for id := range c.signals {
		if meant(id) {
			c.client.Produce(ctx, letterSignal(c.lab, id), nil)
			n++
		}
	}
	if err := c.client.Flush(ctx); err != nil {
		t.Fatalf("produce: %v", err)
	}
	return n
}

// ask runs a command of dlq and reads its JSON.
func ask[T any](ctx context.Context, t *testing.T, l *lab, args ...string) T {
	t.Helper()
	code, stdout, stderr := l.command(ctx, t, append([]string{"dlq"}, append(args, "--json")...)...)
	var got T
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		t.Fatalf("dlq %v: exit %d: %v\n%.2000s\n%s", args, code, err, stdout, stderr)
	}
	return got
}

// look lists, filters and counts.
func (c *correspondence) look(ctx context.Context, t *testing.T) {
	t.Helper()
	type row struct{ ID, Class, Stage, Source, Standing string }
	c.awaitMarkers(ctx, t, c.topics.DeadLetters) // a marker has an offset
	before := c.ends(ctx, t, c.topics.DeadLetters)
	began := time.Now()
	all := ask[[]row](ctx, t, c.lab, "list")
	t.Logf("%d letters listed in %v", len(all), time.Since(began).Round(time.Millisecond))
	if len(all) != c.letters() {
		t.Errorf("%d letters are listed, want %d", len(all), c.letters())
	}
	some := ask[[]row](ctx, t, c.lab, "list", "--class", "enricher_rejected", "--source", "s0", "--stage", "enrich")
	want := 0
	for kind := 0; kind <= rejected; kind += 2 {
		want += c.byKind[kind] // an even ID has the source s0
	}
	for _, r := range some {
		if r.Class != "enricher_rejected" || r.Source != "s0" || r.Standing != "open" {
			t.Errorf("the filter lets %+v through", r)
		}
	}
	if len(some) != want {
		t.Errorf("%d letters fit, want %d", len(some), want)
	}
	h := ask[deadletter.Histogram](ctx, t, c.lab, "redrive", "--dry-run")
	classes := map[string]uint64{
		"enricher_rejected": uint64(c.of(0, rejected)), "retries_exhausted": uint64(c.of(rejected+1, exhausted)), "invalid_field": uint64(c.byKind[poisoned]),
	}
	stages := map[string]uint64{"enrich": uint64(c.of(0, exhausted)), "decode": uint64(c.byKind[poisoned])}
	ages := uint64(0)
	for _, n := range h.Age {
		ages += n
	}
	if !maps.Equal(h.Class, classes) || !maps.Equal(h.Stage, stages) || ages != uint64(c.letters()) || h.Standing["redriven"] != ages {
		t.Errorf("the dry run counts %+v, want classes %v and stages %v", h, classes, stages)
	}
	if after := c.ends(ctx, t, c.topics.DeadLetters); after != before {
		t.Errorf("looking has written %d records", after-before)
	}
}

// awaitMarkers waits until no transaction is open in a topic: a commit is acknowledged
// before its markers are written.
func (l *lab) awaitMarkers(ctx context.Context, t *testing.T, topic string) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		for p := range int32(l.partitions) {
			if stable, end := l.stable(ctx, t, topic, p), l.end(ctx, t, topic, p); stable != end {
				return fmt.Sprintf("%s-%d is stable up to %d of %d", topic, p, stable, end)
			}
		}
		return ""
	})
}

// awaitSettled waits until all that a redrive has sent can be seen.
func (c *correspondence) awaitSettled(ctx context.Context, t *testing.T) {
	t.Helper()
	c.awaitMarkers(ctx, t, c.topics.Input)
	c.awaitMarkers(ctx, t, c.tier(1))
}

// ends is where a topic ends, over all partitions.
func (l *lab) ends(ctx context.Context, t *testing.T, topic string) int64 {
	t.Helper()
	sum := int64(0)
	for p := range int32(l.partitions) {
		sum += l.end(ctx, t, topic, p)
	}
	return sum
}

// repeat has the enricher answer from now on, and upstream send some of the dead again.
func (c *correspondence) repeat(ctx context.Context, t *testing.T) int {
	t.Helper()
	c.healed.Store(true)
	scored := c.worker.value(ctx, t, "pulse_records_total", `outcome="scored"`)
	n := c.send(ctx, t, func(id int) bool { return id%kinds == repeated })
	c.worker.awaitValue(ctx, t, scored+float64(n), "pulse_records_total", `outcome="scored"`)
	return n
}

// healable are the filters for what an enricher has made dead.
func healable() []string {
	return []string{"--class", "enricher_rejected", "--class", "retries_exhausted"}
}

// toHeal is how many letters that are.
func (c *correspondence) toHeal() int { return c.of(0, exhausted) }

// startRedrive runs dlq redrive as a process of its own.
func (c *correspondence) startRedrive(t *testing.T, name string) (*worker, *bytes.Buffer) {
	t.Helper()
	args := append([]string{"dlq", "redrive", "--json", "--rate", strconv.Itoa(c.rate)}, healable()...)
	cmd := exec.Command(c.program, args...) //nolint:noctx // it is killed in its own way
	var out, said bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = c.environ(), &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a redrive: %v", err)
	}
	w := &worker{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		_ = cmd.Wait() // the state is asked for where it matters
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-w.done
		if t.Failed() {
			t.Logf("redrive %s: %v\n%s", name, cmd.ProcessState, said.String())
		}
	})
	return w, &out
}

// interrupt ends one redrive by Ctrl-C and one by kill -9 inside a transaction, each
// after it has sent something and before it has sent all.
func (c *correspondence) interrupt(ctx context.Context, t *testing.T) {
	t.Helper()
	first, out := c.startRedrive(t, "that is interrupted")
	c.awaitSent(ctx, t, first, c.toHeal()/5)
	first.signal(t, syscall.SIGINT)
	<-first.done
	c.awaitSettled(ctx, t)
	var done app.Redriven
	if err := json.Unmarshal(out.Bytes(), &done); err != nil || first.cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("interrupted: %v: %v\n%s", first.cmd.ProcessState, err, out)
	}
	if sent := c.sentBack(ctx, t); uint64(len(sent)) != done.Sent() || len(sent) >= c.toHeal() {
		t.Errorf("the interrupted redrive says that it has sent %d, there are %d of %d", done.Sent(), len(sent), c.toHeal())
	}
	t.Logf("Ctrl-C: exit 1 after %d letters", done.Sent())

	second, _ := c.startRedrive(t, "that is killed")
	c.awaitSent(ctx, t, second, c.toHeal()*2/5)
	evidence := c.freezeRedrive(ctx, t, second)
	second.kill(t)
	sent := len(c.sentBack(ctx, t))
	if sent >= c.toHeal() {
		t.Error("the redrive was over before it was killed")
	}
	t.Logf("kill -9: %s, after %d letters", evidence, sent)
}

// awaitSent waits until so many letters have been sent back.
func (c *correspondence) awaitSent(ctx context.Context, t *testing.T, w *worker, n int) {
	t.Helper()
	awaitThat(ctx, t, func() string {
		select {
		case <-w.done:
			t.Fatalf("the redrive %s has ended: %v", w.name, w.cmd.ProcessState)
		default:
		}
		if got := len(c.sentBack(ctx, t)); got < n {
			return fmt.Sprintf("%d letters are sent back, want %d", got, n)
		}
		return ""
	})
}

// freezeRedrive stops a redrive while its transaction is open, and returns the proof.
func (c *correspondence) freezeRedrive(ctx context.Context, t *testing.T, w *worker) string {
	t.Helper()
	pause := time.NewTicker(3 * time.Millisecond)
	defer pause.Stop()
	for {
		w.freeze(ctx, t)
		state, since, partitions := c.transactionState(ctx, t, app.RedriveGroup(c.group))
		if state == ongoing && partitions > 0 {
			// What was on its way when the process stopped has arrived by now.
			<-pause.C
			if again, same, _ := c.transactionState(ctx, t, app.RedriveGroup(c.group)); again == ongoing && same == since {
				return fmt.Sprintf("transaction %s over %d partitions", state, partitions)
			}
		}
		w.signal(t, sigcont)
		select {
		case <-pause.C:
		case <-w.done:
			t.Fatalf("the redrive has ended before it was found inside a transaction: %v", w.cmd.ProcessState)
		}
	}
}

// sent is a letter on its way back.
type sent struct {
	id    string
	count int
}

// sentBack counts what a read_committed reader sees of letters that were sent back, in
// the input and in the first tier.
func (c *correspondence) sentBack(ctx context.Context, t *testing.T) map[sent]int {
	t.Helper()
	found := make(map[sent]int)
	for _, topic := range []string{c.topics.Input, c.tier(1)} {
		c.eachSent(ctx, t, topic, func(s sent, _ *kgo.Record) { found[s]++ })
	}
	return found
}

func (c *correspondence) eachSent(ctx context.Context, t *testing.T, topic string, do func(sent, *kgo.Record)) {
	t.Helper()
	c.settled(ctx, t, topic, func(r *kgo.Record) {
		for _, h := range r.Headers {
			if h.Key != "pulse-redrive-count" {
				continue
			}
			_, id, _ := strings.Cut(identity(r.Value), "/")
			n, err := strconv.Atoi(string(h.Value))
			if err != nil {
				t.Errorf("redrive count of signal %s: %v", id, err)
			}
			// In the tier a retry of what was sent back keeps its count.
			if r.Topic == c.topics.Input || !retried(r) {
				do(sent{id, n}, r)
			}
		}
	})
}

// retried tells a record that the service has put into a tier from one that was sent
// back: that one is due when it is written.
func retried(r *kgo.Record) bool {
	due := int64(0)
	for _, h := range r.Headers {
		if h.Key == "pulse-retry-not-before" {
			due, _ = strconv.ParseInt(string(h.Value), 10, 64)
		}
	}
	return due > r.Timestamp.UnixMilli()
}

// settle runs a redrive to its end, and one more, which finds nothing to send.
func (c *correspondence) settle(ctx context.Context, t *testing.T, again int) {
	t.Helper()
	before := len(c.sentBack(ctx, t))
	third, out := c.startRedrive(t, "that ends")
	began := time.Now()
	<-third.done
	took := time.Since(began)
	c.awaitSettled(ctx, t)
	var done app.Redriven
	if err := json.Unmarshal(out.Bytes(), &done); err != nil || third.cmd.ProcessState.ExitCode() != 0 {
		t.Fatalf("redrive: %v: %v\n%s", third.cmd.ProcessState, err, out)
	}
	all := c.sentBack(ctx, t)
	for s, n := range all {
		if n != 1 || s.count != 1 {
			t.Errorf("letter of signal %s was sent back %d times, with count %d", s.id, n, s.count)
		}
	}
	if len(all) != c.toHeal() || done.Sent() != uint64(c.toHeal()-before) || done.Filtered == 0 {
		t.Errorf("%d letters were sent back, the last %d by a redrive that says %d; want %d", len(all), len(all)-before, done.Sent(), c.toHeal())
	}
	rate := float64(done.Sent()) / took.Seconds()
	t.Logf("redriven at --rate %d: %d letters in %v, %.0f a second, in %d transactions", c.rate, done.Sent(), took.Round(10*time.Millisecond), rate, done.Transactions)
	// The first batch, a quarter of a second's, goes at once.
	if most := float64(c.rate) * (took.Seconds() + 0.25); float64(done.Sent()) > most {
		t.Errorf("%d letters in %v, want at most %d a second", done.Sent(), took, c.rate)
	}
	// What was scored meanwhile is a duplicate, once for each letter.
	c.worker.awaitValue(ctx, t, float64(again), "pulse_records_total", `outcome="duplicate"`)
	c.awaitResults(ctx, t, c.signals-c.byKind[poisoned])
	if twice := ask[app.Redriven](ctx, t, c.lab, append([]string{"redrive"}, healable()...)...); twice.Sent() != 0 {
		t.Errorf("a redrive after the redrive sends %d", twice.Sent())
	}
}

// goRound redrives what can never be scored until nothing is sent any more.
func (c *correspondence) goRound(ctx context.Context, t *testing.T) {
	t.Helper()
	poison := c.byKind[poisoned]
	dead := c.letters()
	for round := 1; ; round++ {
		c.worker.awaitValue(ctx, t, float64(dead), "pulse_dead_letters_total")
		done := ask[app.Redriven](ctx, t, c.lab, "redrive")
		if round > maxRounds {
			if done.Sent() != 0 || done.Held[deadletter.HeldTooOften.String()] != uint64(poison) {
				t.Errorf("after %d rounds %d are sent and %v held, want %d held", maxRounds, done.Sent(), done.Held, poison)
			}
			return
		}
		if done.ToInput != uint64(poison) || done.ToTier != 0 {
			t.Fatalf("round %d sends %d to the input and %d to a tier, want %d to the input", round, done.ToInput, done.ToTier, poison)
		}
		dead += poison
	}
}

// judge compares the topics with what must have become of each signal.
func (c *correspondence) judge(ctx context.Context, t *testing.T) {
	t.Helper()
	results, letters := make(map[string]int), make(map[string]int)
	c.eachResult(ctx, t, func(r scoredTry) { results[r.ID]++ })
	c.each(ctx, t, c.topics.DeadLetters, func(r *kgo.Record) {
		if !slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "pulse-dlq-mark" }) {
			_, id, _ := strings.Cut(identity(r.Value), "/")
			letters[id]++
		}
	})
	wrong := 0
	for id := range c.signals {
		want := [2]int{1, 1}
		switch kind := id % kinds; {
		case kind == poisoned:
			want = [2]int{0, 1 + maxRounds}
		case kind > poisoned:
			want = [2]int{1, 0}
		}
		if got := [2]int{results[strconv.Itoa(id)], letters[strconv.Itoa(id)]}; got != want {
			if wrong++; wrong <= mostFaults {
				t.Errorf("signal %d has %d results and %d letters, want %v", id, got[0], got[1], want)
			}
		}
	}
	t.Logf("%d signals: %d results, %d letters, %d wrong", c.signals, len(results), len(letters), wrong)
}
