package broker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/internal/broker"
)

// An owner record that a newer release wrote names an owner whom this build
// cannot find and fence. It used to be tried again for ever; now the service
// ends and says which record it is and what to run.
func TestEngine_EndsAtAnOwnerRecordOfANewerFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key string
		open      bool
	}{
		{"of a transaction under way, when the task is taken", "\x00claim", true},
		{"of a committed batch, when the state is restored", "\x00owner", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			lab, _ := newControlledLab(t)
			writer, err := kgo.NewClient(kgo.SeedBrokers(lab.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
				kgo.TransactionalID("a-newer-release"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(writer.Close)
			if err := writer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			record := &kgo.Record{Topic: lab.topics.State, Key: []byte(c.key), Value: []byte(`{"v":2,"owner":"pulse-x","seq":1,"next":{}}`)}
			if err := writer.ProduceSync(ctx, record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if !c.open {
				if err := writer.EndTransaction(ctx, kgo.TryCommit); err != nil {
					t.Fatal(err)
				}
			}
			err = <-lab.run(ctx, t)
			if !errors.Is(err, broker.ErrFatal) || ctx.Err() != nil {
				t.Fatalf("ended with %v, want a fatal error", err)
			}
			for _, want := range []string{"state of task 0 at offset 0", "format version 2, this build reads version 1 only", "run the release that wrote it"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}
