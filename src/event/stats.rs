//! All counters as EVE's `stats`.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{eve::EveTime, line::Line};
use crate::time::Timestamp;

/// The event of all counters at `time` (packet time), one line without its end.
///
/// A dot in a name opens an object: `decoder.pkts` becomes `{"decoder":{"pkts":1}}`. Objects and counters
/// stand where their first counter stood. Nothing is lost: what is named twice is summed, and a counter
/// that has the name of an object (`tcp` beside `tcp.sessions`) stands in it as `total`.
///
/// Names are ours and not from the wire. Where EVE has a name for what is counted, it is used:
/// `capture.kernel_packets` and `capture.kernel_drops`; `decoder.pkts`, `.bytes`, `.invalid`, `.ipv4`,
/// `.ipv6`, `.tcp`, `.udp`, `.icmpv4`, `.icmpv6`, `.sctp`, `.ethernet`, `.vlan`, `.vlan_qinq`, `.gre`,
/// `.erspan`, `.vxlan`, `.geneve`, `.teredo`, `.too_many_layers`; `flow.total`, `.active`, `.tcp`, `.udp`;
/// `tcp.sessions`, `.reassembly_gap`, `.midstream_pickups`, `.overlap`, `.invalid_checksum`;
/// `defrag.ipv4.fragments`, `.reassembled`; `app_layer.flow.dns_udp`, `app_layer.tx.http`;
/// `detect.alert`, `.alerts_suppressed`.
pub fn stats(time: Timestamp, counters: &[(&str, u64)]) -> String {
    let mut root = Node::default();
    for &(name, value) in counters {
        root.add(name, value);
    }
    // The counters' number is fixed by the program, so that their line is never cut.
    let event = |_| StatsEvent { timestamp: EveTime(time), event_type: "stats", stats: &root };
    Line::default().write(event).to_owned()
}

/// The line.
#[derive(Serialize)]
struct StatsEvent<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    stats: &'a Node,
}

/// A counter, an object of counters in the order of their first appearance, or both.
#[derive(Debug, Default)]
struct Node {
    count: Option<u64>,
    members: Vec<(String, Node)>,
}

impl Node {
    /// Adds a counter below this object.
    fn add(&mut self, name: &str, value: u64) {
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        let index = self.members.iter().position(|(known, _)| known == first).unwrap_or_else(|| {
            self.members.push((first.to_owned(), Self::default()));
            self.members.len() - 1
        });
        let member = &mut self.members[index].1;
        match rest {
            // As deep as the name has dots, and the names are the program's own.
            Some(rest) => member.add(rest, value),
            None => member.count = Some(member.count.unwrap_or(0).saturating_add(value)),
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.count {
            Some(count) if self.members.is_empty() => serializer.serialize_u64(count),
            total => {
                let mut object = serializer.serialize_map(None)?;
                if let Some(total) = total {
                    object.serialize_entry("total", &total)?;
                }
                for (name, member) in &self.members {
                    object.serialize_entry(name, member)?;
                }
                object.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_nest_in_the_order_of_appearance() {
        let line = stats(
            Timestamp::from_parts(1, 0),
            &[
                ("decoder.pkts", 3),
                ("capture.kernel_drops", 0),
                ("decoder.event.ipv4.cut", 1),
                ("decoder.bytes", 9),
            ],
        );
        assert_eq!(
            line,
            r#"{"timestamp":"1970-01-01T00:00:01.000000+0000","event_type":"stats","stats":{"decoder":{"pkts":3,"event":{"ipv4":{"cut":1}},"bytes":9},"capture":{"kernel_drops":0}}}"#
        );
    }

    #[test]
    fn no_counter_is_lost_to_another_of_its_name() {
        let line = stats(
            Timestamp::default(),
            &[("tcp", 5), ("tcp.sessions", 2), ("tcp", 1), ("udp.x", 1), ("udp", 7), ("a", 1), ("a", 2)],
        );
        assert!(
            line.ends_with(r#""stats":{"tcp":{"total":6,"sessions":2},"udp":{"total":7,"x":1},"a":3}}"#),
            "{line}"
        );
        assert!(stats(Timestamp::default(), &[]).ends_with(r#""stats":{}}"#));
    }
}
