package pipeline

import "time"

// Models takes snapshots of the models of tasks. It keeps what it is given, of each
// task the last, and must not wait: tasks call it between two batches, several at a
// time.
type Models interface {
	Offer(task int32, snapshot []byte)
}

// snapshotEvery is how often a task offers its model, when it has learned: often
// enough for who looks at it, seldom enough that a topic with one record a task
// stays small between compactions.
const snapshotEvery = time.Minute

// offerModel offers the model if it has learned since the last time and it is time,
// or the task's last occasion. It may have learned from a batch that is not
// committed yet: what goes on from a model reads it from the state.
func (t *Task) offerModel(last bool) {
	if t.models == nil || !t.streaming() {
		return
	}
	learned := t.state.Lessons()
	now := t.clock.now()
	if learned == t.offered || !last && now.Sub(t.offeredAt) < snapshotEvery {
		return
	}
	s := t.state.Model().Snapshot(t.partition)
	text, err := s.AppendJSON(nil)
	if err != nil {
		return // numbers that JSON cannot write, which a model does not hold
	}
	t.models.Offer(t.partition, text)
	t.offered, t.offeredAt = learned, now
}
