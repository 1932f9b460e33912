# Everything one does with the lobby. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# Cargo is parallel by itself; two of them would only wait for one lock.
.NOTPARALLEL:

# The oldest versions that do, and those installed into target/tools where PATH has none or an older one.
NEXTEST := 0.9.143
CARGO_DENY := 0.20.2
TYPOS := 1.52.0
CARGO_FUZZ := 0.13.2
KOSOKU := 0.1.0
KUBERNETES_VALIDATE := 1.37.0

# The oldest PostgreSQL that does. It comes from the system's packages, and so do nginx, strace and faketime.
POSTGRES := 14

# The same of Redis; Valkey has a command of that name, too.
REDIS := 7.0.0

# How long `make fuzz` tries to break each decoder.
FUZZ_SECONDS ?= 60

# How often `make crash` kills the lobby, with a file and with PostgreSQL.
CRASH_ROUNDS ?= 200
CRASH_POSTGRES_ROUNDS ?= 50

# How much is said at each of three nodes in `make order`.
ORDER_SENDERS ?= 4
ORDER_MESSAGES ?= 25000

# For how long everything fails in `make chaos`, how many people talk meanwhile, and what chance decides by; any, if nothing is said.
CHAOS_SECONDS ?= 600
CHAOS_CLIENTS ?= 200
CHAOS_SEED ?=

# How many sockets are connected in `make soak`. Each is an open file here and one in the lobby: `ulimit -Hn` says how many there may be.
SOAK_SOCKETS ?= 5000
# How many clients of each kind are slow in `make soak`.
SOAK_SLOW ?= 1000

# What `make bench` builds, how often it measures, and more of its flags.
BENCH_PROFILE ?= dist
BENCH_ROUNDS ?= 3
BENCH_FLAGS ?=

tools := $(CURDIR)/target/tools
export PATH := $(tools)/bin:$(PATH)

# $(call new-enough,command,version): whether `command --version` says that version or a later one.
new-enough = printf '%s\n' $2 "$$($1 --version 2>/dev/null | grep -om1 '[0-9]\+\.[0-9]\+\.[0-9]\+')" | sort -VC

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build and start the lobby on http://127.0.0.1:5000
	cargo run --release --locked --bin lobby

.PHONY: test
test: clients target/web/.ready target/kubernetes/.ready tool-nextest tool-postgres tool-redis tool-nginx tool-caddy tool-systemd tool-sqlite tool-strace tool-faketime tool-chromium tool-promtool ## Run all tests, the real clients' and the documentation's too
	cargo nextest run --workspace --locked
	cargo test --doc --workspace --locked

.PHONY: fuzz
fuzz: tool-fuzz ## Try to break the decoders for FUZZ_SECONDS each (60)
	for target in fuzz/fuzz_targets/*.rs; do \
		.ci/fuzz "$$(basename "$$target" .rs)" $(FUZZ_SECONDS); \
	done

.PHONY: crash
crash: tool-nextest tool-postgres ## Kill the lobby CRASH_ROUNDS times (200) while people talk, and look for what is lost
	cargo build --locked --bin lobby
	LOBBY_CRASH_ROUNDS=$(CRASH_ROUNDS) LOBBY_CRASH_POSTGRES_ROUNDS=$(CRASH_POSTGRES_ROUNDS) \
		cargo nextest run --profile crash --package lobby-tests --locked

.PHONY: order
order: tool-nextest tool-postgres tool-redis ## Have ORDER_SENDERS (4) at each of 3 nodes say ORDER_MESSAGES (25000) each: one order everywhere
	cargo build --locked --bin lobby
	LOBBY_ORDER_SENDERS=$(ORDER_SENDERS) LOBBY_ORDER_MESSAGES=$(ORDER_MESSAGES) \
		cargo nextest run --profile order --package lobby-tests --locked

.PHONY: chaos
chaos: clients tool-nextest tool-postgres tool-redis tool-nginx tool-faketime ## Let everything fail for CHAOS_SECONDS (600) while CHAOS_CLIENTS (200) talk, and look for what is lost
	cargo build --locked --bin lobby
	LOBBY_CHAOS_SECONDS=$(CHAOS_SECONDS) LOBBY_CHAOS_CLIENTS=$(CHAOS_CLIENTS) $(if $(CHAOS_SEED),LOBBY_CHAOS_SEED=$(CHAOS_SEED)) \
		cargo nextest run --profile chaos --package lobby-tests --locked

# Each socket is an open file here and one in the lobby: `ulimit -Hn` says how many there may be.
# How long people wait is measured: it wants the machine for itself.
.PHONY: soak
soak: tool-nextest ## SOAK_SLOW (1000) slow clients of each kind keep nobody waiting; SOAK_SOCKETS (5000) are told that the lobby goes away
	cargo build --locked --bin lobby
	LOBBY_SOAK_SLOW=$(SOAK_SLOW) LOBBY_SOAK_SOCKETS=$(SOAK_SOCKETS) cargo nextest run --profile soak --package lobby-tests --locked

# Its databases are in target/, which is on a disk that keeps things; a folder for temporary files may be in memory.
.PHONY: bench-log
bench-log: export TMPDIR := $(CURDIR)/target/bench
bench-log: tool-postgres ## Measure the log, and put what comes out into docs/performance.md
	mkdir -p $(TMPDIR)
	cargo build --release --locked --bin lobby
	BENCH_PAGE=$(CURDIR)/docs/performance.md cargo bench --locked --package lobby-infra --bench log

# It needs 11,000 open files, of which half are the lobby's: `ulimit -Hn` says how many there may be.
.PHONY: bench-presence
bench-presence: export TMPDIR := $(CURDIR)/target/bench
bench-presence: tool-postgres ## Measure presence, and put what comes out into docs/performance.md
	mkdir -p $(TMPDIR)
	cargo build --release --locked --bin lobby
	BENCH_PAGE=$(CURDIR)/docs/performance.md cargo bench --locked --package lobby-infra --bench presence

# It needs 15,000 open files in each of two processes: `ulimit -Hn` says how many there may be; it makes do with less.
# BENCH_PROFILE=release builds faster. BENCH_FLAGS takes what `lobby-load compare --help` says, such as
# `--only saturated,lobby`, `--receivers 200 --many 2000 --connections 3000`, or `--within 5m`.
.PHONY: bench
bench: target/bench/node/.ready ## Measure the lobby beside Socket.IO on Node and the floor, into docs/fan-out.md (20 minutes)
	cargo build --profile $(BENCH_PROFILE) --locked --bin lobby --bin lobby-load
	target/$(BENCH_PROFILE)/lobby-load compare --lobby target/$(BENCH_PROFILE)/lobby --node target/bench/node \
		--folder target/bench --markdown target/bench/fan-out.md --json target/bench/fan-out.json \
		--page docs/fan-out.md --plots docs/fan-out --rounds $(BENCH_ROUNDS) $(BENCH_FLAGS)

# It starts PostgreSQL and Redis itself. BENCH_FLAGS takes what `lobby-load scale --help` says, such as `--many 3000`.
.PHONY: bench-cluster
bench-cluster: export TMPDIR := $(CURDIR)/target/bench
bench-cluster: tool-postgres tool-redis ## Measure one, two and three nodes, into docs/scaling.md (4 minutes)
	mkdir -p $(TMPDIR)
	cargo build --release --locked --bin lobby
	BENCH_PAGE=$(CURDIR)/docs/scaling.md BENCH_JSON=$(TMPDIR)/scaling.json BENCH_ROUNDS=$(BENCH_ROUNDS) BENCH_FLAGS="$(BENCH_FLAGS)" \
		cargo bench --locked --package lobby-loadgen --bench cluster

target/bench/node/.ready: $(addprefix crates/loadgen/peers/node/,.npmrc package.json package-lock.json server.js)
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci
	touch $@

.PHONY: bench-micro
bench-micro: ## Measure encode, parse, timeline and shard piece by piece, or those with BENCH_ONLY in their names
	cargo bench --locked --package lobby-micro --bench micro -- "$(BENCH_ONLY)"

.PHONY: conformance
conformance: target/conformance/.ready ## Run the WebSocket conformance suite against the echo example
	cargo build --locked --package actix-socketio --example echo
	.ci/conformance target/conformance

target/conformance/.ready: Makefile
	.ci/venv $(@D)
	$(@D)/bin/pip install --quiet kosoku==$(KOSOKU)
	touch $@

.PHONY: lint
lint: fmt-check typos clippy doc lint-web ## Check format, spelling, code and documentation

.PHONY: deny
deny: tool-deny ## Check dependencies: licences, sources, and which crate may use which
	cargo deny --locked check --hide-inclusion-graph --allow unused-wrapper bans licenses sources
	.ci/check-layers

.PHONY: fmt
fmt: target/web/.ready ## Format the code
	cargo fmt --all
	$(biome) format --write $(web-code)

.PHONY: ci
ci: deny lint test ## All that has to pass before a change goes in

.PHONY: advisories
advisories: tool-deny ## Look for known vulnerabilities in the dependencies (needs the advisory database)
	cargo deny --locked check advisories

.PHONY: fmt-check
fmt-check:
	cargo fmt --all -- --check

.PHONY: typos
typos: tool-typos
	typos

.PHONY: clippy
clippy:
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Asking for examples makes Cargo resolve the features of the tests too: clippy's build of the dependencies is used again.
.PHONY: doc
doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --lib --bins --examples

# The web client's code and its tests.
web-code := crates/infra/web tests/clients/browser
biome := target/web/node_modules/.bin/biome

.PHONY: lint-web
lint-web: target/web/.ready
	$(biome) ci $(web-code)

# What npm has of the pages: what is vendored, the tool that checks their code, and the schema of AsyncAPI. Nobody needs it to build the lobby.
target/web/.ready: $(addprefix crates/infra/web/,.npmrc package.json package-lock.json)
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci
	touch $@

# After a change of the version in crates/infra/web/package.json and package-lock.json. A test checks that it was done.
.PHONY: vendor
vendor: target/web/.ready ## Copy the bundles of socket.io-client and Swagger UI into the pages, with their licences
	$(call without-map,target/web/node_modules/socket.io-client/dist/socket.io.esm.min.js,crates/infra/web/client/vendor)
	cd target/web/node_modules && for part in $(vendored); do \
		printf '%s\n\n' "$$part"; cat "$$part/LICENSE"; echo; \
	done > $(CURDIR)/crates/infra/web/client/vendor/LICENSE-socket.io.txt
	$(call without-map,target/web/node_modules/swagger-ui-dist/swagger-ui-bundle.js,crates/infra/web/docs/vendor)
	$(call without-map,target/web/node_modules/swagger-ui-dist/swagger-ui.css,crates/infra/web/docs/vendor)
	cd target/web/node_modules/swagger-ui-dist && cat NOTICE LICENSE swagger-ui-bundle.js.LICENSE.txt \
		> $(CURDIR)/crates/infra/web/docs/vendor/LICENSE-swagger-ui.txt

# $(call without-map,file,folder): copies a file, but for the line that leads browsers to a source map, which is not vendored.
without-map = sed '/^\/[/*]\# sourceMappingURL=/d' $1 > $2/$(notdir $1)

# What is in the bundle of socket.io-client.
vendored := socket.io-client socket.io-parser engine.io-client engine.io-parser @socket.io/component-emitter

.PHONY: docs
docs: tool-nextest ## Make the pages of docs/ anew that are made of the code
	UPDATE_DOCS=1 cargo nextest run --package lobby-tests --locked -E 'test(/^docs::/) + test(/^api::(what_is_served|page::|tables::)/)'

.PHONY: screenshots
screenshots: clients tool-nextest tool-chromium ## Take the pictures of the pages in docs/images
	cargo build --locked --bin lobby
	LOBBY_SCREENSHOTS=$(CURDIR)/docs/images cargo nextest run --package lobby-tests --locked -E 'test(=browser::nobody_is_shut_out_of_what_the_page_shows) + test(=browser::the_api_page_shows_all_paths_and_lets_them_be_tried)'

.PHONY: clients
clients: target/clients/node/.ready target/clients/python/.ready target/clients/browser/.ready ## Install the clients that the tests drive

target/clients/node/.ready target/clients/browser/.ready: target/clients/%/.ready: $(addprefix tests/clients/%/,.npmrc package.json package-lock.json)
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci
	touch $@

target/clients/python/.ready: tests/clients/python/requirements.txt
	.ci/venv $(@D)
	$(@D)/bin/pip install --quiet --require-hashes --requirement $<
	touch $@

.PHONY: tool-nextest
tool-nextest:
	@$(call new-enough,cargo nextest,$(NEXTEST)) || cargo install --locked --root $(tools) cargo-nextest@$(NEXTEST)

.PHONY: tool-deny
tool-deny:
	@$(call new-enough,cargo deny,$(CARGO_DENY)) || cargo install --locked --root $(tools) cargo-deny@$(CARGO_DENY)

.PHONY: tool-fuzz
tool-fuzz:
	@$(call new-enough,cargo fuzz,$(CARGO_FUZZ)) || cargo install --locked --root $(tools) cargo-fuzz@$(CARGO_FUZZ)

.PHONY: tool-typos
tool-typos:
	@$(call new-enough,typos,$(TYPOS)) || { \
		.ci/venv $(tools)/venv && \
		$(tools)/venv/bin/pip install --quiet typos==$(TYPOS) && \
		mkdir -p $(tools)/bin && \
		ln -sf ../venv/bin/typos $(tools)/bin/typos; }

# Debian and Ubuntu keep PostgreSQL's programs off PATH, in a folder for each version.
.PHONY: tool-postgres
tool-postgres:
	@for initdb in initdb /usr/lib/postgresql/*/bin/initdb; do \
		major=$$($$initdb --version 2>/dev/null | sed 's/^[^0-9]*\([0-9]*\).*/\1/') || continue; \
		[ "$$major" -lt $(POSTGRES) ] || exit 0; \
	done; \
	.ci/install postgresql 'PostgreSQL $(POSTGRES) or newer'

.PHONY: tool-nginx
tool-nginx:
	@PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || .ci/install nginx-light nginx

# What knows what Kubernetes takes, without a cluster.
target/kubernetes/.ready: Makefile
	.ci/venv $(@D)
	$(@D)/bin/pip install --quiet kubernetes-validate==$(KUBERNETES_VALIDATE)
	touch $@

.PHONY: tool-systemd
tool-systemd:
	@command -v systemd-analyze >/dev/null || .ci/install systemd systemd-analyze

.PHONY: tool-sqlite
tool-sqlite:
	@command -v sqlite3 >/dev/null || .ci/install sqlite3 sqlite3

.PHONY: tool-caddy
tool-caddy:
	@command -v caddy >/dev/null || .ci/install caddy Caddy

.PHONY: tool-redis
tool-redis:
	@printf '%s\n' $(REDIS) "$$(redis-server --version 2>/dev/null | sed -n 's/.* v=\([0-9.]*\).*/\1/p')" | sort -VC || \
		.ci/install redis-server 'Redis $(REDIS) or newer'

# What checks metrics and alert rules: it comes with Prometheus.
.PHONY: tool-promtool
tool-promtool:
	@command -v promtool >/dev/null || .ci/install prometheus "promtool of Prometheus"

.PHONY: tool-strace
tool-strace:
	@command -v strace >/dev/null || .ci/install strace strace

# Chrome, which is on many machines, does as well.
.PHONY: tool-chromium
tool-chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || .ci/install chromium Chromium

.PHONY: tool-faketime
tool-faketime:
	@command -v faketime >/dev/null || .ci/install faketime faketime
