# Every target does its own set-up from a fresh clone; run, demo and test need Go and nothing else.
# "make" alone shows what there is.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# Seconds or minutes for each fuzz target.
FUZZTIME ?= 60s
# More words for the go test of a target, for example: make integration TESTFLAGS='-race -run Broker'
TESTFLAGS ?=
# How many seeds the simulation runs.
SEEDS ?= 2000
# How many signals a seed of the simulation has (5000), or the chaos-cluster target sends (2000000).
SIGNALS ?=
# How many workers the chaos target kills.
KILLS ?= 20
# How often a worker joins in the rebalance target.
JOINS ?= 10
# For how long at least the health target freezes the broker, and how many records the determinism target scores twice.
FROZEN ?= 30s
SAME ?= 100000
# How many faults the chaos-cluster target makes, and which schedule of them; seed 0 draws one.
FAULTS ?= 100
SEED ?= 0
# How long the soak target keeps a worker under load, and how many records a second it is sent; 0: as many as it takes.
DURATION ?= 8h
RATE ?= 500

# How long an enricher is down, how many signals have failures, how many rounds are measured with failing series and as many
# without, and how many dead letters there are, in the retries target.
OUTAGE ?= 2m
RETRIES ?= 100000
ROUNDS ?= 5
LETTERS ?= 10000

# Flags for pulse-scorer bench, for example: make bench BENCHFLAGS='--rounds 1 --rates 1000';
# and bench scale: make bench-scale BENCHFLAGS='--rounds 1 --ids= --workers=1,2'
BENCHFLAGS ?=
# 1: Kafka Streams takes part in bench, too (needs java and mvn, whatever the cluster).
STREAMS ?=
BENCHSTREAMS = $(if $(filter 1,$(STREAMS)),--streams integration/bench/streams/run.sh)
# The port of the broker that bench starts.
BENCHPORT ?= 29392
# Which micro benchmarks, how long each, and how often; benchstat wants ten or more to tell.
MICRO ?= Advance|Decode|AppendResult|AppendIdentity|Ingest|Enrich|Builder|Cursor|Process|Worker|Table
MICRO_PACKAGES := ./internal/codec ./internal/scoring ./internal/broker/batch ./internal/state ./internal/pipeline ./internal/broker
BENCHTIME ?= 0.3s
COUNT ?= 10
# What to compare with.
BASE ?=
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# Built from source by the Go toolchain, so that everybody has the same linters (about 80 s once on two cores).
GOLANGCI_VERSION := v2.15.0
TOOLS := .cache/tools/golangci-lint-$(GOLANGCI_VERSION)
GOLANGCI := $(TOOLS)/golangci-lint
GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := $(CURDIR)/.cache/tools/govulncheck-$(GOVULNCHECK_VERSION)/govulncheck
# What checks and packs what is deployed (about 3 min together, once). promtool with the one service discovery that is used here.
HELM_VERSION := v4.3.1
PROMETHEUS_VERSION := v0.316.0
CYCLONEDX_VERSION := v1.10.0
COMMA := ,
HELM := $(CURDIR)/.cache/tools/helm-$(HELM_VERSION)/helm
PROMTOOL := $(CURDIR)/.cache/tools/promtool-$(PROMETHEUS_VERSION)/promtool
KUBERNETES_VALIDATE_VERSION := 1.37.0
KUBERNETES_VALIDATE := $(CURDIR)/.cache/tools/kubernetes-validate-$(KUBERNETES_VALIDATE_VERSION)
CYCLONEDX := $(CURDIR)/.cache/tools/cyclonedx-gomod-$(CYCLONEDX_VERSION)/cyclonedx-gomod
# Where release puts what it makes; CACHE=shared makes it quicker and its second build a weaker check.
RELEASE ?= bin/release
CACHE ?=
INTEGRATION_LOG := .cache/integration.log

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## score the sample data on the embedded broker and stay until Ctrl-C
	$(GO) run ./cmd/pulse-scorer dev

.PHONY: demo
demo: ## the same, but end after the summary
	$(GO) run ./cmd/pulse-scorer dev --once

.PHONY: build
build: ## build bin/pulse-scorer (its version comes from git, through the build information)
	$(GO) build -buildvcs=auto -trimpath -o bin/pulse-scorer ./cmd/pulse-scorer

.PHONY: test
test: ## all tests that need no real Kafka
	$(GO) test -timeout 10m $(TESTFLAGS) ./...

.PHONY: race
race: ## the same under the race detector, with freed buffers overwritten (needs a C compiler)
	$(GO) test -race -tags poison -timeout 25m $(TESTFLAGS) ./...

.PHONY: lint
lint: $(GOLANGCI) ## all linters, with the reasons for those that are off in .golangci.yml
	$(GOLANGCI) run ./...

.PHONY: gosec
gosec: $(GOLANGCI) ## the linter for security alone; lint has it among all others
	$(GOLANGCI) run --enable-only gosec ./...

# It ends with 3 when it has found something, and with another code when it could not look.
.PHONY: vulncheck
vulncheck: $(GOVULNCHECK) ## known vulnerabilities in what the code calls (reads Go's vulnerability database, or GOVULNDB=file://DIR, a copy)
	$(GOVULNCHECK) $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

.PHONY: fmt
fmt: $(GOLANGCI) ## format the code as lint wants it
	$(GOLANGCI) fmt ./...

.PHONY: verify
verify: ## fail if go.mod is untidy or a generated file is not what its generator makes
	$(GO) mod verify
	$(GO) mod tidy -diff
	@before=$$(git status --porcelain; git diff | cksum); \
	$(GO) generate ./...; \
	after=$$(git status --porcelain; git diff | cksum); \
	if [ "$$before" != "$$after" ]; then git status --short; echo "verify: go generate changed files; commit them" >&2; exit 1; fi

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (60s) each; inputs it finds go to testdata, to be committed
	@targets=$$($(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }'); \
	[ -n "$$targets" ] || { echo "fuzz: no target found" >&2; exit 1; }; \
	total=$$(wc -l <<<"$$targets"); at=0; \
	while read -r package name; do \
		at=$$((at + 1)); echo "== [$$at/$$total] $$name in $$package for $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $(TESTFLAGS) "$$package" </dev/null; \
	done <<<"$$targets"

.PHONY: simulate
simulate: ## SEEDS (2000) random schedules of faults with SIGNALS (5000) each on a simulated cluster; stops at the first red one
	$(GO) test -count=1 -timeout 60m -v -run 'TestSimulation_Seeds' $(TESTFLAGS) ./internal/broker -seeds $(SEEDS) -signals $(or $(SIGNALS),5000) \
		| grep -vE '^ *(=== |--- PASS)'

.PHONY: controls
controls: ## each guard of the engine switched off in turn: the tests must go red (integration does the same on a real Kafka)
	$(GO) test -tags controls -count=1 -timeout 15m -v $(TESTFLAGS) ./integration/controls

.PHONY: integration
integration: ## tests on a real Kafka: a container, or the cluster in PULSE_TEST_BROKERS
	@mkdir -p $(dir $(INTEGRATION_LOG))
	$(GO) test -tags integration -count=1 -timeout 40m -v $(TESTFLAGS) ./integration/... 2>&1 | tee $(INTEGRATION_LOG)
	@if grep -E '^ *--- SKIP' $(INTEGRATION_LOG); then echo "integration: tests were skipped" >&2; exit 1; fi
	@grep -qE 'real Kafka: ' $(INTEGRATION_LOG) || { echo "integration: no test had a real Kafka" >&2; exit 1; }
	@echo "integration: $$(grep -cE '^ *--- PASS' $(INTEGRATION_LOG)) tests passed on a real Kafka, 0 skipped"

.PHONY: console
console: ## the console in a Chromium (CHROMIUM names another), its first paint held against the clock; pictures in .cache/console
	$(GO) test -tags integration -count=1 -timeout 15m -v $(TESTFLAGS) ./integration/console -timed

.PHONY: integration-image
integration-image: ## the service's own image, built and started beside a broker's; needs a container engine and nothing else
	$(GO) test -tags integration,image -count=1 -timeout 15m -v $(TESTFLAGS) ./integration/image

.PHONY: chaos
chaos: ## KILLS (20) workers killed under load, and every request disturbed, on a real Kafka; integration does less of it
	$(GO) test -tags integration -count=1 -timeout 20m -v -run 'TestChaos|TestFaults' $(TESTFLAGS) ./integration -kills $(KILLS) -timed

.PHONY: chaos-cluster
chaos-cluster: ## FAULTS (100) of workers, brokers and links over SIGNALS (2000000) on three brokers, by SEED; needs java and mvn
	$(GO) test -tags integration -count=1 -timeout 4h -v -run '^TestCluster_Chaos$$' $(TESTFLAGS) ./integration -faults $(FAULTS) -signals $(or $(SIGNALS),2000000) -seed $(SEED) -timed

.PHONY: rebalance
rebalance: ## what JOINS (10) joining workers and static restarts cost the others, on a real Kafka; integration does less of it
	$(GO) test -tags integration -count=1 -timeout 30m -v -run 'TestRebalance' $(TESTFLAGS) ./integration -joins $(JOINS)

.PHONY: health
health: ## the only broker frozen for FROZEN (30s), then killed: probes, metric, log and /status say so in time; needs java and mvn
	$(GO) test -tags integration -count=1 -timeout 10m -v -run '^TestHealth' $(TESTFLAGS) ./integration -frozen $(FROZEN) -timed

.PHONY: determinism
determinism: ## SAME (100000) records scored twice, once through a kill, two drains and a rebalance, on a real Kafka; integration does less of it
	$(GO) test -tags integration -count=1 -timeout 30m -v -run '^TestSame' $(TESTFLAGS) ./integration -same $(SAME)

.PHONY: retries
retries: ## LETTERS (10000) dead letters, an outage of OUTAGE (2m) and RETRIES (100000) signals with failures, on a real Kafka; integration does less
	$(GO) test -tags integration -count=1 -timeout 60m -v -run 'TestEnrichers|TestRetries|TestLetters' $(TESTFLAGS) ./integration \
		-outage $(OUTAGE) -retry-records $(RETRIES) -retry-rounds $(ROUNDS) -letters $(LETTERS) -timed

.PHONY: soak
soak: ## a worker under RATE (500) records/s for DURATION (8h) on a real Kafka; .cache/soak.svg shows memory, goroutines, descriptors
	@mkdir -p .cache
	$(GO) test -tags integration -count=1 -timeout 0 -v -run '^TestSoak$$' $(TESTFLAGS) ./integration -soak $(DURATION) -soak-rate $(RATE) -soak-plot $(CURDIR)/.cache/soak.svg

.PHONY: integration-local
integration-local: ## the same where no image can be pulled: builds one, starts a container engine if none runs (root)
	integration/kafka/with-image.sh $(MAKE) --no-print-directory integration-image integration

# What Kafka's own scripts give the JVM of a broker (bin/kafka-run-class.sh and kafka-server-start.sh of 4.3.1). With a heap
# that begins smaller the broker stops once a second to collect it, for 14 ms, and that is the p99 that is measured.
BROKERJVM := -Xms1g -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent

.PHONY: bench
bench: ## the service beside a raw copy, a library's transactions and, with STREAMS=1, Kafka Streams, on PULSE_BROKERS, else on a Kafka from its jars (java, mvn)
	@mkdir -p .cache/bench
	$(if $(BENCHSTREAMS),integration/bench/streams/build.sh)
	$(GO) build -trimpath -pgo=deploy/release.pgo -o .cache/bench/pulse-scorer ./cmd/pulse-scorer
	@if [ -n "$${PULSE_BROKERS:-}" ]; then .cache/bench/pulse-scorer bench $(BENCHSTREAMS) $(BENCHFLAGS); else \
		trap 'integration/kafka/down.sh .cache/bench/kafka --wipe' EXIT; \
		export KAFKA_HEAP=$${KAFKA_HEAP:-1g} KAFKA_JVM_PERFORMANCE_OPTS="$${KAFKA_JVM_PERFORMANCE_OPTS:-$(BROKERJVM)}"; \
		PULSE_BROKERS=$$(integration/kafka/up.sh .cache/bench/kafka $(BENCHPORT)) .cache/bench/pulse-scorer bench $(BENCHSTREAMS) $(BENCHFLAGS); \
	fi

.PHONY: bench-scale
bench-scale: ## what a record costs as partitions, series, remembered IDs and workers become more, on a Kafka as above; a picture in .cache/bench
	@$(MAKE) --no-print-directory bench STREAMS= BENCHFLAGS='scale --plot .cache/bench/scale.svg $(BENCHFLAGS)'

.PHONY: profile
profile: ## renew deploy/release.pgo, what the compiler is told to be hot: both profiles on a Kafka as above; to be committed
	@rm -f .cache/bench/*.pprof.*
	for profile in parity v2; do \
		PULSE_PROFILE=$$profile $(MAKE) --no-print-directory bench STREAMS= \
			BENCHFLAGS="--rounds 4 --seconds 0 --without copy,transact --profile .cache/bench/$$profile.pprof" || exit 1; \
	done
	integration/bench/pgo.sh deploy/release.pgo .cache/bench/pulse-scorer .cache/bench/*.pprof.*

.PHONY: bench-micro
bench-micro: ## micro benchmarks: decode, score, encode, batch, state, and all of a worker; what they allocate
	@mkdir -p .cache/bench
	$(GO) test -run '^$$' -bench '$(MICRO)' -benchmem -benchtime $(BENCHTIME) -count $(COUNT) $(TESTFLAGS) $(MICRO_PACKAGES) | tee .cache/bench/micro.txt
	$(GO) run $(BENCHSTAT) -filter '.unit:(ns/op OR cpu-ns/record OR B/op OR allocs/op)' .cache/bench/micro.txt

.PHONY: bench-compare
bench-compare: ## the same for commit BASE and for what is here, in turns (COUNT of each), and what has changed
	@[ -n "$(BASE)" ] || { echo "bench-compare: say what to compare with: make bench-compare BASE=main" >&2; exit 2; }
	GO=$(GO) integration/bench/compare.sh '$(BASE)' '$(MICRO)' $(BENCHTIME) $(COUNT) $(MICRO_PACKAGES)
	$(GO) run $(BENCHSTAT) -filter '.unit:(ns/op OR cpu-ns/record OR B/op OR allocs/op)' base=.cache/bench/base.txt here=.cache/bench/here.txt

.PHONY: bench-state
bench-state: ## the state at full size: bytes an ID, pauses, changelog, restore; then 10 million records and a restart on a real Kafka
	$(GO) test -run '^$$' -bench Scale -benchtime 1x -timeout 20m $(TESTFLAGS) ./internal/state -full
	$(GO) test -tags integration -count=1 -timeout 30m -v -run TestState_IsRestoredAfterManyRecords $(TESTFLAGS) ./integration -state-records 10000000

.PHONY: deployment
deployment: $(HELM) $(PROMTOOL) $(KUBERNETES_VALIDATE) ## chart, alerts and dashboard: linted, rendered, and run against the metrics of a running service
	$(HELM) lint --strict --quiet deploy/helm/pulse-scorer --set kafka.brokers=kafka:9092
	$(PROMTOOL) check config --syntax-only deploy/compose/prometheus.yaml
	$(PROMTOOL) check rules --lint=all --lint-fatal deploy/prometheus/alerts.yaml
	$(PROMTOOL) test rules deploy/prometheus/alerts_test.yaml
	HELM=$(HELM) PROMTOOL=$(PROMTOOL) KUBERNETES_VALIDATE=$(KUBERNETES_VALIDATE) $(GO) test -tags deployment -count=1 -timeout 10m $(TESTFLAGS) ./deploy

.PHONY: image
image: ## build the service's image with the Go of this machine; needs a container engine and no registry
	deploy/image.sh

.PHONY: release
release: $(HELM) $(CYCLONEDX) ## binaries, SBOMs, chart and checksums of the commit in bin/release, made twice and compared
	HELM=$(HELM) CYCLONEDX=$(CYCLONEDX) CACHE=$(CACHE) deploy/release.sh $(RELEASE)

.PHONY: ci
ci: ## everything that decides whether a change is good; installs what it needs (root, Debian)
	bash .ci/run

.PHONY: clean
clean: ## remove what was built here; the cache of broker jars stays
	rm -rf bin .cache

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION), once"
	@GOBIN=$(CURDIR)/$(TOOLS) GOFLAGS= $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

# tool builds a Go program into the folder of a target, by its version and nothing else.
define tool
	@echo "building $(notdir $@), once"
	@GOBIN=$(dir $@) GOFLAGS= $(GO) install $(2) $(1)
endef

$(GOVULNCHECK):
	$(call tool,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))

$(HELM):
	$(call tool,helm.sh/helm/v4/cmd/helm@$(HELM_VERSION))

$(PROMTOOL):
	$(call tool,github.com/prometheus/prometheus/cmd/promtool@$(PROMETHEUS_VERSION),-tags remove_all_sd$(COMMA)enable_dns_sd)

$(CYCLONEDX):
	$(call tool,github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION))

# A Python package, because it carries the types of every Kubernetes version. Moved when complete.
$(KUBERNETES_VALIDATE):
	@echo "installing kubernetes-validate $(KUBERNETES_VALIDATE_VERSION), once"
	@rm -rf $@.new
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target $@.new kubernetes-validate==$(KUBERNETES_VALIDATE_VERSION)
	@mv $@.new $@
