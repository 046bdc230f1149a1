package brokertest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/pipeline"
)

// onceInOrder: everything exactly once, in order; a second engine continues
// with the first one's state; nothing of it is lag.
func onceInOrder(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	first := b.start()
	b.send(b.plain(4000)...)
	b.verify()
	first.awaitMetric("pulse_consumer_lag_records", 0)
	first.awaitMetric("pulse_consumer_lag_seconds", 0)
	eventually(t, func() string {
		_, series := first.metric("pulse_consumer_lag_records")
		return differ("series of lag, one for each partition", []int{series}, []int{int(b.tasks)})
	})
	first.stop()
	second := b.start()
	b.verifyRestored(second, judgement{})
	if n, _ := second.metric("pulse_offset_mismatches_total"); n != 0 {
		t.Errorf("%v offset mismatches after a plain restart", n)
	}
	b.send(b.plain(400)...)
	b.verify()
}

// oneAfterTheOther: transactions that follow each other at once all end as
// asked, although a broker that writes the last one's markers refuses the next.
func oneAfterTheOther(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2})
	w := b.start(func(s *broker.Settings) { s.CommitInterval = time.Millisecond })
	b.send(b.plain(20)...)
	b.awaitCommitted()
	settled, ended, opened := w.transactions("settled"), w.transactions("committed"), w.network.sent(addPartitionsToTxn)
	eventually(t, func() string {
		b.send(b.plain(200)...)
		if n := w.transactions("committed") - ended; n < 20 {
			return fmt.Sprintf("%d transactions, want 20", n)
		} else if asked := w.network.sent(addPartitionsToTxn) - opened; c.AnswersConcurrentTransactions && asked <= n {
			return "no transaction was refused at first: the test proves nothing"
		}
		return ""
	})
	b.verify()
	if n := w.transactions("settled") - settled; n != 0 {
		t.Errorf("%d transactions did not end as asked", n)
	}
}

// recordShapes: what a record consists of arrives as it was sent.
func recordShapes(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 2, input: largeRecords(), deadLetter: largeRecords()})
	w := b.start()
	large := &kgo.Record{Key: []byte("2 MiB"), Value: []byte(asksDeadLetter + noise(1, 2<<20))}
	b.send(
		&kgo.Record{Value: []byte("null key")},
		&kgo.Record{Key: []byte{}, Value: []byte("empty key")},
		&kgo.Record{Key: []byte("null value")},
		&kgo.Record{Key: []byte("empty value"), Value: []byte{}},
		&kgo.Record{},
		&kgo.Record{Key: []byte("headers"), Value: []byte("x"), Headers: []kgo.RecordHeader{
			{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("again")}, {Key: "null"}, {Key: "empty", Value: []byte{}}, {Key: "", Value: []byte{0, 255}},
		}},
		&kgo.Record{Key: []byte{0, 0xff, '\n'}, Value: []byte{0xff, 0xfe, 0}},
		large,
	)
	// Over the broker's limit as it is, below it when compressed.
	zip := b.newClient(kgo.ProducerBatchCompression(kgo.GzipCompression()))
	ten := &kgo.Record{Partition: 1, Key: []byte("10 MiB"), Value: bytes.Repeat([]byte("compressible "), 10<<20/13)}
	b.sendWith(zip, ten)
	b.expect(ten)
	b.send(&kgo.Record{Partition: 1, Value: []byte("goes on")})
	b.verify()
	letters := b.read(b.topology.DeadLetters)[0]
	if len(letters) != 1 || sha256.Sum256(letters[0].Value) != sha256.Sum256(large.Value) {
		t.Errorf("the dead letter of 2 MiB is not byte for byte what was sent: %d letters", len(letters))
	}
	w.stop()
}

// withheld is what a record path is told of a value that cannot be held.
func withheld(value []byte) *pipeline.Withheld {
	return &pipeline.Withheld{Size: int64(len(value)), SHA256: sha256.Sum256(value)}
}

// withheldRecords: a value larger than what may be in memory is described and
// passed by.
func withheldRecords(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{tasks: 1, input: largeRecords()})
	zip := b.newClient(kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	ten := &kgo.Record{Key: []byte("10 MiB"), Value: bytes.Repeat([]byte("compressible "), 10<<20/13)}
	b.sendWith(zip, &kgo.Record{Key: []byte("k"), Value: []byte("before")}, ten, &kgo.Record{Key: []byte("k"), Value: []byte("after")})
	b.inputs = b.readInput()
	b.start(func(s *broker.Settings) { s.MaxInflightBytes = 16 << 20 })
	b.judge(judgement{withheld: map[int32][]int64{0: {1}}})
}

// readInput reads the input topic back, as it must be processed.
func (b *bundle) readInput() map[int32][]*kgo.Record { b.t.Helper(); return b.read(b.topology.Input) }

// inputCompressions: every codec that producers use.
func inputCompressions(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	b.start()
	for i, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		client := b.newClient(kgo.ProducerBatchCompression(codec))
		records := b.plain(400)
		for n, r := range records {
			r.Value = fmt.Appendf(nil, "codec %d %s %d", i, strings.Repeat("compressible ", n%50), n)
		}
		b.sendWith(client, records...)
		b.expect(records...)
	}
	b.verify()
	seen := make(map[uint8]bool)
	for _, records := range b.readInput() {
		for _, r := range records {
			seen[r.Attrs.CompressionType()] = true
		}
	}
	if len(seen) != 5 {
		t.Errorf("the input has batches of %d codecs, want 5: %v", len(seen), seen)
	}
}

// outputCompressions: every codec that the service can be set to.
func outputCompressions(t *testing.T, c Cluster) {
	for _, codec := range []batch.Compression{batch.None, batch.LZ4, batch.Zstd} {
		b := newBundle(t, c, layout{tasks: 2})
		b.send(b.plain(400)...)
		w := b.start(func(s *broker.Settings) { s.Compression = codec })
		b.verify()
		for _, r := range b.read(b.topology.Results)[0][:1] {
			if got := r.Attrs.CompressionType(); got != uint8(codec) {
				t.Errorf("results are compressed with codec %d, want %d", got, codec)
			}
		}
		w.stop()
	}
}

// connectionsCut: connections that a broker's restart or an idle limit closes
// are made anew, and nothing is lost or doubled.
func connectionsCut(t *testing.T, c Cluster) {
	b := newBundle(t, c, layout{})
	w := b.start()
	for range 5 {
		b.send(b.plain(200)...)
		w.network.cut()
		b.send(b.plain(200)...)
		b.awaitCommitted()
		w.network.cut()
	}
	b.verify()
}
