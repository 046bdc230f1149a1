//go:build integration

package integration_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"pulse-scorer/integration/kafkatest"
)

// What judges the others must see every kind of fault itself.
func TestLedger_SeesWhatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	lab := newLab(ctx, t, kafkatest.Brokers(t), kafkatest.Name("ledger"), 1)
	signal := func(id string) *kgo.Record {
		return &kgo.Record{Topic: lab.topics.Input, Value: fmt.Appendf(nil, `{"source":"s","id":%q}`, id)}
	}
	poisoned := func() *kgo.Record { return &kgo.Record{Topic: lab.topics.Input, Value: []byte(poison)} }
	result := func(id string, offset int) *kgo.Record {
		return &kgo.Record{Topic: lab.topics.Results, Value: fmt.Appendf(nil, `{"source":"s","id":%q,"input":{"partition":0,"offset":%d}}`, id, offset)}
	}
	letter := &kgo.Record{Topic: lab.topics.DeadLetters, Headers: []kgo.RecordHeader{
		{Key: "__dlq.errors.partition", Value: []byte("0")}, {Key: "__dlq.errors.offset", Value: []byte("5")},
	}}
	for _, r := range []*kgo.Record{
		signal("whole"), signal("whole"), signal("twice by offset"), signal("lost"), signal("twice by ID"), signal("dead"), signal("twice by ID"),
		poisoned(), poisoned(),
		result("whole", 0), result("twice by offset", 2), result("twice by offset", 2), result("twice by ID", 4), result("twice by ID", 6), result("stray", 99), letter,
		result("of poison", 7),
	} {
		if err := lab.client.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
	}
	book := lab.account(ctx, t)
	if got, want := book.total(), (ledgerRow{in: 9, scored: 4, duplicate: 1, dead: 1, lost: 2, doubled: 1, committed: -1, end: 9}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	said := strings.Join(book.faults, "\n")
	for _, want := range []string{
		"partition 0 offset 2: 2 results and 0 dead letters", "partition 0 offset 3: no outcome", "dead letter of partition 0 offset 5",
		"signal s/twice by ID has 2 results", "input offset 99 of partition 0, which there is not", "committed offset -1, end of the input 9",
		"poisoned record of partition 0 offset 7 has a result", "partition 0 offset 8: no outcome",
		"the result of input offset 7 stands behind that of 99",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the ledger does not say %q; it says:\n%s", want, said)
		}
	}
}
