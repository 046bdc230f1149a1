package broker

import (
	"encoding/json"
	"fmt"
)

// Keys of owner records in the state topic. Keys that start with a zero byte
// are the engine's, all others the task's own.
const (
	engineKeys = 0x00
	// claimKey is written when a task is taken, before its state is known.
	claimKey = "\x00claim"
	// ownerKey is written with every batch.
	ownerKey = "\x00owner"
	// resetKey says that everything before it is void: the state was begun
	// anew, over what a worker had written of another topic's state.
	resetKey = "\x00reset"
)

// ownerRecord is written to the task's state partition by every transaction
// the task takes part in. It names the transactional ID that must be fenced
// when its writer dies, and where that transaction left the input.
type ownerRecord struct {
	Version int `json:"v"`
	// Owner is the transactional ID of the writer.
	Owner string `json:"owner"`
	// Sequence counts the task's transactions, over all owners.
	Sequence int64 `json:"seq"`
	// Next is the next offset to read of every input topic.
	Next map[string]int64 `json:"next"`
	// Topics are the topics that the transaction read and wrote; the offsets
	// are those of its input. Builds before it wrote none.
	Topics topicIDs `json:"topics,omitzero"`
}

const ownerVersion = 1

// resetValue is what a reset record says: that it is one.
const resetValue = `{"v":1}`

func (o ownerRecord) encode() []byte {
	o.Version = ownerVersion
	b, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("owner record %+v: %v", o, err)) // strings and integers always encode
	}
	return b
}

func decodeOwner(value []byte) (ownerRecord, error) {
	var o ownerRecord
	if err := json.Unmarshal(value, &o); err != nil {
		return o, fmt.Errorf("owner record: %w", err)
	}
	if o.Version != ownerVersion {
		return o, fmt.Errorf("owner record has format version %d, this build reads version %d only: run the release that wrote it, or a newer one", o.Version, ownerVersion)
	}
	return o, nil
}
