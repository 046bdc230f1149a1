package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"pulse-scorer/internal/devbroker"
)

// hangGuard ends a test that would never end by itself; it is no measure of
// speed.
const hangGuard = 3 * time.Minute

// startBroker starts an embedded broker with these topics.
func startBroker(t *testing.T, topics ...devbroker.Topic) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start(devbroker.Settings{Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// at is an environment that works with a broker.
func at(b *devbroker.Broker, more ...string) []string {
	return append([]string{"PULSE_BROKERS=" + strings.Join(b.Addrs(), ","), "PULSE_HTTP_ADDR=127.0.0.1:0"}, more...)
}

// file writes lines to a new file, compressed when its name says so.
func file(t *testing.T, name string, lines ...string) string {
	t.Helper()
	content := []byte(strings.Join(lines, "\n") + "\n")
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(content); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		content = packed.Bytes()
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns the first n records of a topic, as a client of another make
// sees them.
func read(t *testing.T, b *devbroker.Broker, topic string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records of %s: %v", len(records), n, topic, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// running is a command that goes on until it is interrupted.
type running struct {
	stdout, stderr *watched
	cancel         context.CancelFunc
	code           chan int
}

func start(t *testing.T, environ []string, args ...string) *running {
	t.Helper()
	return startWith(t, strings.NewReader(""), environ, args...)
}

func startWith(t *testing.T, stdin io.Reader, environ []string, args ...string) *running {
	t.Helper()
	r := &running{stdout: newWatched(), stderr: newWatched(), code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	p := Process{Args: args, Environ: environ, Stdin: stdin, Stdout: r.stdout, Stderr: r.stderr, Now: time.Now, Version: "1.2.3"}
	go func() { r.code <- Main(ctx, p) }()
	t.Cleanup(cancel)
	return r
}

// await waits until the command has written text to stdout or stderr.
func (r *running) await(t *testing.T, text string) {
	t.Helper()
	patience := time.NewTimer(hangGuard)
	defer patience.Stop()
	for !strings.Contains(r.stdout.String()+r.stderr.String(), text) {
		select {
		case <-r.stdout.written:
		case <-r.stderr.written:
		case code := <-r.code:
			t.Fatalf("exit %d without %q\nstdout %s\nstderr %s", code, text, r.stdout, r.stderr)
		case <-patience.C:
			t.Fatalf("no %q\nstdout %s\nstderr %s", text, r.stdout, r.stderr)
		}
	}
}

// interrupt is Ctrl-C; it returns the exit code and how long that took.
func (r *running) interrupt(t *testing.T) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	r.cancel()
	select {
	case code = <-r.code:
		return code, time.Since(began)
	case <-time.After(hangGuard):
		t.Fatalf("does not end\nstderr %s", r.stderr)
		return 0, 0
	}
}

// watched is a writer that tells when it has been written to.
type watched struct {
	written chan struct{}
	mu      sync.Mutex // guards buf
	buf     bytes.Buffer
}

func newWatched() *watched { return &watched{written: make(chan struct{}, 1)} }

// Write implements io.Writer.
func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		select {
		case w.written <- struct{}{}:
		default:
		}
	}()
	return w.buf.Write(p)
}

// String returns what was written so far.
func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// commitOffset sets the group's offset from outside, while it has no members.
func commitOffset(t *testing.T, client *kgo.Client, partition int32, offset int64) {
	t.Helper()
	part := kmsg.NewOffsetCommitRequestTopicPartition()
	part.Partition, part.Offset = partition, offset
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = "pulse.signals", append(topic.Partitions, part)
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.Topics = "pulse-scorer", append(request.Topics, topic)
	response, err := request.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("commit offset %d: %v", offset, err)
	}
}
