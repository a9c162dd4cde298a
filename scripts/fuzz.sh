#!/usr/bin/env bash
# Runs every fuzz target for so many seconds each: scripts/fuzz.sh SECONDS [JOBS]
# FUZZ_BUILD=no takes what was built last; FUZZ_TARGETS="pcap decode" runs only these. Needs cargo-fuzz. Seeds are the project's own captures; what is found stays in fuzz/corpus and
# fuzz/artifacts, which are not committed. Ends with a table and fails when a target failed.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
jobs=${2:-$(nproc)}

command -v cargo-fuzz >/dev/null || { echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2; exit 1; }
# Coverage needs compiler flags that the stable toolchain hides.
export RUSTC_BOOTSTRAP=1
[ "${FUZZ_BUILD:-yes}" = no ] || cargo fuzz build --fuzz-dir fuzz

seed() { # target glob...
    local target=$1 file; shift
    mkdir -p "fuzz/corpus/$target"
    for file in "$@"; do
        [ "$(stat -c %s "$file")" -le 65536 ] && cp -n "$file" "fuzz/corpus/$target/" || true
    done
}
seed pcap pcaps/*.pcap
seed pcapng pcaps/*.pcapng
seed capture pcaps/*
seed native signatures/*.toml

logs=${FUZZ_LOGS:-fuzz/logs}
mkdir -p "$logs"
targets=${FUZZ_TARGETS:-$(cargo fuzz list --fuzz-dir fuzz)}
# The programs are copied, so that editing meanwhile does not change what is fuzzed.
host=$(rustc -vV | sed -n 's/^host: //p')
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
for target in $targets; do cp "fuzz/target/$host/release/$target" "$programs/"; done
run() {
    local target=$1
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
    if "$programs/$target" "fuzz/corpus/$target" -artifact_prefix="fuzz/artifacts/$target/" \
        -max_total_time="$seconds" -timeout=25 -rss_limit_mb=3000 -print_final_stats=1 \
        >"$logs/$target.log" 2>&1; then
        echo "ok" >"$logs/$target.result"
    else
        echo "FAILED" >"$logs/$target.result"
    fi
}
export -f run
export seconds logs programs
printf '%s\n' $targets | xargs -P "$jobs" -I{} bash -c 'run {}'

status=0
printf '%-16s %-8s %14s %10s %8s\n' target result runs coverage corpus
for target in $targets; do
    result=$(cat "$logs/$target.result")
    [ "$result" = ok ] || status=1
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$target.log" | tail -1)
    line=$(grep -aE '^#[0-9]+.*cov:' "$logs/$target.log" | tail -1)
    coverage=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' <<<"$line")
    corpus=$(sed -n 's/.*corp: \([0-9]*\).*/\1/p' <<<"$line")
    printf '%-16s %-8s %14s %10s %8s\n' "$target" "$result" "${runs:-?}" "${coverage:-?}" "${corpus:-?}"
done
exit $status
