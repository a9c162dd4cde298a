#!/usr/bin/env bash
# Installs what building needs and a Debian machine with Rust may lack: a C compiler (for zstd, xz and
# ring) and libpcap's headers (for capture filters). Installs nothing when nothing is missing.
set -euo pipefail

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
printf '#include <pcap/pcap.h>\n' | cc -E -x c - >/dev/null 2>&1 || missing+=(libpcap-dev)
[ "${#missing[@]}" -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "callhome needs ${missing[*]} (by Debian's names); please install them with this system's package manager" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "run as root, or install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
