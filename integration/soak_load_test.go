//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// soakSeries is how many series have signals, and soakForecasts how many have forecasts:
// so few that windows of 50 and memories of 100 are full early, and do not look like a leak.
const (
	soakSeries    = 200
	soakForecasts = 10
)

// soakRecords are signals of which one in a hundred is a
// repetition, one in a thousand is none, and one in ten is a forecast.
func (l *lab) soakRecords(from, n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		id := from + i
		series, more := id%soakSeries, ""
		if id%10 == 3 {
			series, more = soakSeries+id/10%soakForecasts, `,"forecast":{"symbolic_change":{"hope":0.1}},"confidence":0.6`
		}
		said := id
		if id%1000 >= 990 {
			said = id - soakSeries // the same series, and no repetition itself
		}
		name := "series-" + strconv.Itoa(series)
		value := fmt.Sprintf(`{"id":"%d","name":%q,"value":%d,"source":"soak"%s}`, said, name, said%977, more)
		if id%1000 == 500 {
			value = "nonsense"
		}
		records[i] = &kgo.Record{Topic: l.topics.Input, Partition: int32(series % l.partitions), Key: []byte(name), Value: []byte(value)}
	}
	return records
}

// fullBacklog is what a worker under full load has before it at each look, in records: more
// than it can do until the next one. soakChunk is what is sent at once.
const (
	fullBacklog = 400_000
	soakChunk   = 20_000
)

// keepLittle has the broker delete what has been read, so that hours of full load fit a disk.
func (l *lab) keepLittle(ctx context.Context, t *testing.T) {
	t.Helper()
	changes := []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.bytes", Value: new(strconv.Itoa(512 << 20))},
		{Op: kadm.SetConfig, Name: "segment.bytes", Value: new(strconv.Itoa(64 << 20))},
	}
	answers, err := kadm.NewClient(l.client).AlterTopicConfigs(ctx, changes, l.topics.Input, l.topics.Results)
	if err != nil {
		t.Fatalf("let topics keep little: %v", err)
	}
	for _, answer := range answers {
		if answer.Err != nil {
			t.Fatalf("let %s keep little: %v", answer.Name, answer.Err)
		}
	}
}

// soak sends for as long as the test says, looks at the worker once in a while, and
// returns how many records it has sent.
func (l *lab) soak(ctx context.Context, t *testing.T, s *sampler) (sent int) {
	t.Helper()
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	next := time.Duration(0)
	for time.Since(s.began) < *soakFor {
		due := int(time.Since(s.began).Seconds() * float64(*soakRate))
		if *soakRate == 0 {
			due = int(s.last().done) + fullBacklog
		}
		for n := min(soakChunk, due-sent); n > 0; n = min(soakChunk, due-sent) {
			if err := l.client.ProduceSync(ctx, l.soakRecords(sent, n)...).FirstErr(); err != nil {
				t.Fatalf("produce: %v", err)
			}
			sent += n
		}
		if time.Since(s.began) >= next {
			s.take(ctx, t)
			next = time.Since(s.began) + s.every()
		}
		<-pace.C
	}
	return sent
}

// last is the last look, none before the first.
func (s *sampler) last() sample {
	if len(s.taken) == 0 {
		return sample{}
	}
	return s.taken[len(s.taken)-1]
}
