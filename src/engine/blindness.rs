//! What a whole capture could not show, in sentences for the summary.

use super::analysis::Seen;
use crate::source::Accounting;

/// A share below this many in a hundred is told in the statistics only.
const WORTH_TELLING: u64 = 1;

/// The sentences, most important first. `counters` are the statistics by name.
pub fn blindness(counters: &[(&'static str, u64)], accounting: &Accounting, seen: &Seen) -> Vec<String> {
    let count = |name: &str| counters.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count);
    let frames = count("decoder.pkts");
    let mut unseen = Vec::new();
    if frames == 0 {
        return unseen;
    }
    if seen.dns_messages == 0 {
        unseen.push(
            "there is no DNS in this capture: which names were asked for is not known, only SNI and Host"
                .to_owned(),
        );
    }
    if seen.connections > 0 && seen.one_direction * 2 > seen.connections {
        unseen.push(format!(
            "{} of {} connections show one direction only: the capture misses half of the conversation",
            seen.one_direction, seen.connections
        ));
    }
    if accounting.capture_drops > 0 {
        unseen.push(format!(
            "the capturing host says that it dropped {} packets before they were written",
            accounting.capture_drops
        ));
    }
    let share = |part: u64| part.saturating_mul(100) / frames;
    let mut of_frames = |name: &str, what: &str| {
        let part = count(name);
        if part > 0 && share(part) >= WORTH_TELLING {
            unseen.push(format!("{part} of {frames} frames {what}"));
        }
    };
    of_frames(
        "decoder.truncated",
        "were cut by the capture (snap length): names and contents behind the cut are lost",
    );
    of_frames("decoder.undecoded.cut", "end inside a header");
    of_frames("decoder.undecoded.malformed", "break the rules of their headers and were not read further");
    of_frames("decoder.undecoded.too_many_layers", "have more tunnels or layers than are opened");
    of_frames("decoder.undecoded.encrypted", "are encrypted below TCP and UDP (IPsec, protected Wi-Fi)");
    for (link, part) in &accounting.unsupported {
        unseen.push(format!("{part} frames of link type {link} cannot be read"));
    }
    if accounting.lost > 0 {
        unseen
            .push(format!("{} records of the captures make no sense and were passed over", accounting.lost));
    }
    if seen.tls > 0 {
        unseen.push(format!(
            "what went through {} encrypted connections (TLS, QUIC): only names and fingerprints of them are visible",
            seen.tls
        ));
    }
    if seen.encrypted_names > 0 {
        unseen.push(format!(
            "{} TLS hello{} offered an encrypted name: the outer name may not be the real one",
            seen.encrypted_names,
            if seen.encrypted_names == 1 { "" } else { "s" }
        ));
    }
    let lost = count("tcp.reassembly_gap_bytes");
    if lost > 0 {
        unseen.push(format!("{lost} bytes of TCP connections are missing from the capture"));
    }
    for (name, what) in [
        ("flow.evicted", "flows had to be forgotten because there were too many at once"),
        (
            "app_layer.given_up",
            "connections were read no further because too many messages were open at once",
        ),
        ("tcp.reassembly_budget_refused", "segments could not be held for reassembly"),
        ("defrag.evicted", "fragmented datagrams had to be forgotten because there were too many at once"),
    ] {
        let part = count(name);
        if part > 0 {
            unseen.push(format!("{part} {what}; the result may depend on the number of threads"));
        }
    }
    if accounting.time_went_backwards > 0 {
        unseen.push(format!(
            "{} packets are far out of order in time and were taken as they came",
            accounting.time_went_backwards
        ));
    }
    unseen
}
