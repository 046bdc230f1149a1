package anomaly

import (
	"math"
	"unsafe"
)

const (
	// warmUp is how many values are learned before the first score.
	warmUp = 100
	// settle is how many values go by before novelty is remembered: the first
	// ones are all new.
	settle = 50
	// infancy is the age at which surprises count half: where little was seen,
	// most is new.
	infancy = 120
	// horizon is how many values the memory counts before it forgets half.
	horizon = 8192
	// headroom is how many powers of two a value may lie above the unit.
	headroom = 40
	// tolerance is how many usual deviations a value may lie from what is usual
	// at its hour and still be learned in full.
	tolerance = 10
	// immaterial is a distance that is no novelty, as a share of the usual
	// deviation: in a series that repeats itself exactly anything else would be one.
	immaterial = 1.0 / 1024
	// rounding is the same as a share of the value's size.
	rounding = 1.0 / (1 << 32)
)

// Rates of running means: what a value weighs against all before it.
const (
	levelRate  = 1.0 / 1000
	fastRate   = 1.0 / 5
	slowRate   = 1.0 / 20
	spreadRate = 1.0 / 20
	calmRate   = 1.0 / 500
)

// The statistics whose novelty is judged.
const (
	residual         = iota // value less what is usual at this hour
	weekResidual            // the same, with what is usual for the day of the week
	fastResidual            // residual over the last few values
	slowWeekResidual        // weekResidual over the last twenty or so
	spread                  // how much values vary now, against how much they usually do
	statistics
)

// Detector scores the values of one series. Its zero value is a new series. It
// is not for concurrent use, and is copied with CopyFrom only.
type Detector struct {
	count uint64
	// n is how many values the novelties have counted, after forgetting.
	n uint32
	// unit is the exponent of two by which values are divided, so that all
	// arithmetic stays far from the ends of float64 and float32; set with the
	// first value that is not 0.
	unit int32

	visit      int64 // the hour since 1970 that is being visited
	visitMean  float64
	visitCount uint32
	unitSet    bool

	level      float64 // mean in the long run
	fast, slow float64 // of residual, of weekResidual
	centre     float64 // mean of the last values
	recent     float64 // mean distance from centre of the last values
	calm       float64 // the same in the long run

	episode episode
	// Both are nil while the series is young.
	season  *season
	novelty *[statistics]novelty
}

// Next scores value, observed at atMicros (microseconds since 1970), and learns it. The score
// is in [0,1]; 0 during the first 100 values, and for a value that is not
// finite, which is not learned. Times may repeat, jump and run backwards.
func (d *Detector) Next(atMicros int64, value float64) (score float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0
	}
	v := d.scaled(value)
	d.count++
	values, weekKnown, least := d.observe(hourOf(atMicros), v)
	if d.count <= settle {
		return 0
	}
	bits := d.surprise(values, weekKnown, least)
	if d.count <= warmUp {
		return 0
	}
	return d.episode.score(bits, d.count)
}

// scaled returns value in units of the series; a value far above the unit
// makes a new one.
func (d *Detector) scaled(value float64) float64 {
	_, exponent := frexp(value)
	if value != 0 && (!d.unitSet || exponent > int(d.unit)+headroom) {
		if d.unitSet {
			d.rescale(int(d.unit) - exponent)
		}
		d.unit, d.unitSet = int32(exponent), true
	}
	return ldexp(value, -int(d.unit))
}

func (d *Detector) rescale(exponent int) {
	for _, x := range []*float64{&d.visitMean, &d.level, &d.fast, &d.slow, &d.centre, &d.recent, &d.calm} {
		*x = ldexp(*x, exponent)
	}
	if d.season != nil {
		d.season.rescale(exponent)
	}
	if d.novelty != nil {
		for i := range spread {
			d.novelty[i].rescale(exponent)
		}
	}
}

// observe computes the statistics of v and learns it. weekKnown says that the day of the
// week has been seen; distances up to least are none.
func (d *Detector) observe(hour int64, v float64) (values [statistics]float64, weekKnown bool, least float64) {
	base, extra, hourKnown, weekKnown := d.usual(hour, v)
	values[residual] = v - base
	values[weekResidual] = v - base - extra

	learned := v
	if hourKnown {
		// A value far out counts in part only, or it would spoil its hour for days (TestNext_OutlierHasNoEcho);
		// unless those just before it were out there too.
		most := float64(tolerance*d.calm) + float64(2*math.Abs(d.fast))
		learned = base + max(-most, min(most, v-base))
	}
	d.learnVisit(hour, learned)

	young := 1 / float64(d.count)
	d.level = toward(d.level, learned, max(levelRate, young))
	d.fast = toward(d.fast, values[residual], max(fastRate, young))
	d.slow = toward(d.slow, values[weekResidual], max(slowRate, young))
	deviation := math.Abs(v - d.centre)
	if d.count == 1 {
		deviation = 0
	}
	d.centre = toward(d.centre, v, max(spreadRate, young))
	d.recent = toward(d.recent, deviation, max(spreadRate, young))
	d.calm = toward(d.calm, deviation, max(calmRate, young))
	values[fastResidual], values[slowWeekResidual] = d.fast, d.slow
	if d.calm > 0 {
		values[spread] = d.recent / d.calm
	}
	least = max(float64(rounding*(math.Abs(v)+math.Abs(base))), float64(immaterial*d.calm))
	return values, weekKnown, least
}

// usual returns what is usual at an hour, and what this day of the week adds. Before
// the hour is known it is the level.
func (d *Detector) usual(hour int64, v float64) (base, extra float64, hourKnown, weekKnown bool) {
	if d.season != nil {
		base, extra, hourKnown, weekKnown = d.season.usual(ofWeek(hour))
	}
	switch {
	case hourKnown:
		return base, extra, true, weekKnown
	case d.count == 1:
		return v, 0, false, false
	default:
		return d.level, 0, false, false
	}
}

// learnVisit adds v to the visit of its hour; another hour ends the visit before.
func (d *Detector) learnVisit(hour int64, v float64) {
	if d.visitCount > 0 && hour != d.visit {
		if d.season == nil {
			d.season = new(season)
		}
		d.season.learn(ofWeek(d.visit), d.visitMean)
		d.visitCount = 0
	}
	if d.visitCount < math.MaxUint32 {
		d.visitCount++
	}
	if d.visitCount == 1 {
		d.visit, d.visitMean = hour, 0
	}
	d.visitMean = toward(d.visitMean, v, 1/float64(d.visitCount))
}

// surprise joins the surprises of all statistics, in bits: between their sum,
// which would ask for all of them, and the largest, which would take any.
func (d *Detector) surprise(values [statistics]float64, weekKnown bool, least float64) float64 {
	if d.novelty == nil {
		d.novelty = new([statistics]novelty)
	}
	total := 0.0
	for i := range d.novelty {
		dust := least
		if i == spread {
			dust = immaterial // it is a multiple of the usual deviation
		}
		// Without a week that is known these two but repeat the others.
		repeats := !weekKnown && (i == weekResidual || i == slowWeekResidual)
		bits := d.novelty[i].surprise(values[i], dust, d.n, !repeats)
		total += float64(bits * math.Sqrt(bits))
	}
	if d.n++; d.n >= horizon {
		d.n /= 2
		for i := range d.novelty {
			d.novelty[i].fade()
		}
	}
	if total == 0 {
		return 0
	}
	age := float64(d.count)
	return float64(exp2(float64(log2(total)*(2.0/3))) * (age / (age + infancy)))
}

// CopyFrom makes d a deep copy of o. It allocates only what d lacks.
func (d *Detector) CopyFrom(o *Detector) {
	if d == o {
		return
	}
	season, novelties := d.season, d.novelty // reused
	*d = *o
	d.season, d.novelty = nil, nil
	if o.season != nil {
		if season == nil {
			season = new(*o.season)
		}
		*season = *o.season
		d.season = season
	}
	if o.novelty != nil {
		if novelties == nil {
			novelties = new(*o.novelty)
		}
		*novelties = *o.novelty
		d.novelty = novelties
	}
}

// Size is the number of bytes that the detector holds, itself included.
func (d *Detector) Size() int {
	size := int(unsafe.Sizeof(*d))
	if d.season != nil {
		size += int(unsafe.Sizeof(*d.season))
	}
	if d.novelty != nil {
		size += int(unsafe.Sizeof(*d.novelty))
	}
	return size
}
