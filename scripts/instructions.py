#!/usr/bin/env python3
"""Instructions for each packet, counted by callgrind: the same on a busy machine as on a quiet one.

    scripts/instructions.py            compare with benches/instructions.json
    scripts/instructions.py --accept   write that file anew

Replays two small loads of the lab and an almost empty capture, whose count is start-up and is taken off. Fails when
a load costs over 3 % more than the baseline. Counts depend on the compiler: a new toolchain wants a new baseline,
with nothing else in the same commit. Needs valgrind.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "target" / "bench"
BASELINE = ROOT / "benches" / "instructions.json"
LAB = ROOT / "target" / "release" / "examples" / "lab"
CALLHOME = ROOT / "target" / "release" / "callhome"
TOLERANCE = 0.03
LOADS = {
    "ci-mix": (["ci-mix", "--bytes", "30000000"], "count-ci-mix.pcap"),
    "dns-heavy": (["dns-heavy", "--packets", "100000"], "count-dns-heavy.pcap"),
}


def instructions(capture):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", CALLHOME, "replay", "--threads", "1",
               "--json", BENCH / "events.json", capture]
    output = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
    return int(re.search(r"refs:\s+([\d,]+)", output).group(1).replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accept", action="store_true")
    accept = parser.parse_args().accept
    if not shutil.which("valgrind"):
        sys.exit("valgrind is missing: apt-get install valgrind")
    for target in [[], ["--example", "lab"]]:
        subprocess.run(["cargo", "build", "--release", "--locked", *target], cwd=ROOT, check=True)
    BENCH.mkdir(parents=True, exist_ok=True)
    start_up = instructions(ROOT / "pcaps" / "axios-linux-runner.pcap")
    counts = {}
    for name, (options, file) in LOADS.items():
        capture = BENCH / file
        if not capture.exists():
            subprocess.run([LAB, "load", options[0], capture, *options[1:]], check=True)
        out = subprocess.run([LAB, "load", "walk", capture], check=True, capture_output=True, text=True).stdout
        counts[name] = round((instructions(capture) - start_up) / int(out.split()[0]))
    if accept:
        BASELINE.write_text(json.dumps(counts, indent=4) + "\n")
        print(f"{BASELINE.relative_to(ROOT)}: {counts}")
        return
    baseline = json.loads(BASELINE.read_text())
    print("| load | instructions for each packet | baseline | change |")
    print("|---|---|---|---|")
    worse = False
    for name, count in counts.items():
        change = count / baseline[name] - 1
        worse |= change > TOLERANCE
        print(f"| {name} | {count} | {baseline[name]} | {change:+.1%} |")
    if worse:
        sys.exit("a load costs more than its baseline; if that is meant, say why and run with --accept")


if __name__ == "__main__":
    main()
