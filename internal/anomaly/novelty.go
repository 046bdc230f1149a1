package anomaly

import "math"

const (
	intervals = 16
	bins      = 32
	// beyond is how many bits of surprise a doubling of the largest distance
	// adds: a power-law tail with exponent 2, as heavy as a tail with a finite variance
	// can be. Nothing changes in the results between 1 and 5.
	beyond = 2
	// mostTop bounds top, in half octaves; distances lie far inside.
	mostTop = 8192
)

// interval is a range of values seen, ends included.
type interval struct{ low, high float32 }

// novelty remembers which values a statistic has had, and how far new ones
// came from all before them.
type novelty struct {
	// seen[:used] are disjoint, in ascending order, and cover all values seen. When there
	// would be too many, the smallest gap between two closes, so that of all
	// gaps the least is lost.
	seen [intervals]interval
	// fresh has a bit for each interval in which a value fell since the memory
	// last faded.
	fresh uint16
	// counts of distances by size, in half octaves; the last is that of top,
	// the first also has all smaller ones.
	counts [bins]uint16
	// top is the bin of the largest distance counted: from 2^(top/2) on.
	top  int16
	used uint8
}

// surprise says in bits how far x is from all earlier values: minus the
// binary logarithm of the share of those n that came as far from the ones
// before them. Then it learns x. A distance of up to dust counts as none. Who does not
// want to know (judge is false) gets 0.
func (m *novelty) surprise(x, dust float64, n uint32, judge bool) (bits float64) {
	value := float32(x)
	at := m.find(value)
	if at < int(m.used) && m.seen[at].low <= value { // as most values
		m.fresh |= 1 << at
		return 0
	}
	before, after := m.gaps(at, value)
	m.cover(at, value, before, after)
	distance := min(before, after)
	if distance <= dust || math.IsInf(distance, 1) {
		return 0
	}
	size := float64(2 * log2(distance))
	if judge {
		bits = m.rarity(size, n)
	}
	m.count(size)
	return bits
}

// find returns the first interval that does not end below value.
func (m *novelty) find(value float32) int {
	at := 0
	seen := m.seen[:m.used]
	for at < len(seen) && seen[at].high < value {
		at++
	}
	return at
}

// gaps are the distances of value, for which find returned at and which is in no
// interval, from what was seen below and above it; infinite where there is none.
func (m *novelty) gaps(at int, value float32) (before, after float64) {
	before, after = math.Inf(1), math.Inf(1)
	if at < int(m.used) {
		after = float64(m.seen[at].low) - float64(value)
	}
	if at > 0 {
		before = float64(value) - float64(m.seen[at-1].high)
	}
	return before, after
}

// cover takes a value that is in none of them into the intervals.
func (m *novelty) cover(at int, value float32, before, after float64) {
	if m.used == intervals {
		gap, left := m.smallest(at)
		switch {
		case before <= gap && before <= after:
			m.seen[at-1].high = value
			m.fresh |= 1 << (at - 1)
			return
		case after <= gap:
			m.seen[at].low = value
			m.fresh |= 1 << at
			return
		}
		m.join(left)
		if at > left {
			at--
		}
	}
	m.insert(at, value)
}

// smallest returns the smallest gap and the interval left of it, but for the
// gap below interval at.
func (m *novelty) smallest(at int) (gap float64, left int) {
	gap = math.Inf(1)
	for i := range int(m.used) - 1 {
		if g := float64(m.seen[i+1].low) - float64(m.seen[i].high); g < gap && i+1 != at {
			gap, left = g, i
		}
	}
	return gap, left
}

// insert an interval of one value at i.
func (m *novelty) insert(i int, value float32) {
	copy(m.seen[i+1:], m.seen[i:m.used])
	m.seen[i] = interval{low: value, high: value}
	below := m.fresh & (1<<i - 1)
	m.fresh = below | 1<<i | (m.fresh^below)<<1
	m.used++
}

// join makes one interval of left and the next; it is fresh if either was.
func (m *novelty) join(left int) {
	m.seen[left].high = m.seen[left+1].high
	m.fresh |= m.fresh >> 1 & (1 << left)
	m.remove(left + 1)
}

func (m *novelty) remove(i int) {
	copy(m.seen[i:], m.seen[i+1:m.used])
	below := m.fresh & (1<<i - 1)
	m.fresh = below | m.fresh>>1&^(1<<i-1)
	m.used--
	m.seen[m.used] = interval{}
}

// rarity of a distance of size half octaves among those of n values, in bits. Half a value is added, so that
// what never was is not impossible.
func (m *novelty) rarity(size float64, n uint32) float64 {
	bin := math.Floor(size)
	place := min(bins, max(-1, bin-float64(m.top)+bins-1))
	at := int(place)
	counted := uint32(0)
	for _, n := range m.counts[min(bins, at+1):] {
		counted += uint32(n)
	}
	larger := float64(counted)
	if at >= 0 && at < bins {
		larger += float64(float64(m.counts[at]) * (1 - (size - bin)))
	}
	bits := -log2(min(1, (larger+0.5)/(float64(n)+1)))
	highest := bins - 1
	for highest >= 0 && m.counts[highest] == 0 {
		highest--
	}
	if highest < 0 {
		return bits
	}
	end := float64(int(m.top)-bins+1+highest) + 1
	return bits + float64(beyond*max(0, size-end)/2)
}

// count a distance of size half octaves.
func (m *novelty) count(size float64) {
	bin := int(math.Floor(size))
	if m.counts == [bins]uint16{} {
		m.top = int16(bin)
	}
	for range min(bins, bin-int(m.top)) {
		m.counts[1] += m.counts[0]
		copy(m.counts[:], m.counts[1:])
		m.counts[bins-1] = 0
	}
	m.top = max(m.top, int16(bin))
	m.counts[max(0, bin-int(m.top)+bins-1)]++
}

// fade forgets half of what was counted, and the intervals in which no value
// fell since the last time.
func (m *novelty) fade() {
	for i := range m.counts {
		m.counts[i] /= 2
	}
	for i := int(m.used) - 1; i >= 0; i-- {
		if m.fresh>>i&1 == 0 {
			m.remove(i)
		}
	}
	m.fresh = 0
}

// rescale multiplies what was seen by 2 to the power of exponent.
func (m *novelty) rescale(exponent int) {
	for i := range m.seen[:m.used] {
		m.seen[i].low = float32(ldexp(float64(m.seen[i].low), exponent))
		m.seen[i].high = float32(ldexp(float64(m.seen[i].high), exponent))
	}
	m.top = int16(max(-mostTop, int(m.top)+2*exponent))
}
