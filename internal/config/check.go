package config

import (
	"net"
	"strconv"
	"strings"
	"unicode"

	"pulse-scorer/internal/pulse"
)

// check holds what depends on more than one variable, or on what a command
// needs. It leaves out what cannot be judged because a part is at fault.
func (c Config) check(need Need, faults *faultList) {
	c.checkBrokers(need, faults)
	c.checkNames(faults)
	c.checkTopics(faults)
	c.checkTimes(faults)
	c.checkSizes(faults)
	c.checkRetries(faults)
	c.checkScoring(faults)
	c.checkTLS(faults)
	c.checkSASL(faults)
	if c.given["PULSE_ADMIN_TOKEN"] && c.given["PULSE_ADMIN_TOKEN_FILE"] {
		faults.addf("PULSE_ADMIN_TOKEN_FILE", "is set beside PULSE_ADMIN_TOKEN; keep one of them")
	}
	if !faults.has("PULSE_HTTP_ADDR") && !validAddress(c.HTTPAddr, true) {
		faults.addf("PULSE_HTTP_ADDR", "%s is not an address; write host:port or :port, like :9100", quote(c.HTTPAddr))
	}
}

func (c Config) checkBrokers(need Need, faults *faultList) {
	if faults.has("PULSE_BROKERS") {
		return
	}
	if len(c.Brokers) == 0 && need == NeedBrokers {
		faults.addf("PULSE_BROKERS", "is not set; name the Kafka brokers, like kafka-1:9092,kafka-2:9092")
	}
	for _, broker := range c.Brokers {
		if !validAddress(broker, false) {
			faults.addf("PULSE_BROKERS", "%s is not a broker; write host:port, like kafka-1:9092, without a scheme", quote(broker))
		}
	}
}

// validAddress checks host:port. A listener may leave the host out and take
// port 0, any free one.
func validAddress(address string, listener bool) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.ContainsFunc(host, func(r rune) bool { return r == '/' || unicode.IsSpace(r) }) {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return false
	}
	return listener || (host != "" && n > 0)
}

// maxGroupLength keeps the headers of dead letters, which name the group,
// within the contract's 4 KiB.
const maxGroupLength = 1024

func (c Config) checkNames(faults *faultList) {
	if len(c.Group) > maxGroupLength {
		faults.addf("PULSE_GROUP", "has %d bytes; write at most %d", len(c.Group), maxGroupLength)
	}
	if strings.ContainsFunc(c.Group, unicode.IsControl) {
		faults.addf("PULSE_GROUP", "%s holds a control character; write a plain name", quote(c.Group))
	}
	// Brokers hold instance IDs to the rule for topic names (KIP-345).
	if c.InstanceID != "" {
		if why := illegalTopic(c.InstanceID); why != "" {
			faults.addf("PULSE_INSTANCE_ID", "%s %s", quote(c.InstanceID), why)
		}
	}
	if strings.ContainsFunc(c.DefaultSource, unicode.IsControl) {
		faults.addf("PULSE_DEFAULT_SOURCE", "%s holds a control character; write a plain name", quote(c.DefaultSource))
	}
}

// maxTiers is how many retry tiers there can be: each is a topic.
const maxTiers = 16

func (c Config) checkRetries(faults *faultList) {
	known := !faults.has("PULSE_RETRY_DELAYS")
	if len(c.RetryDelays) > maxTiers {
		faults.addf("PULSE_RETRY_DELAYS", "has %d delays; write at most %d", len(c.RetryDelays), maxTiers)
	}
	for _, o := range c.RetryOverrides {
		class, tiers, ok := strings.Cut(o, "=")
		class = strings.TrimSpace(class)
		n, err := strconv.Atoi(strings.TrimSpace(tiers))
		if known && (!ok || class == "" || err != nil || n < 0 || n > len(c.RetryDelays)) {
			faults.addf("PULSE_RETRY_OVERRIDES", "%s is not class=tiers with 0 to %d tiers, as many as PULSE_RETRY_DELAYS has; "+
				"write a list like enricher_unavailable=2", quote(o), len(c.RetryDelays))
		}
		if ok && class != "" && !pulse.Class(class).Retriable() {
			faults.addf("PULSE_RETRY_OVERRIDES", "%s is no class that trying again can help; there are %s, %s, %s and %s", quote(class),
				pulse.EnricherUnavailable, pulse.EnricherRejected, pulse.StagePanic, pulse.Unknown)
		}
	}
}

func (c Config) checkTimes(faults *faultList) {
	if !faults.has("PULSE_HEARTBEAT_INTERVAL", "PULSE_SESSION_TIMEOUT") && c.HeartbeatInterval > c.SessionTimeout/3 {
		faults.addf("PULSE_HEARTBEAT_INTERVAL",
			"%s is more than a third of PULSE_SESSION_TIMEOUT (%s), so one late heartbeat would end the session; write %s or less",
			formatDuration(c.HeartbeatInterval), formatDuration(c.SessionTimeout), formatDuration(c.SessionTimeout/3))
	}
	if !faults.has("PULSE_COMMIT_INTERVAL", "PULSE_TRANSACTION_TIMEOUT") && c.CommitInterval >= c.TransactionTimeout {
		faults.addf("PULSE_COMMIT_INTERVAL", "%s is not less than PULSE_TRANSACTION_TIMEOUT (%s), so the broker would abort batches; write less",
			formatDuration(c.CommitInterval), formatDuration(c.TransactionTimeout))
	}
}

// recordHeadroom is what dead letters and results may be larger than their
// input (contract, topics).
const recordHeadroom = 64 << 10

func (c Config) checkSizes(faults *faultList) {
	least := c.MaxRecordBytes + recordHeadroom
	if !faults.has("PULSE_MAX_INFLIGHT_BYTES", "PULSE_MAX_RECORD_BYTES") && c.MaxInflightBytes < least {
		faults.addf("PULSE_MAX_INFLIGHT_BYTES", "%s does not hold one record of PULSE_MAX_RECORD_BYTES (%s); write %s or more",
			c.MaxInflightBytes, c.MaxRecordBytes, least)
	}
}

func (c Config) checkScoring(faults *faultList) {
	if faults.has("PULSE_PROFILE", "PULSE_ANOMALY_THRESHOLD") || c.AnomalyThreshold == nil {
		return
	}
	switch limit := *c.AnomalyThreshold; {
	case c.Profile == ProfileV2 && limit > 1:
		faults.addf("PULSE_ANOMALY_THRESHOLD", "%v is an anomaly_score that no signal reaches; write 0 to 1 (parity takes z-values)", limit)
	case c.Profile == ProfileParity && limit <= 1:
		faults.addf("PULSE_ANOMALY_THRESHOLD", "%v is a z-value with profile parity, and would flag every value further than %v standard deviations "+
			"from the mean: a third of ordinary ones, or more; write more than 1, like 2.5, or leave it unset for 3 (v2 takes an anomaly_score of 0 to 1)",
			limit, limit)
	}
}

func (c Config) checkTLS(faults *faultList) {
	for _, option := range []string{"PULSE_TLS_CA", "PULSE_TLS_CERT", "PULSE_TLS_KEY"} {
		if c.given[option] && !c.TLS && !faults.has("PULSE_TLS") {
			faults.addf(option, "is set, but TLS is off; set PULSE_TLS=true, or leave it unset")
		}
	}
	switch {
	case c.given["PULSE_TLS_CERT"] && !c.given["PULSE_TLS_KEY"]:
		faults.addf("PULSE_TLS_KEY", "is not set, but PULSE_TLS_CERT is; name the file with the key of that certificate")
	case c.given["PULSE_TLS_KEY"] && !c.given["PULSE_TLS_CERT"]:
		faults.addf("PULSE_TLS_CERT", "is not set, but PULSE_TLS_KEY is; name the file with the certificate of that key")
	}
}

func (c Config) checkSASL(faults *faultList) {
	const (
		user         = prefix + "SASL_USERNAME"
		password     = prefix + "SASL_PASSWORD"
		passwordFile = prefix + "SASL_PASSWORD_FILE"
		token        = prefix + "SASL_TOKEN_FILE"
	)
	if faults.has("PULSE_SASL_MECHANISM") {
		return
	}
	if c.given[password] && c.given[passwordFile] {
		faults.addf(passwordFile, "is set beside PULSE_SASL_PASSWORD; keep one of them")
	}
	switch c.SASLMechanism {
	case "":
		c.refuse(faults, "no PULSE_SASL_MECHANISM is; set it, or leave this unset", user, password, passwordFile, token)
	case "OAUTHBEARER":
		c.refuse(faults, "OAUTHBEARER takes PULSE_SASL_TOKEN_FILE alone; leave it unset", user, password, passwordFile)
		if !c.given[token] {
			faults.addf(token, "is not set; OAUTHBEARER needs the file with the token")
		}
	default:
		c.refuse(faults, c.SASLMechanism+" takes a user and a password; leave it unset", token)
		if !c.given[user] {
			faults.addf(user, "is not set; %s needs a user", c.SASLMechanism)
		}
		if !c.given[password] && !c.given[passwordFile] {
			faults.addf(password, "is not set, nor is PULSE_SASL_PASSWORD_FILE; %s needs a password", c.SASLMechanism)
		}
	}
}

// refuse reports each of variables that is set to no effect.
func (c Config) refuse(faults *faultList, but string, variables ...string) {
	for _, variable := range variables {
		if c.given[variable] {
			faults.addf(variable, "is set, but %s", but)
		}
	}
}
