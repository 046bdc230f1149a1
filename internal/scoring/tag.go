package scoring

import (
	"unicode"
	"unicode/utf8"
)

// TagRules name a series by words in its name.
type TagRules struct {
	// Words are looked for in this order; lower-case ASCII letters only.
	Words []string
	// Neutral is the tag of a name that contains none of them.
	Neutral string
	// Whole is for words that stand by themselves: no letter or digit touches
	// them. "average" has no rage in it then.
	Whole bool
}

// of is the first word that name contains, in whatever case and, unless Whole,
// also inside another word: "average" contains "rage" (iris_symbolism.py:41-72).
func (r TagRules) of(name string) string {
	letters := lettersOf(name)
	for _, word := range r.Words {
		if wanted := lettersOf(word); letters&wanted == wanted && containsFold(name, word, r.Whole) {
			return word
		}
	}
	return r.Neutral
}

// lettersOf is a set of the letters that text has, in whatever case, a bit each. Other
// characters have a letter's bit, too: what it rules out is not there, and what it
// does not has to be looked for. It rules out nearly all words for nearly all names.
func lettersOf(text string) (letters uint32) {
	for i := range len(text) {
		letters |= 1 << (text[i] % 32)
	}
	return letters
}

// containsFold says whether text contains word, which is in lower-case ASCII
// letters, with text's ASCII letters lower-cased; whole, that it must stand by
// itself there.
//
// Python lower-cases all of Unicode first. Two characters outside ASCII turn
// into ASCII letters there, U+212A into k and U+0130 into i and a combining dot;
// no word has a k, and none ends in i, so neither can complete one. Folding all
// of Unicode here would be wrong: strings.ToLower makes U+0130 a plain i. Held
// by TestTag_FoldsASCIIOnly.
func containsFold(text, word string, whole bool) bool {
	if word == "" {
		return true
	}
	for start := 0; start+len(word) <= len(text); start++ {
		// The first letter decides nearly always, without a call.
		if text[start]|0x20 == word[0] && equalFold(text[start:start+len(word)], word) &&
			(!whole || standsAlone(text[:start], text[start+len(word):])) {
			return true
		}
	}
	return false
}

// standsAlone says whether what lies between before and after is a word of its
// own: neither a letter nor a digit of any script touches it.
func standsAlone(before, after string) bool {
	left, _ := utf8.DecodeLastRuneInString(before)
	right, _ := utf8.DecodeRuneInString(after)
	return !isAlphanumeric(left) && !isAlphanumeric(right)
}

func isAlphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// equalFold is containsFold's comparison for texts of whatever length.
func equalFold(text, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i := range len(word) {
		// Setting bit 5 turns A-Z into a-z and nothing else into a letter.
		if text[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}

// equalTags compares two tags with their ASCII letters lower-cased.
func equalTags(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
