//! The captures of others (`../shared/captures`): what their manifest says that tshark reads there.
//!
//! Only a test, so that frames are sliced by etherparse and segments put in order by sorting.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::*;
use crate::flow::Direction;

/// The folder of captures, where it is.
pub(crate) fn folder() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/captures", "../../shared/captures"].iter().map(|path| root.join(path));
    let found = found.into_iter().find(|path| path.join("manifest.json").exists());
    if found.is_none() {
        println!("skipped: the folder shared/captures is not here");
    }
    found
}

/// The captures of the manifest whose file begins with one of `folders`: file and names by tshark.
pub(crate) fn manifest(folders: &[&str]) -> Vec<(String, BTreeSet<String>)> {
    let Some(folder) = folder() else { return Vec::new() };
    let text = std::fs::read_to_string(folder.join("manifest.json")).expect("manifest");
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let captures = manifest["captures"].as_array().expect("captures").iter().map(|capture| {
        let names = capture["tshark_4_0_17"]["tls_sni"].as_array();
        let names = names.into_iter().flatten().map(|name| name.as_str().expect("name").to_owned()).collect();
        (capture["file"].as_str().expect("file").to_owned(), names)
    });
    captures.filter(|(file, _)| folders.iter().any(|folder| file.starts_with(folder))).collect()
}

/// One segment or datagram.
pub(crate) struct Payload {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// TCP's sequence number and whether it is a SYN; `None` for UDP.
    pub sequence: Option<(u32, bool)>,
    pub bytes: Vec<u8>,
}

/// The payloads of TCP and UDP in one capture.
pub(crate) fn payloads(file: &str) -> Vec<Payload> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut capture = pcap::Capture::from_file(folder.join(file)).expect("capture");
    let link = capture.get_datalink();
    let mut out = Vec::new();
    while let Ok(frame) = capture.next_packet() {
        let sliced = match link {
            pcap::Linktype::ETHERNET => SlicedPacket::from_ethernet(frame.data),
            pcap::Linktype::NULL => SlicedPacket::from_ip(&frame.data[4..]),
            other => panic!("link type {other:?} of {file}"),
        };
        let Ok(sliced) = sliced else { continue };
        let (source, destination) = match &sliced.net {
            Some(NetSlice::Ipv4(ip)) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            Some(NetSlice::Ipv6(ip)) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            _ => continue,
        };
        let (ports, sequence, bytes) = match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => (
                (tcp.source_port(), tcp.destination_port()),
                Some((tcp.sequence_number(), tcp.syn())),
                tcp.payload(),
            ),
            Some(TransportSlice::Udp(udp)) => {
                ((udp.source_port(), udp.destination_port()), None, udp.payload())
            }
            _ => continue,
        };
        out.push(Payload {
            source: SocketAddr::new(source, ports.0),
            destination: SocketAddr::new(destination, ports.1),
            sequence,
            bytes: bytes.to_vec(),
        });
    }
    out
}

/// The bytes of each direction of each connection of a capture, in order as far as they are without
/// a gap. A SYN begins another connection of the same ends.
fn streams(file: &str) -> BTreeMap<(SocketAddr, SocketAddr, u32), Vec<u8>> {
    let mut counts: BTreeMap<(SocketAddr, SocketAddr), u32> = BTreeMap::new();
    let mut starts: BTreeMap<(SocketAddr, SocketAddr, u32), u32> = BTreeMap::new();
    let mut segments: BTreeMap<(SocketAddr, SocketAddr, u32), BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    for payload in payloads(file) {
        let Some((sequence, syn)) = payload.sequence else { continue };
        let ends = (payload.source, payload.destination);
        let count = counts.entry(ends).or_default();
        *count += u32::from(syn);
        let key = (ends.0, ends.1, *count);
        let start = *starts.entry(key).or_insert(sequence.wrapping_add(syn.into()));
        let offset = sequence.wrapping_add(syn.into()).wrapping_sub(start);
        if !payload.bytes.is_empty() && offset < 1 << 24 {
            let longest = segments.entry(key).or_default().entry(offset).or_default();
            if payload.bytes.len() > longest.len() {
                *longest = payload.bytes;
            }
        }
    }
    let joined = segments.into_iter().map(|(key, segments)| {
        let mut bytes: Vec<u8> = Vec::new();
        for (offset, segment) in segments {
            let Some(fresh) = bytes.len().checked_sub(offset as usize) else { break };
            bytes.extend_from_slice(segment.get(fresh..).unwrap_or_default());
        }
        (key, bytes)
    });
    joined.collect()
}

/// What the TLS in `bytes` shows, wherever in the first bytes it begins (STARTTLS, CONNECT).
fn events(bytes: &[u8]) -> Vec<TlsEvent> {
    let mut out = Vec::new();
    let begins = (0..bytes.len().min(16 << 10)).filter(|&at| at == 0 || bytes[at - 1] == b'\n');
    let tls = begins.map(|at| &bytes[at..]).find(|rest| identify(rest) == crate::protocol::Verdict::Yes);
    if let Some(tls) = tls {
        let mut stream = TlsStream::new();
        for segment in tls.chunks(1460) {
            stream.push(Direction::ToServer, segment, &mut out);
        }
        stream.finish(&mut out);
    }
    out
}

#[test]
fn server_names_are_those_of_the_manifest() {
    for (file, expected) in manifest(&["tls/", "c2/", "quic/"]) {
        let mut names = BTreeSet::new();
        for ((source, destination, _), bytes) in streams(&file) {
            for event in events(&bytes) {
                println!("{file} {source} > {destination}: {}", line(&event));
                if let TlsEvent::ClientHello(hello) = event
                    && let Some(sni) = &hello.sni
                {
                    names.insert(String::from_utf8_lossy(sni).into_owned());
                }
            }
        }
        // A capture of QUIC has names there too.
        if file.starts_with("quic/") {
            assert!(names.is_subset(&expected), "{file}: {names:?}");
        } else {
            assert_eq!(names, expected, "{file}");
        }
    }
}

#[test]
fn fingerprints_are_those_that_others_compute() {
    // JA3 and JA3S by tshark 4.0.17, JA4 as FoxIO documents it for its captures.
    let expected = [
        ("FoxIO-LLC_ja4__pcap__browsers-x509", "34fcb8e0ef812f18e760b52314a54fd0"),
        ("FoxIO-LLC_ja4__pcap__browsers-x509", "b898351eb5e266aefd3723d466935494"),
        ("FoxIO-LLC_ja4__pcap__browsers-x509", "t13d1516h2_8daaf6152771_e5627efa2ab1"),
        ("tls13_draft18", "23d254f72096d25c350e4a4a792f4948"),
        ("tls13_draft18", "b8a8031b301aef7618403061e9f33065"),
        ("chrome-1250-tls-x25519-kyber", "9d33d8206d4fec4c8b1423c728f4cd3c"),
        ("smtp-starttls.pcap", "6b96cf9c27b0223177b0e9f135fe4899"),
        ("MaliciousC2", "49ed2ef3f1321e5f044f1e71b0e6fdd5"),
        ("tls-glupteba", "e1691a31bfe345d2692da75636ddfb00"),
    ];
    for (file, _) in manifest(&["tls/", "c2/"]) {
        let mut seen = BTreeSet::new();
        for event in streams(&file).values().flat_map(|bytes| events(bytes)) {
            match event {
                TlsEvent::ClientHello(hello) => seen.extend([hello.ja3().to_owned(), hello.ja4().to_owned()]),
                TlsEvent::ServerHello(hello) => seen.extend([hello.ja3s().to_owned()]),
                _ => {}
            }
        }
        for (_, fingerprint) in expected.iter().filter(|(part, _)| file.contains(part)) {
            assert!(seen.contains(*fingerprint), "{file}: {fingerprint} not in {seen:?}");
        }
    }
}

#[test]
fn no_place_in_another_protocol_is_taken_for_tls() {
    let others = manifest(&[
        "http/OISF",
        "dns-tunnel/",
        "c2/corelight_zeek-spicy-facefish",
        "tls/FoxIO-LLC_ja4__pcap__ssh2",
    ]);
    for (file, _) in others {
        for ((source, destination, _), bytes) in streams(&file) {
            let places =
                (0..bytes.len()).filter(|&at| identify(&bytes[at..]) == crate::protocol::Verdict::Yes);
            assert_eq!(places.count(), 0, "{file} {source} > {destination}");
        }
    }
}

/// One event in a line, for comparing by eye: `cargo test captures -- --nocapture`.
fn line(event: &TlsEvent) -> String {
    match event {
        TlsEvent::ClientHello(hello) => format!(
            "client {} {} {} {:?} alpn {} ech {} cut {}",
            version_name(hello.version),
            hello.ja3(),
            hello.ja4(),
            hello.sni.as_ref().map(|sni| String::from_utf8_lossy(sni)),
            hello.alpn.len(),
            hello.ech,
            hello.cut,
        ),
        TlsEvent::ServerHello(hello) => format!(
            "server {} {:04x} {} {} retry {} cut {}",
            version_name(hello.version),
            hello.cipher,
            hello.ja3s(),
            hello.ja3s_text(),
            hello.retry,
            hello.cut
        ),
        TlsEvent::Certificates(chain) => {
            let parts = chain.iter().map(|one| {
                format!(
                    "\n    [{}] by [{}] serial {} sha1 {} {}..{} names {:?} damaged {}",
                    one.subject,
                    one.issuer,
                    one.serial,
                    fingerprint::hex(&one.sha1),
                    one.not_before,
                    one.not_after,
                    one.names,
                    one.damaged
                )
            });
            format!("certificates{}", parts.collect::<String>())
        }
        TlsEvent::Encrypted => "encrypted".into(),
    }
}
