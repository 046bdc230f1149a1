package pipeline

import (
	"pulse-scorer/internal/codec"
	"pulse-scorer/internal/pulse"
	"pulse-scorer/internal/state"
)

// Lookahead is how many records may be prefetched beyond the one that is processed: one
// is decoded, and the places that its series is found by are on their way; of the one
// before it the series itself is.
const Lookahead = 2

// decoded is a record before its turn: what it says, and where the state has what will
// be asked about it.
type decoded struct {
	// of is the record; nil when it was processed, or could not be decoded ahead.
	of      *Record
	decoder *codec.Decoder
	signal  pulse.Signal
	// bad is why there is no signal; id and where are not known then.
	bad   *pulse.Bad
	id    state.ID
	where state.SeriesPlace
}

// lookahead holds the records that were prefetched last, in turns.
type lookahead struct {
	all    [Lookahead + 1]decoded
	newest int
}

func newLookahead(s codec.Settings) (l lookahead) {
	for i := range l.all {
		l.all[i].decoder = codec.NewDecoder(s)
	}
	return l
}

func (l *lookahead) next() *decoded {
	if l.newest++; l.newest == len(l.all) {
		l.newest = 0
	}
	d := &l.all[l.newest]
	d.forget()
	return d
}

func (l *lookahead) forget() {
	for i := range l.all {
		l.all[i].forget()
	}
}

// forget lets go of what was decoded: the record of a forecast takes many times its bytes.
func (d *decoded) forget() {
	d.of, d.bad, d.where = nil, nil, state.SeriesPlace{}
	if d.signal.Kind == pulse.Forecasted {
		d.signal = pulse.Signal{}
	}
}

// Prefetch says that a record of the input will be processed soon, after those that were
// prefetched before it: it is decoded now, and what will be asked about it is fetched
// from memory while those have their turn. Nothing depends on it: a record may be
// processed that was not prefetched, or be prefetched and never processed
// (TestPrefetch_ChangesNothing). Until then neither it nor its bytes may change: who
// makes another record of it assigns all of it.
func (t *Task) Prefetch(in *Record) {
	t.state.PrefetchRow(t.lookahead.all[t.lookahead.newest].where)
	d := t.lookahead.next()
	if t.externals != nil || in.Tier > 0 || t.refuse(in) != nil {
		return // it is kept as a copy, or there is more to it than its value
	}
	if !t.decodeAhead(in, d) {
		return
	}
	if d.bad == nil {
		d.where = t.state.PrefetchSlots(d.id, d.signal.Source, d.signal.Name)
	}
	d.of, in.decoded = in, d
}

// decodeAhead is false when that panics: it will do so in the record's turn, and be told.
func (t *Task) decodeAhead(in *Record, d *decoded) (ok bool) {
	defer func() { ok = recover() == nil }()
	if d.bad = d.decoder.Decode(in.Value, in.Headers, ArrivedMs(in), &d.signal); d.bad == nil {
		d.id = t.identify(&d.signal)
	}
	return true
}

// decodedAhead is what was decoded of a record, nil when nothing was. The stages of some
// records are timed: these are decoded in their turn, or decoding would seem to take no
// time.
func (t *Task) decodedAhead(in *Record) *decoded {
	if d := in.decoded; d != nil && d.of == in && !t.clock.active {
		return d
	}
	return nil
}

// take takes over what was decoded.
func (t *Task) take(p *passage, d *decoded) *pulse.Bad {
	bad := d.bad
	p.signal, p.id, p.identified = d.signal, d.id, bad == nil
	t.decoder, d.decoder = d.decoder, t.decoder // Place is asked of the one that has decoded it
	d.forget()
	return bad
}
