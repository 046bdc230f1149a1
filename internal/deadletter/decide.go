package deadletter

// Way is where a letter goes. The set is closed.
type Way uint8

// The ways.
const (
	// Stay: it was sent back before, or is held.
	Stay Way = iota
	// ToInput: back to the input, as a new record.
	ToInput
	// ToTier: to the first retry tier, where it goes on at the stage that failed.
	ToTier
	// Hold: it is put on hold.
	Hold
)

// Decision is what becomes of a letter, and the standing it has then.
type Decision struct {
	Way      Way
	Standing Standing
}

// Decide says what a redrive does with an open letter or any other. tiers tells
// whether there are retry tiers, most is how often a record may be sent back.
func Decide(l *Letter, has Standing, most int, tiers bool) Decision {
	switch {
	case has != Open:
		return Decision{Stay, has}
	case l.Tombstone:
		return Decision{Hold, HeldTombstone}
	case l.Withheld:
		return Decision{Hold, HeldWithheld}
	case l.Redrives >= most:
		return Decision{Hold, HeldTooOften}
	case tiers && l.Progress != "":
		return Decision{ToTier, Redriven}
	}
	return Decision{ToInput, Redriven}
}
