# What can be done here. `make` alone lists it.

SHELL  = /bin/bash
.SHELLFLAGS = -o pipefail -c
GO     = go
TIME   = 30s
KEEP   =
CYCLES = 10000
BUDGET = 14e6# bytes that the stripped armv7 agent may have

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
STAMP   = -X main.version=$(VERSION) -X main.commit=$(COMMIT)
BUILD   = $(GO) build -trimpath -buildvcs=false -tags grpcnotrace
RELEASE = CGO_ENABLED=0 GOOS=linux $(BUILD) -ldflags '-s -w $(STAMP)'

# The agent's calls are inlined where they are made for each byte, page or field, and nowhere else: the rest would be a megabyte more.
HOT     = internal/runtime/... runtime/... go.etcd.io/... \
	$(addprefix crypto/internal/fips140/,aes/... alias bigmod nistec/... sha256 subtle) \
	$(addprefix google.golang.org/protobuf/,encoding/protowire internal/encoding/... internal/impl proto) \
	$(addprefix github.com/stampd/stampd/,loyalty pci uplink/block uplink/packing)
SMALL   = $(RELEASE) -tags grpcnotrace,nethttpomithttp2 -gcflags=all=-l $(HOT:%=-gcflags=%=)
# Linux has pages of 4 KiB on ARMv7; the linker would leave room between the program's parts for 64.
ARMV7   = GOARCH=arm GOARM=7 $(subst -s -w,-s -w -R 0x1000,$(SMALL))

GOTEST   = $(GO) test -json -count=1 -timeout 5m
TALLY    = | $(GO) run ./.ci/tally
LINT     = $(GO) tool -modfile=.ci/lint.mod golangci-lint
ARM_PKGS = ./buffer/... ./hal/cellular/... ./loyalty/... ./pci/... ./uplink/block/... ./uplink/packing/... ./uplink/sketch/... ./uplink/wire/...

.PHONY: help build demo chaos test setup generated vet lint race faults fips arm-test kernel-test cross leaks bench schedules microbench fuzz proto clean

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

build: ## build bin/stampd and bin/stampd-backend for this machine
	$(BUILD) -ldflags '$(STAMP)' -o bin/stampd ./agent
	$(BUILD) -ldflags '$(STAMP)' -o bin/stampd-backend ./uplink/cmd/backend

demo: build ## a terminal and a backend, killed and cut off meanwhile; KEEP=1 leaves them running
	$(GO) run ./uplink/cmd/demo $(if $(KEEP),-keep)

chaos: build ## the same with 64 callers, killed and cut off at random for TIME=30s
	$(GO) run ./uplink/cmd/demo -chaos $(TIME) -callers 64

test: ## everything that must hold before a commit: all of the parts below, timed
	@.ci/suite setup generated vet lint race faults fips arm-test cross

setup: ## install what the tests need: Debian's qemu-user-static and dbus-daemon, and the pinned tools
	@.ci/setup

generated: ## check that the generated code is what the tools generate from the schema
	@.ci/proto check

vet: ## go vet
	$(GO) vet ./... ./.ci/tally

lint: ## golangci-lint, by .golangci.yml
	$(LINT) run ./... ./.ci/tally

race: ## unit, script and end-to-end tests, with the race detector
	$(GOTEST) -race ./... $(TALLY)

faults: ## operations of the queue fail, one in EVERY=5; every failpoint of bbolt; random lives for TIME=10s
	@.ci/faults $(or $(EVERY),5) $(if $(filter command line,$(origin TIME)),$(TIME),10s)

fips: ## the same tests, with the FIPS 140-3 module and nothing but it
	GODEBUG=fips140=only $(GOTEST) ./... $(TALLY)

arm-test: ## tests of the pure packages as 32-bit ARM programs, under qemu
	CGO_ENABLED=0 GOARCH=arm GOARM=7 $(GOTEST) -exec "$$(command -v qemu-arm-static || echo qemu-arm)" $(ARM_PKGS) $(TALLY)

kernel-test: ## tests of the hardware as root on Debian's kernel in QEMU; ARCH=arm64, CYCLES=1000, RUN=regexp
	@.ci/setup kernel $(or $(ARCH),armv7)
	$(GO) run ./cross-build/cmd/kerneltest -arch $(or $(ARCH),armv7) $(if $(RUN),-run '$(RUN)') \
	  $(if $(filter command line,$(origin CYCLES)),-env CYCLES=$(CYCLES)) $(TALLY)

cross: ## build both programs for ARM, stripped, and hold the armv7 agent to its budget
	$(ARMV7) -o bin/linux-armv7/stampd ./agent
	GOARCH=arm GOARM=7 $(RELEASE) -o bin/linux-armv7/stampd-backend ./uplink/cmd/backend
	GOARCH=arm64 $(SMALL) -o bin/linux-arm64/stampd ./agent
	GOARCH=arm64 $(RELEASE) -o bin/linux-arm64/stampd-backend ./uplink/cmd/backend
	@stat -c '%n %s' bin/linux-*/* | awk '{ printf "%-34s %6.2f MB\n", $$1, $$2/1e6 } \
	  $$1 == "bin/linux-armv7/stampd" && $$2 > $(BUDGET) { over = 1 } \
	  END { if (over) { printf "error: bin/linux-armv7/stampd is over its budget of %.0f MB\nhint: CONTRIBUTING.md says what makes it large\n", $(BUDGET)/1e6; exit 1 } }'

leaks: ## modems, batteries, gauges, buses and switches come and go CYCLES=10000 times each: nothing may stay
	$(GO) test -count=1 -timeout 1h -v -run Unplug ./hal ./hal/at -args -cycles $(CYCLES) | grep -v '^=== '

bench: ## what stampd costs: every figure beside its floor and its budget; ONLY=name measures one thing, TIME=5m watches an idle terminal for longer
	@$(ARMV7) -o bin/linux-armv7/stampd ./agent
	@$(SMALL) -o bin/release/stampd ./agent
	@$(RELEASE) -o bin/release/stampd-backend ./uplink/cmd/backend
	@$(GO) run ./uplink/cmd/cost $(if $(ONLY),-only '$(ONLY)') $(if $(filter command line,$(origin TIME)),-idle $(TIME))

schedules: ## what each default schedule costs in bytes a day, beside what its comment says
	@$(GO) test -count=1 -v -run '^TestScheduleCosts$$' ./agent | sed -n 's/.*_test.go:[0-9]*: //p'

microbench: ## the benchmarks of each package
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## every fuzz target in turn, TIME=30s each
	@.ci/fuzz $(TIME)

proto: ## lint the schema and generate code from it, with pinned tools
	@.ci/proto

clean: ## remove what was built
	rm -rf bin demo
