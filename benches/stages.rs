//! What each stage costs by itself: `cargo bench`, or `cargo bench -- NAME` for one.
//!
//! Times on a busy machine vary; `scripts/instructions.py` counts instructions, which do not.

use std::{fs, io::Write as _, net::IpAddr, path::Path, sync::Arc};

use callhome::{
    address::AddressWords,
    asset::Assets,
    decode::{DecodeOptions, LinkType, Tenant, Transport, decode},
    detect::Detection,
    engine::{Analysis, AnalysisOptions, Border, Generation, Reload, Turn},
    event::EventOptions,
    flow::{Direction, Endpoint, Flow, FlowKey, FlowTable, TcpTracker},
    indicator::{AsOf, Knowledge, Loader},
    limits,
    names::Names,
    observation::{DnsFacts, Observer, ObserverOptions, QuietDns, QuietHead},
    protocol::{
        dns::{Message, Name, NameBuf, Outline},
        tls::TlsStream,
    },
    source::Timeline,
    time::Timestamp,
};
use divan::{Bencher, black_box, counter::ItemsCount};

fn main() {
    divan::main();
}

/// The project's own capture of the case that it was made for.
fn capture() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/axios-linux-runner.pcap")).expect("a capture")
}

/// The frames of that capture.
fn frames() -> Vec<Vec<u8>> {
    let bytes = capture();
    let mut frames = Vec::new();
    let mut rest = &bytes[24..];
    while let Some(header) = rest.first_chunk::<16>() {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        frames.push(rest[16..16 + length].to_vec());
        rest = &rest[16 + length..];
    }
    frames
}

/// The payloads of that capture's frames for which `wanted` answers one.
fn payloads(wanted: impl Fn(&Transport<'_>) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let options = DecodeOptions::default();
    let frames = frames();
    let decoded = frames.iter().map(|frame| decode(LinkType::ETHERNET, frame, frame.len() as u32, &options));
    decoded.filter_map(|decoded| wanted(&decoded.transport)).collect()
}

fn dns_messages() -> Vec<Vec<u8>> {
    payloads(|transport| match transport {
        Transport::Udp(udp) if udp.source_port == 53 || udp.destination_port == 53 => {
            Some(udp.payload.to_vec())
        }
        _ => None,
    })
}

/// The records of a file, found and handed over in batches: no analysis.
#[divan::bench]
fn walk(bencher: Bencher<'_, '_>) {
    const COPIES: usize = 200;
    let bytes = capture();
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&bytes[..24]).expect("room");
    // The same times again and again would be out of order; the window puts them right at a cost.
    let (mut rest, mut records) = (&bytes[24..], Vec::new());
    while let Some(header) = rest.first_chunk::<16>() {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        records.push(rest[..16 + length].to_vec());
        rest = &rest[16 + length..];
    }
    for copy in 0..COPIES as u32 {
        for record in &mut records {
            record[..4].copy_from_slice(&(1_800_000_000 + copy).to_le_bytes());
            record[4..8].copy_from_slice(&[0; 4]);
            file.write_all(record).expect("room");
        }
    }
    let paths = [file.path().to_path_buf()];
    bencher.counter(ItemsCount::new(COPIES * records.len())).bench(|| {
        let mut timeline = Timeline::open(&paths);
        let mut bytes = 0;
        while let Some(batch) = timeline.next_batch() {
            bytes += batch.frames().map(|frame| frame.bytes.len()).sum::<usize>();
        }
        bytes
    });
}

#[divan::bench]
fn decode_frames(bencher: Bencher<'_, '_>) {
    let (frames, options) = (frames(), DecodeOptions { checksums: true, ..DecodeOptions::default() });
    bencher.counter(ItemsCount::new(frames.len())).bench(|| {
        for frame in &frames {
            black_box(decode(LinkType::ETHERNET, frame, frame.len() as u32, &options));
        }
    });
}

fn key(number: u32) -> FlowKey {
    let client =
        Endpoint { address: IpAddr::from((0x0a00_0000 + number).to_be_bytes()), port: number as u16 };
    let server = Endpoint { address: IpAddr::from([192, 0, 2, 1]), port: 443 };
    FlowKey::new(Tenant::default(), client, server, 6)
}

/// Looking up a flow among as many as are in the table, in no order that the cache could know.
#[divan::bench(args = [1_000, 30_000, 300_000])]
fn flow_table(bencher: Bencher<'_, '_>, flows: u32) {
    let mut table = FlowTable::new(1 << 20);
    for number in 0..flows {
        let key = key(number);
        let time = Timestamp::default();
        let tcp = TcpTracker::default();
        let flow = Flow {
            key,
            client_is_low: true,
            first: time,
            last: time,
            touched: time,
            first_packet: u64::from(number),
            tcp,
            data: [0_u8; 200],
        };
        let hash = table.hash(&flow.key);
        table.insert(flow, hash);
    }
    let keys: Vec<_> = (0..1000_u32).map(|turn| key(turn.wrapping_mul(2_654_435_761) % flows)).collect();
    bencher
        .counter(ItemsCount::new(keys.len()))
        .bench(|| keys.iter().filter(|key| table.find(key).is_some()).count());
}

/// A usual message in one pass.
#[divan::bench]
fn dns_outline(bencher: Bencher<'_, '_>) {
    let messages = dns_messages();
    bencher.counter(ItemsCount::new(messages.len())).bench(|| {
        for message in &messages {
            black_box(Outline::of(message).map(|outline| outline.answers().count()));
        }
    });
}

/// The same message by the general reader, every record of it.
#[divan::bench]
fn dns_message(bencher: Bencher<'_, '_>) {
    let messages = dns_messages();
    bencher.counter(ItemsCount::new(messages.len())).bench(|| {
        for message in &messages {
            let message = Message::parse(message).expect("a message");
            black_box((message.questions().count(), message.records().map(|record| record.ttl).sum::<u32>()));
        }
    });
}

fn knowledge(domains: u32) -> Knowledge {
    let mut list = String::new();
    for number in 0..domains {
        list.push_str(&format!(
            "n{}.{}\n",
            number.wrapping_mul(2_654_435_761),
            ["com", "net", "co.uk"][number as usize % 3]
        ));
        if number % 10 == 0 {
            list.push_str(&format!("198.18.{}.{}\n", number / 10 % 256, number / 2560 % 256));
        }
    }
    let mut loader = Loader::default();
    loader.bytes("list.txt", list.as_bytes());
    loader.finish()
}

/// Names that are listed nowhere.
#[divan::bench(args = [1_000, 1_000_000])]
fn name_lookup(bencher: Bencher<'_, '_>, domains: u32) {
    let knowledge = knowledge(domains);
    let names: Vec<_> = (0..1000_u32)
        .map(|number| NameBuf::from_text(format!("www.site{number}.com").as_bytes()).expect("a name"))
        .collect();
    bencher
        .counter(ItemsCount::new(names.len()))
        .bench(|| names.iter().filter(|name| knowledge.indicators.may_list_name(name.as_name())).count());
}

/// Addresses that are listed nowhere.
#[divan::bench]
fn address_lookup(bencher: Bencher<'_, '_>) {
    let knowledge = knowledge(1_000_000);
    let addresses: Vec<_> =
        (0..1000_u32).map(|number| IpAddr::from(number.wrapping_mul(2_654_435_761).to_be_bytes())).collect();
    bencher.counter(ItemsCount::new(addresses.len())).bench(|| {
        addresses.iter().filter(|address| knowledge.indicators.may_list_address(**address)).count()
    });
}

/// A ClientHello from its record to what detection reads of it.
#[divan::bench]
fn client_hello(bencher: Bencher<'_, '_>) {
    let hellos = payloads(|transport| match transport {
        Transport::Tcp(tcp) if tcp.payload.starts_with(&[22, 3, 1]) => Some(tcp.payload.to_vec()),
        _ => None,
    });
    assert!(!hellos.is_empty());
    bencher.counter(ItemsCount::new(hellos.len())).bench(|| {
        for hello in &hellos {
            let mut events = Vec::new();
            TlsStream::default().push(Direction::ToServer, hello, &mut events);
            black_box(events);
        }
    });
}

/// Going over to other indicators: what a worker and detection do between two batches of frames.
#[divan::bench]
fn hand_over(bencher: Bencher<'_, '_>) {
    let lists = [Arc::new(knowledge(1_000_000)), Arc::new(knowledge(1_000_000))];
    let options = AnalysisOptions {
        assets: Assets::default(),
        as_of: AsOf::Packet,
        records: false,
        events: EventOptions::default(),
        screen: true,
    };
    let mut analysis = Analysis::new(Arc::clone(&lists[0]), options, None);
    let mut observer = Observer::new(ObserverOptions::default()).with_screen(Arc::clone(&lists[0]) as _);
    let mut number = 1;
    bencher.bench_local(|| {
        number += 1;
        let knowledge = Arc::clone(&lists[number as usize % 2]);
        observer.begin_generation(Some(Arc::clone(&knowledge) as _));
        let reloads = vec![Reload::Taken(Generation { number, knowledge })];
        let border = Border { turn: Turn { reloads, ..Turn::default() }, first: None };
        analysis.turn(&border).expect("no events");
    });
}

/// What each batch of frames costs besides, until all names that are known have been looked at again.
#[divan::bench]
fn look_again(bencher: Bencher<'_, '_>) {
    let knowledge = Arc::new(knowledge(1_000_000));
    let mut names = Names::default();
    for number in 0..limits::NAMES as u32 {
        let about = QuietHead {
            time: Timestamp::default(),
            tenant: Tenant::default(),
            client: AddressWords::v4(0x0a00_0000 | (number % 5_000)),
            server: AddressWords::v4(0x0a00_0035),
            port: 53,
            is_response: true,
            facts: DnsFacts::default(),
        };
        let name = NameBuf::from_text(format!("www.site{number}.com").as_bytes()).expect("a name");
        let name: Name<'_> = name.as_name();
        let addresses = &[(AddressWords::v4(number), 300)];
        names.learn_quiet(&QuietDns { about: &about, packet: 0, name, addresses });
    }
    let mut detection = Detection::new(Arc::clone(&knowledge), AsOf::Packet);
    let mut calls = 0;
    bencher.bench_local(|| {
        if calls % 256 == 0 {
            detection.begin_generation(Arc::clone(&knowledge));
        }
        calls += 1;
        detection.look_again(&names);
    });
}
