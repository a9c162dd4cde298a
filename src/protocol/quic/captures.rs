//! The captures of others (`../shared/captures`): what their manifest says that tshark reads there.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::flow::Direction;
use crate::protocol::Verdict;
use crate::protocol::tls::captures::{manifest, payloads};

#[test]
fn server_names_are_those_of_the_manifest() {
    for (file, expected) in manifest(&["quic/"]) {
        let mut flows = BTreeMap::new();
        let mut names = BTreeSet::new();
        for payload in payloads(&file).into_iter().filter(|payload| payload.sequence.is_none()) {
            let ends = [payload.source, payload.destination];
            let key = (ends.iter().min().copied(), ends.iter().max().copied());
            if identify(&payload.bytes) == Verdict::No && !flows.contains_key(&key) {
                continue;
            }
            let (client, stream) = flows.entry(key).or_insert((payload.source, QuicStream::new()));
            let direction = if *client == payload.source { Direction::ToServer } else { Direction::ToClient };
            if let Some(hello) = stream.datagram(direction, &payload.bytes) {
                let sni = hello.hello.sni.clone().unwrap_or_default();
                let sni = String::from_utf8_lossy(&sni).into_owned();
                println!(
                    "{file} {} > {}: version {} {sni:?} {} {} cut {}",
                    payload.source,
                    payload.destination,
                    version_name(hello.version),
                    hello.hello.ja3(),
                    hello.hello.ja4(),
                    hello.hello.cut
                );
                if file.contains("FoxIO") {
                    // As FoxIO documents it.
                    assert_eq!(hello.hello.ja4(), "q13d0310h3_55b375c5d22e_cd85d2d88918");
                }
                names.insert(sni);
            }
        }
        println!("{file}: {} flows", flows.len());
        assert_eq!(names, expected, "{file}");
    }
}
