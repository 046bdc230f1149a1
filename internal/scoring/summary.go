package scoring

import (
	"strings"

	"pulse-scorer/internal/pulse"
)

// summary is the line for operators, with a second one where something needs
// explaining (trust_engine.py:710-732). It fails when fragility had to be kept
// as it came and is not a number.
func (p *Profile) summary(e *pulse.Enrichment) (string, error) {
	fragility, fragilityText := 0.0, "N/A"
	if e.HasFragility {
		var ok bool
		if fragility, ok = asNumber(e.Fragility); !ok {
			return "", wrongType("fragility", "a number", e.Fragility)
		}
		fragilityText = plainText(e.Fragility)
	}
	license := e.LicenseStatus
	if license == "" {
		license = "N/A"
	}
	line := "Trust: " + e.TrustLabel +
		", Conf: " + floatText(e.Confidence) +
		", Align: " + floatText(e.AlignmentScore) +
		", Fragility: " + fragilityText +
		", License: " + license

	var explanations []string
	if e.TrustLabel != p.Gate.Trusted {
		explanations = append(explanations, "Trust label: "+e.TrustLabel)
	}
	if e.Confidence < p.Explanation.ConfidenceMin {
		explanations = append(explanations, "Low confidence: "+floatText(e.Confidence))
	}
	if e.AlignmentScore < p.Explanation.AlignmentMin {
		explanations = append(explanations, "Low alignment: "+floatText(e.AlignmentScore))
	}
	if fragility > p.Explanation.FragilityMax {
		explanations = append(explanations, "High fragility: "+fragilityText)
	}
	if e.LicenseStatus != "" && e.LicenseStatus != p.License.Approved {
		explanations = append(explanations, "License: "+e.LicenseStatus)
	}
	if len(explanations) > 0 {
		line += "\nExplanation(s): " + strings.Join(explanations, "; ")
	}
	return line, nil
}
