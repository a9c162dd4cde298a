# callhome: everything that a user or a developer types.
#
#   make demo    build, replay the axios capture, print the verdict
#   make test    formatting, lints, all tests, documentation: what CI runs
#   make fuzz    every fuzz target under cargo-fuzz, SECONDS_EACH seconds each (by hand; needs cargo-fuzz)
#   make bench   instructions for each packet, whole-process figures beside tcpdump, stages (by hand; needs tcpdump, valgrind)
#   make lab     build the small captures anew from their recipes
#   make audit   licences, bans, sources, known advisories (by hand; needs cargo-deny, and a network for the last)

SECONDS_EACH ?= 600

.PHONY: demo test bench fuzz lab audit needs

needs:
	@scripts/install-needs.sh

demo: needs
	cargo build --release --locked
	target/release/callhome replay pcaps/axios-linux-runner.pcap

test: needs
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

bench: needs
	scripts/instructions.py
	scripts/bench.py
	cargo bench --locked

lab: needs
	cargo run --locked --example lab -- build

fuzz: needs
	scripts/fuzz.sh $(SECONDS_EACH)

audit:
	cargo deny --locked check --hide-inclusion-graph licenses bans sources
	@if cargo deny --locked fetch db >/dev/null 2>&1; then \
		cargo deny --locked check --hide-inclusion-graph advisories; \
	else \
		echo "skipped: advisories: the RustSec advisory database cannot be fetched from here"; \
	fi
