//! Real captures, read from TCP segments on, against what tshark 4.0.17 says of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

use super::{HttpEvent, HttpStream, identify};
use crate::{
    bytes::Reader,
    flow::{Direction, Piece, ReassemblyBudget, SideStream},
    protocol::{Need, Verdict},
};

/// Where this reader and the manifest's tshark differ: the file, the value, and why. All are right.
const DIFFERENCES: [(&str, &str, &str); 4] = [
    (
        "c2/corelight_zeek-agenttesla-detector__testing__Traces__0e328ab7-12b2-4843-8717-a5b3ebef33a8.pcap",
        SSDP,
        "UDP",
    ),
    ("formats/zeek_zeek__testing__btest__Traces__raw_packets.pcap", SSDP, "UDP"),
    // The request's two segments come in reverse order, which tshark puts right only when told to
    // (tcp.reassemble_out_of_order).
    (OUT_OF_ORDER, "xxx.xxxxxxxxxxxx.xxx.xx", "out of order"),
    (OUT_OF_ORDER, "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2)", "out of order"),
];
/// HTTP's syntax in datagrams, which never form a connection.
const SSDP: &str = "239.255.255.250:1900";
const OUT_OF_ORDER: &str = "http/arkime_arkime__tests__pcap__http-tcp-seq-issue.pcap";

/// The folder of captures beside the repository or beside the repository's parent.
fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../shared/captures", "../../shared/captures"]
        .iter()
        .map(|path| root.join(path))
        .find(|path| path.is_dir())
}

/// One connection: both sides and, once recognised, its HTTP.
#[derive(Default)]
struct Connection {
    sides: [SideStream; 2],
    http: Option<HttpStream>,
    events: Vec<HttpEvent>,
}

impl Connection {
    fn segment(&mut self, direction: Direction, segment: &Segment<'_>, budget: &mut ReassemblyBudget) {
        let Self { sides, http, events } = self;
        let mut need = Need::More;
        let mut read = |piece: Piece<'_>| need = deliver(http, events, direction, piece);
        let side = &mut sides[direction.index()];
        let mut sequence = segment.sequence;
        if segment.flags & 2 != 0 {
            sequence = sequence.wrapping_add(1);
            side.start(sequence);
        }
        side.segment(sequence, segment.payload, segment.payload.len() as u32, budget, &mut read);
        apply(need, side, budget);
        if segment.flags & 16 != 0 {
            let back = direction.reverse();
            let mut need = Need::More;
            let mut read = |piece: Piece<'_>| need = deliver(http, events, back, piece);
            let side = &mut sides[back.index()];
            side.acknowledged(segment.acknowledgment, budget, &mut read);
            apply(need, side, budget);
        }
    }

    fn finish(mut self, budget: &mut ReassemblyBudget) -> (Vec<HttpEvent>, Option<bool>) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let Self { sides, http, events } = &mut self;
            let mut read = |piece: Piece<'_>| {
                deliver(http, events, direction, piece);
            };
            sides[direction.index()].finish(budget, &mut read);
        }
        let swapped = self.http.as_mut().map(|http| {
            http.finish(&mut self.events);
            http.roles_swapped()
        });
        (self.events, swapped)
    }
}

/// Hands a piece to the connection's HTTP, which may begin with any piece (behind SOCKS, say).
fn deliver(
    http: &mut Option<HttpStream>,
    events: &mut Vec<HttpEvent>,
    direction: Direction,
    piece: Piece<'_>,
) -> Need {
    let begins = matches!(piece, Piece::Data(bytes) if identify(bytes) == Verdict::Yes);
    if http.is_none() && begins {
        *http = Some(HttpStream::default());
    }
    http.as_mut().map_or(Need::More, |http| http.piece(direction, piece, events))
}

fn apply(need: Need, side: &mut SideStream, budget: &mut ReassemblyBudget) {
    match need {
        Need::More => {}
        Need::Skip(count) => side.skip(count),
        Need::Nothing => side.stop(budget),
    }
}

struct Segment<'a> {
    ends: [(Vec<u8>, u16); 2],
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    payload: &'a [u8],
}

/// A frame's TCP segment, for the few link types that the captures with HTTP have.
fn segment(link: i32, frame: &[u8]) -> Option<Segment<'_>> {
    let mut reader = Reader::new(frame);
    match link {
        0 => reader.skip(4)?,
        1 => {
            reader.skip(12)?;
            let mut kind = reader.u16()?;
            while kind == 0x8100 {
                reader.skip(2)?;
                kind = reader.u16()?;
            }
        }
        _ => {}
    }
    let ip = reader.rest();
    let (addresses, payload) = match ip.first()? >> 4 {
        4 if ip.get(9) == Some(&6) => {
            let length = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
            let length = if length == 0 { ip.len() } else { length.min(ip.len()) };
            ([ip.get(12..16)?, ip.get(16..20)?], ip.get(usize::from(ip[0] & 15) * 4..length)?)
        }
        6 if ip.get(6) == Some(&6) => {
            let length = 40 + usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
            ([ip.get(8..24)?, ip.get(24..40)?], ip.get(40..length.min(ip.len()))?)
        }
        _ => return None,
    };
    let mut tcp = Reader::new(payload);
    let ports = [tcp.u16()?, tcp.u16()?];
    let (sequence, acknowledgment) = (tcp.u32()?, tcp.u32()?);
    let (offset, flags) = (tcp.u8()? >> 4, tcp.u8()?);
    let payload = payload.get(usize::from(offset) * 4..)?;
    let ends = [(addresses[0].to_vec(), ports[0]), (addresses[1].to_vec(), ports[1])];
    Some(Segment { ends, sequence, acknowledgment, flags, payload })
}

/// All events of a capture, connection by connection in order of their first segment.
fn read(path: &Path) -> Vec<(Vec<HttpEvent>, Option<bool>)> {
    let unpacked = tempfile::NamedTempFile::new().unwrap();
    let mut path = path.to_path_buf();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_end(&mut bytes).unwrap();
        std::fs::write(unpacked.path(), bytes).unwrap();
        path = unpacked.path().to_path_buf();
    }
    let Ok(mut capture) = pcap::Capture::from_file(&path) else { return Vec::new() };
    let link = capture.get_datalink().0;
    let mut budget = ReassemblyBudget::default();
    let mut places = BTreeMap::new();
    let mut connections: Vec<Connection> = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        let Some(segment) = segment(link, packet.data) else { continue };
        let [source, destination] = segment.ends.clone();
        let back = places.get(&(destination.clone(), source.clone())).copied();
        let (place, direction) = match back {
            Some(place) => (place, Direction::ToClient),
            None => {
                let place = *places.entry((source, destination)).or_insert(connections.len());
                (place, Direction::ToServer)
            }
        };
        if place == connections.len() {
            connections.push(Connection::default());
        }
        connections[place].segment(direction, &segment, &mut budget);
    }
    let events = connections.into_iter().map(|connection| connection.finish(&mut budget)).collect();
    assert_eq!(budget.held(), 0);
    events
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A response as `method path > status length`, in order.
fn answers(path: &Path) -> Vec<String> {
    let answer = |event: HttpEvent| match event {
        HttpEvent::Response(response) => {
            let request = response.request.clone().unwrap_or_default();
            let (method, path) = (text(&request.method), text(request.path()));
            Some(format!("{method} {path} > {} {}", response.status, response.body_length))
        }
        _ => None,
    };
    read(path).into_iter().flat_map(|(events, _)| events).filter_map(answer).collect()
}

#[test]
fn hosts_and_user_agents_are_those_of_the_manifest() {
    let Some(folder) = folder() else { return println!("skipped: no captures") };
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let mut compared = 0;
    for entry in manifest["captures"].as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        let expected = |name: &str| {
            let values = entry["tshark_4_0_17"][name].as_array().into_iter().flatten();
            values.map(|value| value.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        let (mut hosts, mut agents) = (BTreeSet::new(), BTreeSet::new());
        for (events, _) in read(&folder.join(file)) {
            for event in &events {
                if let HttpEvent::Request(request) = event {
                    hosts.extend(request.host.as_deref().map(text));
                    agents.extend(request.user_agent.as_deref().map(text));
                }
            }
        }
        // What is damaged on purpose, tshark reads with its own guesses.
        if file.starts_with("malformed/") {
            continue;
        }
        compared += usize::from(!hosts.is_empty());
        for (found, expected) in [(hosts, expected("http_hosts")), (agents, expected("http_user_agents"))] {
            for value in found.symmetric_difference(&expected) {
                let known = DIFFERENCES.iter().any(|(place, known, _)| *place == file && known == value);
                assert!(known, "{file}: {value}, found {}", found.contains(value));
            }
        }
    }
    assert!(compared >= 10);
}

#[test]
fn responses_have_the_sizes_that_tshark_gives() {
    let Some(folder) = folder() else { return println!("skipped: no captures") };
    let answers = |file: &str| answers(&folder.join("http").join(file));
    assert_eq!(
        answers("zeek_zeek__testing__btest__Traces__http__pipelined-requests.pcap"),
        [
            "GET /style/enhanced.css > 200 946",
            "GET /script/urchin.js > 200 6716",
            "GET /images/template/screen/bullet_utility.png > 200 94",
            "GET /images/template/screen/key-point-top.png > 200 2349",
            "GET /projects/calendar/images/header-sunbird.png > 200 27579",
        ]
    );
    // The first body looks like a mail with a coding of its own, which is nothing to HTTP.
    assert_eq!(
        answers("zeek_zeek__testing__btest__Traces__http__smuggle-http-request.pcap"),
        ["POST /first > 200 35", "POST /smuggle-this > 200 35"]
    );
    assert_eq!(
        answers("zeek_zeek__testing__btest__Traces__http__iso-download.pcap.gz"),
        ["GET /myiso.iso > 200 358400"]
    );
    let evader =
        |case| answers(&format!("OISF_suricata-verify__tests__http-evader__http-evader-{case}__input.pcap"));
    // Folded lines, and a space before the colon.
    assert_eq!(
        evader(130),
        ["GET /compressed/eicar.txt/ce%3Adeflate-nl-,-nl-deflate-nl-;deflate;deflate > 200 75"]
    );
    assert_eq!(evader(176), ["GET /compressed/eicar.txt/ce-space-colon-gzip;gzip > 200 88"]);
}

#[test]
fn behind_socks_the_ends_may_be_swapped() {
    let Some(folder) = folder() else { return println!("skipped: no captures") };
    let connections = read(&folder.join("http/arkime_arkime__tests__pcap__socks5-reverse.pcap"));
    let roles: Vec<_> = connections.iter().filter_map(|(_, swapped)| *swapped).collect();
    assert_eq!(roles, [true]);
}
