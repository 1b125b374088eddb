# What one does with this tree. `make demo` and `make test` need nothing but Go and make beforehand: they
# install what is missing (scripts/install-tools). CONTRIBUTING.md explains the rest.

GO          ?= go
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages that `test`, `bench` and `fuzz` look at.
PKG         ?= ./...
# Time for each fuzz target.
FUZZTIME    ?= 60s
# What `make demo` hands to the command; `make demo ARGS=` keeps the gateway up.
ARGS        ?= --once

# How often `torture` ends the gateway in each of its tests, and what its dice begin with (empty: something new).
ROUNDS      ?= 200
SEED        ?=
# How long `chaos` lasts.
CHAOS       ?= 10m

.PHONY: demo test bench lint build fuzz torture chaos clean

demo:
	@scripts/install-tools demo
	@CGO_ENABLED=$$(scripts/cgo --quiet) $(GO) run ./cmd/siegel demo $(ARGS)

test:
	@scripts/install-tools test
	@$(GO) run ./internal/testsum -race -vet=off -timeout 30m $(PKG)

bench:
	@scripts/install-tools test
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)
	$(GO) run ./test/bench
	$(GO) run ./test/bench -tls
	$(GO) run ./test/bench/smime

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...

build:
	CGO_ENABLED=$$(scripts/cgo) $(GO) build -trimpath -o bin/siegel ./cmd/siegel

fuzz:
	@scripts/fuzz $(FUZZTIME) $(PKG)

torture:
	@scripts/install-tools test
	ROUNDS=$(ROUNDS) SEED=$(SEED) $(GO) test -count=1 -v -timeout 0 -run '^(TestKilled|TestStopped)$$' ./test/torture

chaos:
	@scripts/install-tools test
	CHAOS=$(CHAOS) SEED=$(SEED) $(GO) test -count=1 -v -timeout 0 -run '^TestChaos$$' ./test/torture

clean:
	rm -rf bin
	$(GO) clean ./...
