package cli

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pulse-scorer/internal/learn"
	"pulse-scorer/schemas"
)

// A service that ends leaves a snapshot of each model that has learned, in a
// compacted topic, as the schema says; profile parity has none.
func TestServe_LeavesSnapshotsOfItsModels(t *testing.T) { //nolint:cyclop // one topic, looked at in many ways
	t.Parallel()
	b := served(t, variedLines(30)...)
	const topic = "pulse.signals.pulse-scorer.models"
	if got := b.TopicConfigs(topic); got["cleanup.policy"] != "compact" || len(b.EndOffsets(topic)) != 2 {
		t.Errorf("topic %v, ends %v", got, b.EndOffsets(topic))
	}
	want := 0
	for _, end := range b.EndOffsets(topic) {
		want += int(end)
	}
	if want == 0 {
		t.Fatal("no snapshot was written")
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schemas.Model()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("model.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("model.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range read(t, b, topic, want) {
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Value))
		if err == nil {
			err = schema.Validate(instance)
		}
		var s learn.Snapshot
		if err != nil || json.Unmarshal(r.Value, &s) != nil || s.Task != r.Partition || string(r.Key) != strconv.Itoa(int(r.Partition)) || s.Accuracy.Forecasts == 0 {
			t.Errorf("partition %d, key %s: %s: %v", r.Partition, r.Key, r.Value, err)
		}
	}
	_, states := topicsJSON(t, b, 0)
	models := 0
	for _, s := range states {
		if s.Role == "models" {
			models++
		}
	}
	parity := runWith(t.Context(), nil, at(b, "PULSE_PROFILE=parity"), commands(), "topics")
	if models != 1 || strings.Contains(parity.stdout, ".models") {
		t.Errorf("%d models topics; with parity %s", models, parity.stdout)
	}
}
