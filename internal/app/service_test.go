package app

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/config"
	"pulse-scorer/internal/devbroker"
	"pulse-scorer/internal/ops"
)

func TestService_ScoresWhatIsProduced(t *testing.T) {
	t.Parallel()
	b, err := devbroker.Start(devbroker.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	c, err := config.Load([]string{"PULSE_BROKERS=" + b.Addrs()[0], "PULSE_HTTP_ADDR=127.0.0.1:0"}, config.NeedBrokers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewService(t.Context(), c, Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Build: ops.ReadBuild("test"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.ConsumeTopics("pulse.signals.scored"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i := range 1000 {
		name := fmt.Sprintf("s%d", i%10)
		cl.Produce(ctx, &kgo.Record{Topic: "pulse.signals", Key: []byte(name), Value: fmt.Appendf(nil, `{"id":"%d","name":"%s","value":%d,"source":"t"}`, i, name, i)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	n := 0
	for n < 1000 && ctx.Err() == nil {
		f := cl.PollFetches(ctx)
		f.EachRecord(func(r *kgo.Record) {
			if n < 2 {
				t.Log(string(r.Value))
			}
			n++
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
