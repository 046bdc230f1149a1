package pipeline

import "strconv"

// headerRedrives counts how often a record was sent back out of the dead letters.
// Retries and dead letters keep it like a header of the sender, so that a record
// that fails again and again does not go round for ever.
const headerRedrives = "pulse-redrive-count"

// Redrives is how often a record was sent back, 0 for one that never was. A count
// that cannot be read is the largest there is: whoever wrote it, it must not make
// a record go round for ever.
func Redrives(headers []Header) int {
	count := 0
	for _, h := range headers {
		if h.Key != headerRedrives {
			continue
		}
		n, err := strconv.Atoi(string(h.Value))
		if err != nil || n < 0 {
			n = int(^uint(0) >> 1)
		}
		count = n
	}
	return count
}

// ArrivedMs is the time a record of the input arrived at first: its own, or, when
// it was sent back out of the dead letters, the one it had then. It is what a
// signal without a timestamp is known by; were it the present time, the signal
// would be another one each time it is sent back.
func ArrivedMs(in *Record) int64 {
	if Redrives(in.Headers) == 0 {
		return in.TimestampMs
	}
	at := in.TimestampMs
	for _, h := range in.Headers {
		if h.Key != headerRecordTime {
			continue
		}
		if n, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil {
			at = n
		}
	}
	return at
}

// BackToInput appends the headers with which a dead letter goes back to the input,
// as a new record: those it had, the time it arrived at first, and how often it was
// sent back, this time included.
func BackToInput(dst, headers []Header, redrives int) []Header {
	for _, h := range headers {
		if h.Key == headerRecordTime || h.Key != headerRedrives && !ours(h.Key) {
			dst = append(dst, h)
		}
	}
	return append(dst, Header{Key: headerRedrives, Value: strconv.AppendInt(nil, int64(redrives), 10)})
}

// BackToTier appends the headers with which a dead letter goes back to a retry
// tier, to go on at the stage that failed: all it has, due at once. By which clock is
// not the same: not-before times of a tier never go back, so one of a clock that is ahead
// would hold up all that comes into the tier later. The letter's own time is the broker's
// (its topic has LogAppendTime), and is over.
func BackToTier(dst []Header, letter *Record, redrives int, nowMs int64) []Header {
	for _, h := range letter.Headers {
		switch h.Key {
		case headerRedrives, headerNotBefore, headerLastClass:
		default:
			dst = append(dst, h)
		}
	}
	return append(dst,
		Header{Key: headerNotBefore, Value: strconv.AppendInt(nil, min(nowMs, letter.TimestampMs), 10)},
		Header{Key: headerRedrives, Value: strconv.AppendInt(nil, int64(redrives), 10)})
}
