package brokertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"

	"pulse-scorer/internal/broker"
	"pulse-scorer/internal/pipeline"
)

// task is a record path that makes every fault visible in its results: each
// tells how many records came before it, and a hash over all of them in order.
// What is lost, doubled, out of place, or restored wrongly changes all results
// after it. The same code, run over the input alone, says what must come out.
type task struct {
	recorder *recorder
	id       int32

	open, sealed, committed memory
	dirty                   map[string]int64
}

// memory is what a task remembers. It is a value, so that a batch is taken back
// by taking the old one.
type memory struct {
	Count int64
	Chain string
	last  map[string]int64 // offset of the newest record of each key
}

func (m memory) clone() memory {
	m.last = maps.Clone(m.last)
	return m
}

var _ broker.Task = (*task)(nil)

func newTask(r *recorder, id int32) *task {
	r.make(id)
	return &task{recorder: r, id: id, open: memory{last: map[string]int64{}}, dirty: map[string]int64{}}
}

// Keys of the state records.
const (
	countKey   = "count"
	lastPrefix = "last/"
)

// Restore implements broker.Task.
func (t *task) Restore(key, value []byte) error {
	if string(key) == countKey {
		return json.Unmarshal(value, &t.open)
	}
	name, ok := strings.CutPrefix(string(key), lastPrefix)
	if !ok {
		return fmt.Errorf("state record with the unknown key %q", key)
	}
	var offset int64
	if err := json.Unmarshal(value, &offset); err != nil {
		return err
	}
	t.open.last[name] = offset
	return nil
}

// Restored implements broker.Task.
func (t *task) Restored() error {
	t.sealed, t.committed = t.open.clone(), t.open.clone()
	t.recorder.restored(t.id, t.open.clone())
	return nil
}

// What an input value asks of the task; any other value asks for a result.
const (
	asksDeadLetter = "dead:"
	asksLarge      = "large:"
	// largeResult is the size of what asksLarge gives.
	largeResult = 6000
)

// outcome is a result as a reader sees it.
type outcome struct {
	Offset int64
	Count  int64
	Chain  string
	// Input tells what the engine handed over.
	Input   string
	Padding string `json:"padding,omitempty"`
}

// Prefetch implements broker.Task.
func (t *task) Prefetch(*pipeline.Record) {}

// Process implements broker.Task.
func (t *task) Process(in *pipeline.Record, out pipeline.Sink) pipeline.Answer {
	t.recorder.processed(t.id, in.Offset)
	shape := describe(in)
	t.open.Count++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", t.open.Chain, in.Offset, shape))
	t.open.Chain = fmt.Sprintf("%x", sum[:8])
	t.open.last[string(in.Key)], t.dirty[string(in.Key)] = in.Offset, in.Offset
	switch {
	case in.Withheld != nil:
		out.Append(pipeline.DeadLetters, in.Key, fmt.Appendf(nil, "withheld %d %x", in.Withheld.Size, in.Withheld.SHA256), in.Headers)
	case in.ResultRefused, bytes.HasPrefix(in.Value, []byte(asksDeadLetter)):
		out.Append(pipeline.DeadLetters, in.Key, in.Value, in.Headers)
	default:
		o := outcome{Offset: in.Offset, Count: t.open.Count, Chain: t.open.Chain, Input: shape}
		if bytes.HasPrefix(in.Value, []byte(asksLarge)) {
			o.Padding = noise(in.Offset, largeResult)
		}
		encoded, err := json.Marshal(o)
		if err != nil {
			panic(fmt.Sprintf("result %+v: %v", o, err)) // strings and integers always encode
		}
		out.Append(pipeline.Results, in.Key, encoded, in.Headers)
	}
	return pipeline.Taken
}

// Finish implements broker.Task.
func (t *task) Finish(context.Context, pipeline.Sink) pipeline.Answer { return pipeline.Taken }

// Seal implements broker.Task.
func (t *task) Seal(_ int64, out pipeline.Sink) {
	for name, offset := range t.dirty {
		out.Append(pipeline.State, []byte(lastPrefix+name), fmt.Append(nil, offset), nil)
	}
	clear(t.dirty)
	out.Append(pipeline.State, []byte(countKey), fmt.Appendf(nil, `{"Count":%d,"Chain":%q}`, t.open.Count, t.open.Chain), nil)
	t.sealed = t.open.clone()
}

// Commit implements broker.Task.
func (t *task) Commit() { t.committed = t.sealed }

// Rollback implements broker.Task.
func (t *task) Rollback() {
	t.open, t.sealed = t.committed.clone(), t.committed.clone()
	clear(t.dirty)
}

// Open implements broker.Task.
func (t *task) Open() {}

// Close implements broker.Task.
func (t *task) Close() {}

// describe says everything about a record that its sender chose.
func describe(in *pipeline.Record) string {
	part := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return fmt.Sprintf("%d:%x", len(b), sha256.Sum256(b))[:min(16, len(fmt.Sprint(len(b)))+9)]
	}
	var s strings.Builder
	fmt.Fprintf(&s, "key %s value %s", part(in.Key), part(in.Value))
	for _, h := range in.Headers {
		fmt.Fprintf(&s, " %s=%s", h.Key, part(h.Value))
	}
	if in.Withheld != nil {
		fmt.Fprintf(&s, " withheld %d", in.Withheld.Size)
	}
	if in.ResultRefused {
		s.WriteString(" refused")
	}
	return s.String()
}

// noise is text that does not compress, the same for the same seed.
func noise(seed int64, size int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// recorder remembers what the tasks of one engine were asked to do.
type recorder struct {
	mu       sync.Mutex // guards the rest
	restores map[int32][]memory
	offsets  map[int32][]int64
	made     map[int32]int // record paths made, with empty state
	held     chan struct{} // Process waits until it is closed
	heldTask int32         // of which task, allTasks for any
}

const allTasks int32 = -1

func newRecorder() *recorder {
	r := &recorder{restores: map[int32][]memory{}, offsets: map[int32][]int64{}, made: map[int32]int{}, heldTask: allTasks, held: make(chan struct{})}
	close(r.held)
	return r
}

func (r *recorder) restored(id int32, m memory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restores[id] = append(r.restores[id], m)
}

func (r *recorder) processed(id int32, offset int64) {
	r.mu.Lock()
	r.offsets[id] = append(r.offsets[id], offset)
	held := r.held
	if r.heldTask != allTasks && r.heldTask != id {
		held = nil
	}
	r.mu.Unlock()
	if held != nil {
		<-held
	}
}

func (r *recorder) make(id int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made[id]++
}

// anew says how often a task's state was read from its beginning.
func (r *recorder) anew() map[int32]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.made)
}

// holdTask is hold for one task.
func (r *recorder) holdTask(id int32) (release func()) {
	release = r.hold()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heldTask = id
	return release
}

// hold makes Process wait; the function it returns lets it go on.
func (r *recorder) hold() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = make(chan struct{})
	return sync.OnceFunc(func() { close(r.held) })
}

// taken says how often each task was restored.
func (r *recorder) taken() map[int32]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := make(map[int32]int)
	for id, list := range r.restores {
		n[id] = len(list)
	}
	return n
}

// lastRestored is the state a task was restored with last.
func (r *recorder) lastRestored(id int32) (memory, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.restores[id]
	if len(list) == 0 {
		return memory{}, false
	}
	return list[len(list)-1], true
}

// count is how many records of a task were processed, taken back ones included.
func (r *recorder) count(id int32) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.offsets[id])
}
