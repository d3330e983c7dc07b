# What a developer types. `make demo` and `make test` need gcc, make, Rust and Python 3.11 on the machine; a cmake that is
# new enough for HDF5 is put into .tools/ when the machine has none.
SHELL := /bin/bash
CARGO := source .ci/tools && cargo

.PHONY: build demo test check fmt

build:
	@$(CARGO) build --release

demo: build
	@echo '$$ aosx reduce fixtures/air.nc --var air --op mean --axis time'
	@target/release/aosx reduce fixtures/air.nc --var air --op mean --axis time

test:
	@$(CARGO) test --release

check:
	@.ci/run

fmt:
	@cargo fmt
