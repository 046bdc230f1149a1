package scoring

import "pulse-scorer/internal/pulse"

// Profile is every constant of scoring in one value: limits, weights, scales,
// names. The code beside it has none of its own, so that another profile is
// another value and not another path. A profile is not changed once in use;
// any number of goroutines may share it.
type Profile struct {
	// Name of the profile, as it stands in results.
	Name string
	// WindowSize is how many last values of a series are kept and judged; 0 is for
	// a profile that is given the score of a streaming detector.
	WindowSize int
	// MemorySize is how many forecasts of a stream are remembered.
	MemorySize int
	// Assets are the names whose capital counts; others are ignored.
	Assets []string
	// UnknownID is the trace id of a forecast without one.
	UnknownID string
	// ScoreDecimals is what scores are rounded to.
	ScoreDecimals int
	// RawTrust and RawAlignment are the scores of a signal without forecast, unless
	// RawQuality gives it its quality as trust, and no alignment.
	RawTrust, RawAlignment pulse.Optional
	RawQuality             bool
	// StrictTypes refuses a forecast with an optional field of the wrong type.
	// Otherwise what reads the field decides what to make of it.
	StrictTypes bool
	// ChangeInEitherPlace takes the record's own symbolic_change where the forecast
	// inside it has none. Otherwise fragility reads the one, and all else the other.
	ChangeInEitherPlace bool
	// RegretNeedsID leaves repeat_regret open for a forecast without trace_id.
	RegretNeedsID bool

	Recency    RecencyRules
	Anomaly    AnomalyRules
	SignalTags TagRules
	STI        STIRules

	Arc         ArcRules
	History     HistoryRules
	Risk        RiskRules
	Confidence  ConfidenceRules
	Gate        GateRules
	Fragility   FragilityRules
	Alignment   AlignmentRules
	Attention   AttentionRules
	License     LicenseRules
	Explanation ExplanationRules
}

// Parity is the profile that scores like the old system, defects included
// where they only concern numbers. Each call returns a fresh value: the caller
// may change it, Assets for one, before it is used.
func Parity() *Profile {
	p := &Profile{
		Name:          "parity",
		WindowSize:    50,
		MemorySize:    100,
		Assets:        []string{"nvda", "msft", "ibit", "spy"},
		UnknownID:     "unknown",
		ScoreDecimals: 3,
		RawTrust:      pulse.Some(0),
		RawAlignment:  pulse.Some(0),
	}
	p.parityIngest()
	p.parityTrust()
	p.parityAlignment()
	return p
}

func (p *Profile) parityIngest() {
	p.Recency = RecencyRules{MaxAgeSeconds: 7 * 24 * 3600}
	p.Anomaly = AnomalyRules{MinSamples: 10, StdFloor: 1e-6, ZLimit: 3}
	p.SignalTags = TagRules{
		Words:   []string{"hope", "despair", "rage", "fatigue"},
		Neutral: "neutral",
	}
	p.STI = STIRules{Base: 0.6, RecencyWeight: 0.3, AnomalyPenalty: 0.2}
}

func (p *Profile) parityTrust() {
	p.Arc = ArcRules{
		Rules: []ArcRule{
			{Overlay: "hope", Above: 0.7, Label: "Hope Surge", Tag: "Hope"},
			{Overlay: "despair", Above: 0.6, Label: "Collapse Risk", Tag: "Despair"},
			{Overlay: "rage", Above: 0.6, Label: "Rage Arc", Tag: "Rage"},
			{Overlay: "fatigue", Above: 0.5, Label: "Fatigue Loop", Tag: "Fatigue"},
		},
		OtherLabel: "Unknown",
	}
	p.History = HistoryRules{
		Depth: 3, NoMemory: 0.8, NoChange: 0.7, RiskNoChange: 0.4, NothingShared: 0.6,
	}
	p.Risk = RiskRules{
		VolatilityScale:  2000,
		VolatilityWeight: 0.5, HistoryWeight: 0.4, ConstantWeight: 0.1,
		Constant: 0.1,
		Cap:      0.7, CapBelow: 3,
	}
	p.Confidence = ConfidenceRules{
		AbsentFragility: 1,
		MovementScale:   1000, AbsentMovement: 0.5,
		EmptyLimit: 0.8, EmptyPenalty: 0.5,
		BaseFloor:  0.3,
		BaseWeight: 0.4, SafetyWeight: 0.3, HistoryWeight: 0.2, NoveltyWeight: 0.1,
		FragmentedPenalty: 0.2, ArcPenalty: 0.1, ArcLimit: 0.7,
		Floor: 0.4, Ceiling: 1,
	}
	p.Gate = GateRules{
		ConfidenceMin: 0.5, FragilityMax: 0.7, RiskMax: 0.5,
		Trusted: "🟢 Trusted", Unstable: "🟡 Unstable", Rejected: "🔴 Rejected",
	}
	p.Fragility = FragilityRules{
		FatigueWeight: 0.5, ChangeScale: 5,
		TensionWeight: 0.6, VolatilityWeight: 0.4,
		Cap: 0.7,
	}
}

func (p *Profile) parityAlignment() {
	p.Alignment = AlignmentRules{
		ConfidenceWeight: 0.3, RetrodictionWeight: 0.2, ArcStabilityWeight: 0.2,
		TagMatchWeight: 0.15, NoveltyWeight: 0.15,
		TrustedTags:   []string{"hope", "trust", "recovery", "neutral"},
		Scale:         100,
		ScoreDecimals: 2, DistanceDecimals: 4,
	}
	p.Attention = AttentionRules{Scale: 10}
	p.License = LicenseRules{
		ConfidenceMin: 0.6,
		// 0.75 of a score that goes to 100: never an objection.
		AlignmentMin: 0.75,
		TrustLabels:  []string{"🟢 Trusted", "⚠️ Moderate"},
		StableDrift:  "✅ Stable",
		NamesStable:  true,
		NoConfidence: "❌ No Confidence", Untrusted: "🚫 Untrusted", BlockedPrefix: "🔴 Blocked - ",
		LowAlignment: "⚠️ Low Alignment", Approved: "✅ Approved",
	}
	p.Explanation = ExplanationRules{ConfidenceMin: 0.6, AlignmentMin: 70, FragilityMax: 0.6}
}
