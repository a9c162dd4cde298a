#!/usr/bin/env python3
"""Whole-process figures of `callhome replay` beside tcpdump and a plain walk over the same file.

    scripts/bench.py [--runs 5] [--quick]

Makes the loads with the lab (target/bench, some 2.6 GB, never committed), compiles a feed of a million domains
and a hundred thousand prefixes, and prints tables: medians of paired runs, CPU seconds of user and system
together, start-up included. Ratios hold on a busy machine, seconds do not. Needs tcpdump. --quick makes small
loads, to try the script itself.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "target" / "bench"
CALLHOME = ROOT / "target" / "release" / "callhome"
LAB = ROOT / "target" / "release" / "examples" / "lab"


class Run:
    """One process: CPU seconds, wall seconds, peak resident and peak anonymous bytes."""

    def __init__(self, command, sample_memory=False):
        begun = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.anonymous = 0
        while sample_memory:
            try:
                with open(f"/proc/{process.pid}/status") as status:
                    for line in status:
                        if line.startswith("RssAnon:"):
                            self.anonymous = max(self.anonymous, int(line.split()[1]) * 1024)
            except OSError:
                pass
            finished = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if finished:
                break
            time.sleep(0.01)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{command}: exit code {process.returncode}")
        self.wall = time.monotonic() - begun
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss * 1024


def replay(capture, threads=1, indicators=None):
    command = [CALLHOME, "replay", "--threads", threads, "--json", BENCH / "events.json"]
    if indicators:
        command += ["--indicators", indicators]
    return command + [capture]


def prepare(quick):
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release", "--locked", "--example", "lab"], cwd=ROOT, check=True)
    BENCH.mkdir(parents=True, exist_ok=True)
    size = "small-" if quick else ""
    loads = {
        "ci-mix": ["ci-mix", "--bytes", 20_000_000 if quick else 1_000_000_000],
        "dns-heavy": ["dns-heavy", "--packets", 100_000 if quick else 5_000_000],
        "flood": ["flood", "--flows", 50_000 if quick else 10_000_000],
    }
    captures = {}
    for name, (kind, *options) in loads.items():
        captures[name] = BENCH / f"{size}{name}.pcap"
        if not captures[name].exists():
            subprocess.run([str(part) for part in [LAB, "load", kind, captures[name], *options]], check=True)
    feed = BENCH / "feed"
    if not (feed / "prefixes.txt").exists():
        subprocess.run([LAB, "load", "feed", feed], check=True)
    compiled = BENCH / "feed.compiled"
    subprocess.run([CALLHOME, "indicators", "compile", feed, "--output", compiled], check=True,
                   stdout=subprocess.DEVNULL)
    return captures, feed, compiled


def median(values):
    return statistics.median(values)


def count_packets(capture):
    out = subprocess.run([LAB, "load", "walk", capture], check=True, capture_output=True, text=True).stdout
    return int(out.split()[0])


def speed(captures, compiled, runs):
    print(f"\nOne worker, indicators from a compiled file, all detectors, events to a file; medians of {runs} runs\n")
    print("| capture | CPU s | ns/packet | Gbit/s | peak anonymous MiB | x tcpdump | x header walk |")
    print("|---|---|---|---|---|---|---|")
    for name in ["ci-mix", "dns-heavy"]:
        capture = captures[name]
        packets, size = count_packets(capture), capture.stat().st_size
        rows = []
        for _ in range(runs):
            rows.append((Run(replay(capture, 1, compiled)),
                         Run(["tcpdump", "-nr", capture, "-w", "/dev/null"]),
                         Run([LAB, "load", "walk", capture])))
        memory = Run(replay(capture, 1, compiled), sample_memory=True).anonymous
        cpu = median([ours.cpu for ours, _, _ in rows])
        tcpdump = median([ours.cpu / theirs.cpu for ours, theirs, _ in rows])
        walk = median([ours.cpu / walk.cpu for ours, _, walk in rows])
        print(f"| {name} ({packets:,} packets) | {cpu:.2f} | {cpu / packets * 1e9:.0f} | "
              f"{size * 8 / cpu / 1e9:.1f} | {memory / 2**20:.0f} | {tcpdump:.2f} | {walk:.1f} |")


def threads(captures, compiled, runs):
    print(f"\nTwo workers against one: wall time of one divided by that of two (needs two free cores)\n")
    print("| capture | throughput | CPU |")
    print("|---|---|---|")
    for name in ["ci-mix", "dns-heavy"]:
        pairs = [(Run(replay(captures[name], 1, compiled)), Run(replay(captures[name], 2, compiled)))
                 for _ in range(runs)]
        wall = median([one.wall / two.wall for one, two in pairs])
        cpu = median([two.cpu / one.cpu for one, two in pairs])
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")


def start_up(feed, compiled, runs):
    tiny = ROOT / "pcaps" / "axios-linux-runner.pcap"
    print("\nStart-up with a million domains and a hundred thousand prefixes: less what the same replay takes without\n")
    print("| indicators | CPU s | peak anonymous MiB |")
    print("|---|---|---|")
    without = median([Run(replay(tiny)).cpu for _ in range(runs)])
    for name, path in [("text", feed), ("compiled", compiled)]:
        cpu = median([Run(replay(tiny, 1, path)).cpu for _ in range(runs)])
        memory = max(Run(replay(tiny, 1, path), sample_memory=True).anonymous for _ in range(runs))
        print(f"| {name} | {cpu - without:.3f} | {memory / 2**20:.0f} |")
    print(f"\nThe compiled file has {compiled.stat().st_size / 1.1e6:.0f} bytes for each indicator.")


def flood(captures, compiled):
    run = Run(replay(captures["flood"], 1, compiled), sample_memory=True)
    print(f"\nFlood of spoofed senders: {run.anonymous / 2**20:.0f} MiB anonymous at its peak, {run.cpu:.1f} s CPU.")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--quick", action="store_true")
    options = arguments.parse_args()
    if not shutil.which("tcpdump"):
        sys.exit("tcpdump is missing: apt-get install tcpdump")
    captures, feed, compiled = prepare(options.quick)
    speed(captures, compiled, options.runs)
    threads(captures, compiled, options.runs)
    start_up(feed, compiled, options.runs)
    flood(captures, compiled)


if __name__ == "__main__":
    main()
