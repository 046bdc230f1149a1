package scoring

import (
	"slices"
	"strings"

	"pulse-scorer/internal/pulse"
)

// LicenseRules decide whether a forecast may be used.
type LicenseRules struct {
	ConfidenceMin, AlignmentMin float64
	// TrustLabels are the labels that pass.
	TrustLabels []string
	// StableDrift is the drift flag that does not block. NamesStable lists it among
	// the reasons of an explanation all the same, as drift.
	StableDrift string
	NamesStable bool

	NoConfidence, Untrusted, BlockedPrefix, LowAlignment, Approved string
}

// ExplanationRules say what the texts for people call low or high. They are
// not the limits of the licence.
type ExplanationRules struct {
	ConfidenceMin, AlignmentMin, FragilityMax float64
}

// status is the first objection, or Approved (forecast_licensing_shell.py,
// license_forecast). It reads the finished confidence, label and alignment.
func (r LicenseRules) status(e *pulse.Enrichment, drift pulse.Value) string {
	switch {
	case e.Confidence < r.ConfidenceMin:
		return r.NoConfidence
	case !slices.Contains(r.TrustLabels, e.TrustLabel):
		return r.Untrusted
	case r.drifts(drift):
		return r.BlockedPrefix + plainText(drift)
	case e.AlignmentScore < r.AlignmentMin:
		return r.LowAlignment
	default:
		return r.Approved
	}
}

// drifts says whether a drift flag names a drift that blocks.
func (r LicenseRules) drifts(drift pulse.Value) bool {
	return truthy(drift) && (drift.Kind != pulse.String || drift.String != r.StableDrift)
}

// licenseExplanation lists every reason, by the limits of the explanations
// (license_explainer.py, explain_forecast_license). Without a reason there is no
// status but Approved, as each objection of the status is one here too
// (TestLicense_EveryObjectionHasAReason).
func (p *Profile) licenseExplanation(e *pulse.Enrichment, drift pulse.Value) string {
	if e.LicenseStatus == p.License.Approved {
		return "This forecast met all trust criteria and is fully licensed for strategic use."
	}
	var reasons []string
	if e.Confidence < p.Explanation.ConfidenceMin {
		reasons = append(reasons, "Confidence was too low ("+fixedText(e.Confidence)+").")
	}
	if e.TrustLabel != p.Gate.Trusted {
		reasons = append(reasons, "Forecast trust label is '"+e.TrustLabel+"', not fully trusted.")
	}
	if p.License.drifts(drift) || p.License.NamesStable && truthy(drift) {
		reasons = append(reasons, "Symbolic drift detected: "+plainText(drift)+".")
	}
	if e.AlignmentScore < p.Explanation.AlignmentMin {
		reasons = append(reasons, "Alignment score below threshold ("+fixedText(e.AlignmentScore)+").")
	}
	return "License blocked for the following reason(s):\n- " + strings.Join(reasons, "\n- ")
}
