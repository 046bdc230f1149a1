package broker

import (
	"strings"
	"testing"
	"time"
)

// What waits in a topic of ours must not be deleted before the contract says:
// a shorter retention is refused with what is, what must be and the command
// that mends it.
func TestRules_RefuseARetentionThatDeletesWhatWaits(t *testing.T) {
	t.Parallel()
	const month, day = "2592000000", "86400000"
	for name, c := range map[string]struct {
		role   string
		config map[string]string
		faults []string // parts of the one fault
		warns  int
	}{
		"dead letters for a month":       {roleDead, map[string]string{configRetention: month, configCleanup: "delete"}, nil, 0},
		"dead letters for ever":          {roleDead, map[string]string{configRetention: "-1"}, nil, 0},
		"dead letters for longer":        {roleDead, map[string]string{configRetention: "9223372036854775807"}, nil, 0},
		"dead letters a ms too short":    {roleDead, map[string]string{configRetention: "2591999999"}, []string{"2591999999", month, "30 days"}, 0},
		"dead letters for a day":         {roleDead, map[string]string{configRetention: day}, []string{"1 days", "30 days", "kafka-configs.sh --bootstrap-server k1:9092,k2:9092 --alter --entity-type topics --entity-name topic --add-config retention.ms=" + month}, 0},
		"dead letters by size, too":      {roleDead, map[string]string{configRetention: month, configRetentionBytes: "1000"}, nil, 1},
		"dead letters compacted":         {roleDead, map[string]string{configCleanup: "compact"}, []string{"compact", "cleanup.policy=delete"}, 0},
		"results are their readers'":     {roleResults, map[string]string{configRetention: "1", configRetentionBytes: "1"}, nil, 0},
		"input is its producers'":        {roleInput, map[string]string{configRetention: "1"}, nil, 0},
		"input by size cannot be warned": {roleInput, map[string]string{configRetentionBytes: "1"}, nil, 1},
		"input compacted":                {roleInput, map[string]string{configCleanup: "compact"}, nil, 1},
		"state is compacted":             {roleState, map[string]string{configCleanup: "compact", configRetention: "1", configRetentionBytes: "1"}, nil, 0},
		"models are compacted":           {roleModels, map[string]string{configCleanup: "compact"}, nil, 0},
		"models that pile up":            {roleModels, map[string]string{configCleanup: "delete"}, nil, 1},
		"tier for delay and a week":      {roleRetry, map[string]string{configRetention: "605400000", configTimestamp: "LogAppendTime"}, nil, 0},
		"tier a ms too short":            {roleRetry, map[string]string{configRetention: "605399999", configTimestamp: "LogAppendTime"}, []string{"605399999", "605400000"}, 0},
		"tier by size, too":              {roleRetry, map[string]string{configRetentionBytes: "1", configTimestamp: "LogAppendTime"}, nil, 1},
		"tier compacted":                 {roleRetry, map[string]string{configCleanup: "compact", configTimestamp: "LogAppendTime"}, []string{"compact", "cleanup.policy=delete"}, 0},
		"tier with the producers' time":  {roleRetry, map[string]string{configTimestamp: "CreateTime"}, []string{"CreateTime", "message.timestamp.type=LogAppendTime"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &TopicState{Role: c.role, Name: "topic", Exists: true, Partitions: 4, delay: 10 * time.Minute}
			c.config[configSize] = "9000000"
			rules{s, []string{"k1:9092", "k2:9092"}, c.config}.check(4, 1<<20)
			if len(s.Faults) != min(1, len(c.faults)) || len(s.Warnings) != c.warns {
				t.Fatalf("faults %q, warnings %q", s.Faults, s.Warnings)
			}
			for _, part := range c.faults {
				if !strings.Contains(s.Faults[0], part) {
					t.Errorf("fault %q does not say %q", s.Faults[0], part)
				}
			}
		})
	}
}

// Internal topics follow the input; the results are never changed; nothing can
// shrink.
func TestRules_PartitionsFollowTheInput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		role       string
		partitions int
		grow       int
		fault      string
	}{
		{roleState, 4, 0, ""},
		{roleState, 3, 4, ""},
		{roleDead, 1, 4, ""},
		{roleRetry, 1, 4, ""},
		{roleModels, 1, 4, ""},
		{roleModels, 9, 0, ""},
		{roleState, 5, 0, "cannot be taken away"},
		{roleResults, 3, 0, "kafka-topics.sh --bootstrap-server k:1 --alter --topic topic --partitions 4"},
		{roleResults, 5, 0, "cannot be taken away"},
	} {
		s := &TopicState{Role: c.role, Name: "topic", Exists: true, Partitions: c.partitions}
		rules{s, []string{"k:1"}, nil}.checkPartitions(4)
		said := strings.Join(s.Faults, " ")
		if s.Grow != c.grow || (said == "") != (c.fault == "") || !strings.Contains(said, c.fault) {
			t.Errorf("%s with %d of 4 partitions: grow to %d, faults %q", c.role, c.partitions, s.Grow, s.Faults)
		}
	}
}
