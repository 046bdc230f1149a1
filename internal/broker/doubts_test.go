package broker

import "testing"

// How what hangs must be ended: a transaction that has committed must not be taken
// back with the one that failed after it, nor the failed one become visible with it.
func TestDoubt_EndsWhatHangsAsItHasEnded(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		doubt doubt
		span  span
		want  ended
	}{
		"only what had committed stands there":              {doubt{endAborted, 19}, span{10, 20}, endCommitted},
		"nothing of a transaction that began is known":      {doubt{endUnknown, 19}, span{10, 20}, endCommitted},
		"the failed one stands behind what had committed":   {doubt{endAborted, 19}, span{10, 30}, endAborted},
		"both have committed":                               {doubt{endCommitted, 19}, span{10, 30}, endCommitted},
		"the failed one alone, aborted":                     {doubt{endAborted, -1}, span{10, 30}, endAborted},
		"the failed one alone, committed without an answer": {doubt{endCommitted, -1}, span{10, 30}, endCommitted},
		"nobody knows": {doubt{endUnknown, -1}, span{10, 30}, endUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.doubt.end(c.span); got != c.want {
				t.Errorf("%+v in %+v is ended as %d, want %d", c.doubt, c.span, got, c.want)
			}
		})
	}
}

// Offsets that hang belong to the last transaction that has sent any.
func TestDoubt_OffsetsAreThoseOfTheLastThatSentAny(t *testing.T) {
	t.Parallel()
	kept := map[topicPartition]int64{{"out", 0}: 1}
	cases := map[string]struct {
		committer committer
		want      ended
	}{
		"the failed one sent none":             {committer{kept: kept, ended: endAborted}, endCommitted},
		"the failed one sent some, aborted":    {committer{kept: kept, ended: endAborted, offered: true}, endAborted},
		"the failed one sent some, committed":  {committer{kept: kept, ended: endCommitted, offered: true}, endCommitted},
		"there was none before":                {committer{ended: endAborted}, endAborted},
		"there was none before, nothing known": {committer{}, endUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.committer.offsetsEnd(); got != c.want {
				t.Errorf("offsets are ended as %d, want %d", got, c.want)
			}
		})
	}
}
