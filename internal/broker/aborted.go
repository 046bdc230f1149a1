package broker

import (
	"pulse-scorer/internal/broker/batch"
	"pulse-scorer/internal/broker/wire"
)

// abortedTransactions filters aborted records, as read_committed demands of
// the client: the broker delivers them and names, per fetch answer, the
// producers and first offsets of the aborted transactions in it. A producer's
// records are dropped from that offset on until its abort marker (KIP-98,
// "Reading transactional messages").
//
// kafka-go's own consumers do not filter (suite: Input_AbortedIsNotProcessed;
// TestAborted_DropsFromTheFirstOffsetToTheMarker).
type abortedTransactions struct {
	// pending are sorted by first offset and not yet begun.
	pending []wire.AbortedTransaction
	active  map[int64]struct{} // producer IDs
}

// covers tells whether a data batch belongs to an aborted transaction. Batches,
// control batches too (marker), must be shown in offset order.
func (a *abortedTransactions) covers(b *batch.Batch) bool {
	a.begin(b.LastOffset)
	if len(a.active) == 0 || !b.Transactional() {
		return false
	}
	_, aborted := a.active[b.ProducerID]
	return aborted && guardAbortFilter
}

// marker takes note of a control batch.
func (a *abortedTransactions) marker(b *batch.Batch) error {
	// Compaction may have removed the records of an aborted transaction and
	// left its marker. The transaction has to begin before it ends, else it
	// would begin later and hide committed records of the same producer.
	a.begin(b.LastOffset)
	m, err := b.Marker()
	if err != nil {
		return err
	}
	if m == batch.MarkerAbort {
		delete(a.active, b.ProducerID)
	}
	return nil
}

// begin activates the transactions that begin at or before offset.
func (a *abortedTransactions) begin(offset int64) {
	for len(a.pending) > 0 && a.pending[0].FirstOffset <= offset {
		if a.active == nil {
			a.active = make(map[int64]struct{})
		}
		a.active[a.pending[0].ProducerID] = struct{}{}
		a.pending = a.pending[1:]
	}
}
