package broker

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The formats of version 1, as the first release wrote them, are in the suite's
// testdata, whose hand-made members speak them. What this build writes must be the
// same bytes, and what they say must be read: members of both builds share a group
// during an update, and a task's state outlives it.
func TestFormats_AreThoseOfVersion1(t *testing.T) {
	t.Parallel()
	golden := func(name string, args ...any) string {
		text, err := os.ReadFile(filepath.Join("brokertest", "testdata", "format-v1", name))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(strings.TrimSuffix(string(text), "\n"), args...)
	}
	owner := ownerRecord{Owner: "g-1", Sequence: 7, Next: map[string]int64{"in": 9}}
	for _, c := range []struct {
		name, got, want string
	}{
		{"member", string(encodeMetadata(memberMetadata{Version: metadataVersion, TxnID: "g-1", Generation: 3, Tasks: []int32{0, 5}})), golden("member.json", "g-1", 3, "[0,5]")},
		{"new member", string(encodeMetadata(memberMetadata{Version: metadataVersion, TxnID: "g-1", Generation: -1})), golden("member.json", "g-1", -1, "null")},
		{"assignment", string(encodeMetadata(assignmentMetadata{Version: metadataVersion, TxnIDs: []string{"g-1", "g-2"}})), golden("assignment.json", `["g-1","g-2"]`)},
		{"owner record", string(owner.encode()), golden("owner.json", "g-1", 7, "in", 9)},
		{"offset metadata", committers(map[int32]groupOffsets{0: {{9, golden("offset.txt", "g-1")}}}, "g")[0], "g-1"},
		{"key of an owner record", ownerKey, "\x00owner"},
		{"key of a claim", claimKey, "\x00claim"},
		{"protocol", protocolName, "pulse-whole-task-sticky"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, version 1 wrote %q", c.name, c.got, c.want)
		}
	}
	m, err := decodeMemberMetadata([]byte(golden("member.json", "g-1", 3, "[0,5]")))
	if err != nil || m.TxnID != "g-1" || m.Generation != 3 || !slices.Equal(m.Tasks, []int32{0, 5}) {
		t.Errorf("member of version 1 is read as %+v, %v", m, err)
	}
	a, err := decodeAssignmentMetadata([]byte(golden("assignment.json", `["g-1","g-2"]`)))
	if err != nil || !slices.Equal(a.TxnIDs, []string{"g-1", "g-2"}) {
		t.Errorf("assignment of version 1 is read as %+v, %v", a, err)
	}
	o, err := decodeOwner([]byte(golden("owner.json", "g-1", 7, "in", 9)))
	if err != nil || o.Owner != "g-1" || o.Sequence != 7 || o.Next["in"] != 9 {
		t.Errorf("owner record of version 1 is read as %+v, %v", o, err)
	}
}

func TestMetadata_OfANewerVersionIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, say string
		refused   bool
	}{
		{"fields added", `{"v":1,"txn":"g-1","gen":3,"tasks":[1],"txns":["g-1"],"zone":{"a":[1]}}`, false},
		{"newer, and we may ignore what is new", `{"v":3,"min":1,"txn":"g-1","gen":3,"tasks":[1],"txns":["g-1"]}`, false},
		{"newer, and we may not", `{"v":3,"min":2,"txn":"g-1","gen":3,"tasks":[1],"txns":["g-1"]}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !json.Valid([]byte(c.say)) {
				t.Fatal("the case is no JSON")
			}
			_, memberErr := decodeMemberMetadata([]byte(c.say))
			_, assignmentErr := decodeAssignmentMetadata([]byte(c.say))
			for _, err := range []error{memberErr, assignmentErr} {
				if (err != nil) != c.refused || (err != nil && !strings.Contains(err.Error(), "reads up to 1: finish the update")) {
					t.Errorf("%v; refused should be %v, and say what to do", err, c.refused)
				}
			}
		})
	}
}
