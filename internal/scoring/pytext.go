package scoring

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"pulse-scorer/internal/pulse"
)

// The old system's texts print values the way Python does.

// floatText is repr(x): the shortest digits that read back as x, always with a
// point or an exponent; the exponent form from 1e16 up and below 1e-4.
func floatText(x float64) string {
	if abs := math.Abs(x); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	text := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// fixedText is x with two decimals, as "%.2f" prints it.
func fixedText(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// numberText is repr of a number as it was sent. Python keeps integers apart
// from floats (2 and 2.0); the difference survives decoding only as the
// integer's digits in String.
func numberText(v pulse.Value) string {
	switch v.String {
	case "":
		return floatText(v.Number)
	case "-0":
		return "0"
	default:
		return v.String
	}
}

// plainText is str(v).
func plainText(v pulse.Value) string {
	if v.Kind == pulse.String {
		return v.String
	}
	return reprText(v)
}

// reprText is repr(v).
func reprText(v pulse.Value) string {
	switch v.Kind { //nolint:exhaustive // what is left is null
	case pulse.Bool:
		if v.Bool {
			return "True"
		}
		return "False"
	case pulse.Number:
		return numberText(v)
	case pulse.String:
		return quoted(v.String)
	case pulse.List:
		parts := make([]string, len(v.List))
		for i, item := range v.List {
			parts[i] = reprText(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case pulse.Object:
		parts := make([]string, len(v.Members))
		for i, m := range v.Members {
			parts[i] = quoted(m.Name) + ": " + reprText(m.Value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return "None"
	}
}

// quoted is repr of a text: single quotes, unless only those occur in it.
func quoted(s string) string {
	quote := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote, r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(escaped(r))
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// escaped is \xhh, \uhhhh or \Uhhhhhhhh, whichever is the shortest that fits.
func escaped(r rune) string {
	digits, lead, width := strconv.FormatInt(int64(r), 16), `\U`, 8
	switch {
	case r <= 0xff:
		lead, width = `\x`, 2
	case r <= 0xffff:
		lead, width = `\u`, 4
	}
	return lead + strings.Repeat("0", width-len(digits)) + digits
}
