#!/usr/bin/env python3
"""Compares what callhome and tshark read in captures: names and counts, difference by difference.

    scripts/compare-with-tshark.py [options] CAPTURE_OR_DIRECTORY...

Of each capture the values of these fields are compared as sets, and the DNS messages by number:

    dns     query names over UDP and TCP          sni     server names in TLS
    mdns    query names of mDNS and LLMNR         quic    server names in QUIC
    host    HTTP's Host                           agent   HTTP's User-Agent

Differences of form are levelled first: letter case of names, the root's name, a port behind a Host, and the
ways in which the two write bytes that are not printable ASCII. tshark also reads what ICMP errors quote and
HTTP over UDP (SSDP); the first is counted apart, the second is the field `ssdp`, which callhome does not have.

Run by hand: tshark is not needed for anything else. docs/compared-with-tshark.md tells what came out of it.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

FIELDS = ["dns", "mdns", "sni", "quic", "host", "agent"]

# One pass to put streams and datagrams together, one to read them.
TSHARK = [
    "tshark", "-n", "-2",
    "-o", "tcp.desegment_tcp_streams:TRUE",
    "-o", "tcp.reassemble_out_of_order:TRUE",
    "-o", "ip.defragment:TRUE",
    "-Y", "dns || mdns || llmnr || tls.handshake.type == 1 || http.request",
    "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=\x1f", "-E", "separator=\x1e",
]
COLUMNS = [
    "frame.number", "frame.protocols", "dns.id", "dns.qry.name",
    "tls.handshake.extensions_server_name", "http.host", "http.user_agent",
]


def level(text, is_name=True):
    """The value without what only the two programs' ways of writing tell apart."""
    text = text.strip()
    # Escapes and bytes that are not printable ASCII, in any number, are one question mark.
    text = re.sub(r"\\u\{[0-9a-f]+\}|\\x[0-9a-fA-F]{2}|\\[0-9]{3}|\\[abfnrtv]|[^\x20-\x7e]", "?", text)
    text = re.sub(r"\\(.)", r"\1", text)
    text = re.sub(r"\?+", "?", text)
    if is_name:
        text = text.lower()
        if text in ("<root>", "."):
            return "."
        text = text.rstrip(".") or text
    return text


def without_port(host):
    return re.sub(r":\d*$", "", host)


class Seen:
    """What one program saw in one capture."""

    def __init__(self):
        self.fields = {name: collections.Counter() for name in FIELDS + ["ssdp"]}
        self.counts = collections.Counter()
        self.complaint = ""

    def add(self, field, value):
        if field == "host":
            value = without_port(level(value))
        else:
            value = level(value, is_name=field not in ("agent", "ssdp"))
        if value:
            self.fields[field][value] += 1


def run(command, timeout):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return -1, "", f"no answer in {timeout} s"


def tshark(path, options):
    """tshark's fields; kept in the cache directory, since it is slow and does not change."""
    command = TSHARK + [word for column in COLUMNS for word in ("-e", column)] + ["-r", path]
    kept = None
    if options.cache:
        with open(path, "rb") as file:
            key = hashlib.sha256(file.read() + repr(command[:-1]).encode()).hexdigest()
        kept = os.path.join(options.cache, key)
        if os.path.exists(kept):
            with open(kept, encoding="utf-8") as file:
                code, out, complaint = json.load(file)
            return read_tshark(code, out, complaint)
    code, out, complaint = run(command, options.timeout)
    if kept:
        with open(kept, "w", encoding="utf-8") as file:
            json.dump([code, out, complaint], file)
    return read_tshark(code, out, complaint)


def read_tshark(code, out, complaint):
    seen = Seen()
    if code != 0:
        lines = [line for line in complaint.splitlines() if line and not line.startswith("Running as user")]
        seen.complaint = lines[-1] if lines else f"exit code {code}"
    for line in out.split("\n"):
        columns = line.split("\x1e")
        if len(columns) != len(COLUMNS):
            continue
        values = [column.split("\x1f") if column else [] for column in columns]
        _, protocols, ids, names, servers, hosts, agents = values
        stack = protocols[0].split(":") if protocols else []
        inner = set(stack)
        if inner & {"icmp", "icmpv6"} and inner & {"dns", "mdns", "llmnr", "http"}:
            seen.counts["quoted by ICMP"] += 1
            continue
        multicast = inner & {"mdns", "llmnr"}
        seen.counts["mdns messages" if multicast else "dns messages"] += len(ids)
        for name in names:
            seen.add("mdns" if multicast else "dns", name)
        for name in servers:
            seen.add("quic" if "quic" in inner else "sni", name)
        for host in hosts:
            seen.add("ssdp" if "ssdp" in inner else "host", host)
        for agent in agents:
            seen.add("ssdp" if "ssdp" in inner else "agent", agent)
    return seen


def callhome(path, options):
    code, out, complaint = run([options.callhome, "replay", path, "--records", "--json", "-"], options.timeout)
    seen = Seen()
    if code not in (0, 1):
        seen.complaint = complaint.strip().splitlines()[-1] if complaint.strip() else f"exit code {code}"
    for line in out.splitlines():
        event = json.loads(line)
        kind = event["event_type"]
        if kind in ("dns", "mdns"):
            multicast = kind == "mdns" or event.get("callhome", {}).get("service") == "llmnr"
            seen.counts["mdns messages" if multicast else "dns messages"] += 1
            for query in event[kind].get("queries", []):
                seen.add("mdns" if multicast else "dns", query["rrname"])
        elif kind == "tls":
            seen.add("sni", event["tls"].get("sni", ""))
        elif kind == "quic":
            seen.add("quic", event["quic"].get("sni", ""))
        elif kind == "http":
            seen.add("host", event["http"].get("hostname", ""))
            seen.add("agent", event["http"].get("http_user_agent", ""))
    return seen


def captures(paths):
    for path in paths:
        if not os.path.isdir(path):
            yield path
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (os.path.join(folder, name) for name in sorted(names))


def compare(path, options):
    return path, callhome(path, options), tshark(path, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captures", nargs="+", metavar="CAPTURE", help="capture files, or directories of them")
    parser.add_argument("--callhome", default="target/release/callhome", help="the program [%(default)s]")
    parser.add_argument("--cache", help="directory that keeps what tshark said")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one capture [%(default)s]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="captures at once [%(default)s]")
    options = parser.parse_args()
    if options.cache:
        os.makedirs(options.cache, exist_ok=True)

    totals = {name: collections.Counter() for name in FIELDS}
    counts = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for path, ours, theirs in pool.map(lambda path: compare(path, options), captures(options.captures)):
            counts["captures"] += 1
            if ours.complaint or theirs.complaint:
                who = "both" if ours.complaint and theirs.complaint else "callhome" if ours.complaint else "tshark"
                counts[f"refused by {who}"] += 1
                print(f"{path}: refused by {who}: {ours.complaint!r}, {theirs.complaint!r}")
            for field in FIELDS:
                mine, others = ours.fields[field], theirs.fields[field]
                totals[field]["both"] += len(mine.keys() & others.keys())
                totals[field]["only callhome"] += len(mine.keys() - others.keys())
                totals[field]["only tshark"] += len(others.keys() - mine.keys())
                for value in sorted(mine.keys() - others.keys()):
                    print(f"{path}: {field}: only callhome: {value!r}")
                for value in sorted(others.keys() - mine.keys()):
                    print(f"{path}: {field}: only tshark: {value!r}")
            for name in ("dns messages", "mdns messages"):
                counts[f"{name}, callhome"] += ours.counts[name]
                counts[f"{name}, tshark"] += theirs.counts[name]
                if ours.counts[name] != theirs.counts[name]:
                    print(f"{path}: {name}: callhome {ours.counts[name]}, tshark {theirs.counts[name]}")
            counts["quoted by ICMP"] += theirs.counts["quoted by ICMP"]
            counts["SSDP values"] += len(theirs.fields["ssdp"])

    print("\nfield   in both   only callhome   only tshark   (distinct values of each capture)")
    for field in FIELDS:
        total = totals[field]
        print(f"{field:<7}{total['both']:>8}{total['only callhome']:>16}{total['only tshark']:>14}")
    for name, count in sorted(counts.items()):
        print(f"{name}: {count}")


if __name__ == "__main__":
    sys.exit(main())
