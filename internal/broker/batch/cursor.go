package batch

import "crypto/sha256"

// Record is one record. What it points to belongs to the fetched bytes or to
// the cursor's buffer (see Cursor.Reset).
type Record struct {
	Offset int64
	// TimestampMs is the record's own time, or the broker's with
	// LogAppendTime; -1 without one.
	TimestampMs int64
	// Key and Value are nil when null.
	Key, Value []byte
	// Headers is nil without headers; a HeaderParser reads it.
	Headers []byte
	// Withheld is set when a part is too large to be held. It is valid until
	// the next record is read.
	Withheld *Withheld
}

// Withheld describes the parts of a record that are not given. A part that
// is in the record has a zero Digest here.
type Withheld struct{ Key, Value, Headers Digest }

// Digest is what is left of a withheld part.
type Digest struct {
	// Size is in bytes. It is not 0: empty parts are never withheld.
	Size   int64
	SHA256 [sha256.Size]byte
}

// Limits bound the memory that reading one batch can take: Inflate, three
// times Part, and what the decompressor needs. That is little but for zstd, whose
// frames may ask for up to 128 MiB, the most that brokers accept, and for bare
// snappy blocks (22 times their size).
type Limits struct {
	// Inflate is up to how many bytes a compressed batch is decompressed
	// whole; a larger one is walked as a stream.
	Inflate int
	// Part is how long a key, a value or the headers of a record may be in a
	// stream before they are withheld. One record at a time is held there.
	Part int
	// Held is the same for a value that is in memory anyway. 0 gives all.
	Held int
}

// Cursor walks the records of one batch after the other. It keeps its
// decompressors and is not for concurrent use. The zero Cursor reads
// uncompressed batches without any limit; NewCursor sets limits.
type Cursor struct {
	limits Limits
	batch  Batch
	plain  []byte // records in memory
	at     int    // in plain
	read   int32  // records given so far
	next   int64  // lowest offset the next record may have
	err    error

	inflater  inflater
	stream    stream
	streaming bool
	withheld  Withheld
}

// NewCursor gives a cursor with limits.
func NewCursor(limits Limits) *Cursor { return &Cursor{limits: limits} }

// Reset starts on b. The records of a compressed batch are decompressed into
// buf, over its old content, which is given back, grown if need be: it holds
// the records until the caller reuses it. Neither b's bytes nor buf may change
// before the last record was read. After an error, Next gives nothing.
func (c *Cursor) Reset(b Batch, buf []byte) ([]byte, error) {
	c.batch, c.plain, c.at, c.read, c.next = b, b.payload, 0, 0, b.BaseOffset
	c.err, c.streaming = nil, false
	if b.Compression() == None {
		return buf, nil
	}
	if b.Count == 0 { // emptied by compaction: there is nothing to decompress
		c.plain = nil
		return buf, nil
	}
	buf, rest, err := c.inflater.inflate(buf[:0], b.Compression(), b.payload, c.limits.Inflate)
	if err != nil {
		c.err = malformed(b.BaseOffset, "decompress %v: %v", b.Compression(), err)
		return buf, c.err
	}
	c.plain = buf
	if rest != nil {
		c.streaming = true
		c.stream.reset(buf, rest, c.limits.Part)
	}
	return buf, nil
}

// Streaming says whether records are given one at a time: each is then valid
// only until the next call of Next.
func (c *Cursor) Streaming() bool { return c.streaming }

// Err is why Next returned false; nil at the end of the batch.
func (c *Cursor) Err() error { return c.err }

// Next reads the next record into r. It returns false at the end of the batch
// and on malformed records: see Err.
func (c *Cursor) Next(r *Record) bool {
	if c.err != nil || c.read == c.batch.Count {
		c.checkEnd()
		return false
	}
	var found fault
	if c.streaming {
		found = c.nextStreamed(r)
	} else {
		found = c.nextPlain(r)
	}
	if found == sound && r.Offset < c.next {
		found = faultOrder
	}
	if found != sound {
		c.fail(found)
		return false
	}
	c.next = r.Offset + 1
	c.read++
	return true
}

func (c *Cursor) nextPlain(r *Record) fault {
	length, at := varint(c.plain, c.at)
	if at < 0 || length <= 0 || length > int64(len(c.plain)-at) {
		return faultLength
	}
	end := at + int(length)
	c.at = end
	if found := c.parse(c.plain[at:end:end], r); found != sound {
		return found
	}
	if c.limits.Held > 0 && len(r.Value) > c.limits.Held {
		c.withheld = Withheld{Value: Digest{Size: int64(len(r.Value)), SHA256: sha256.Sum256(r.Value)}}
		r.Value, r.Withheld = nil, &c.withheld
	}
	return sound
}

// parse reads a record whose bytes are all of body, which is not empty. Body
// is cut to its capacity: nothing here can reach beyond it.
func (c *Cursor) parse(body []byte, r *Record) fault {
	const afterAttributes = 1 // they are unused
	sinceBase, at := varint(body, afterAttributes)
	if at < 0 {
		return faultTimestamp
	}
	delta, at := varint(body, at)
	if at < 0 || delta < 0 || delta > c.batch.LastOffset-c.batch.BaseOffset {
		return faultOffset
	}
	key, at := span(body, at)
	if at < 0 {
		return faultKey
	}
	value, at := span(body, at)
	if at < 0 {
		return faultValue
	}
	if at == len(body) {
		return faultHeaders
	}
	r.Offset, r.TimestampMs = c.batch.BaseOffset+delta, c.timestamp(sinceBase)
	r.Key, r.Value, r.Headers, r.Withheld = key, value, nil, nil
	if body[at] != 0 || at+1 != len(body) {
		r.Headers = body[at:]
	}
	return sound
}

func (c *Cursor) timestamp(sinceBase int64) int64 {
	if c.batch.LogAppendTime() {
		return c.batch.MaxTimestampMs
	}
	return c.batch.baseTimestampMs + sinceBase
}

func (c *Cursor) fail(found fault) {
	detail := found.String()
	if c.streaming && c.stream.err != nil {
		detail += ": " + c.stream.err.Error()
	}
	c.err = malformed(c.batch.BaseOffset, "record %d of %d: %s", c.read+1, c.batch.Count, detail)
}

// checkEnd makes sure that nothing follows the last record: a count that is
// too low would lose records silently.
func (c *Cursor) checkEnd() {
	switch {
	case c.err != nil:
	case c.streaming && !c.stream.ended():
		c.err = malformed(c.batch.BaseOffset, "bytes after the last of %d records, or a damaged end: %v", c.batch.Count, c.stream.err)
	case !c.streaming && c.at != len(c.plain):
		c.err = malformed(c.batch.BaseOffset, "%d bytes after the last of %d records", len(c.plain)-c.at, c.batch.Count)
	}
}
