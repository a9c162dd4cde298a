//! Feodo Tracker of abuse.ch: servers that botnets are steered from, CSV and JSON.
//!
//! Known by its columns or keys: an address, a port and a family of malware. An entry is an address at that
//! port. The `hostname` is what the address is called backwards, mostly by whoever rents it out, and is never
//! a claim. The list `ipblocklist.txt` is a plain one.
//!
//! The feed keeps servers for a while after they went off line. One that is `offline` holds until the day on
//! which it was last on line, so that a capture of its own time still shows it; one that is `online`, or of
//! which nothing is said, for an address's lifetime after that day.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::super::instant::{Edge, parse_time};
use super::super::model::{Kind, Provenance};
use super::super::value::Value;
use super::json::{self, Layout, Lines, Texts, parse, without_mark};
use super::table::{Table, at_port};
use super::{Dates, Feed, Head, LineReader};

/// A short list of one thing, the servers of a few botnets; its makers keep looking whether each is on line.
const CONFIDENCE: u8 = 90;

const ADDRESS: [&str; 3] = ["ip_address", "dst_ip", "dstip"];
const PORT: [&str; 3] = ["port", "dst_port", "dstport"];

/// Whether a file that begins so is written so. An empty list may be of any feed, and says the same of each.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    match &head.json {
        None => Table::begins_in(head, is_header),
        Some(layout @ Layout::List { .. }) => {
            layout.lists(&["ip_address", "port", "malware"]) || json::is_empty_list(head.text)
        }
        Some(_) => false,
    }
}

fn is_header(columns: &[String]) -> bool {
    let has = |names: &[&str]| columns.iter().any(|column| names.contains(&column.as_str()));
    has(&ADDRESS) && has(&PORT) && has(&["malware"])
}

/// Reads CSV line by line.
pub(super) struct Reader {
    table: Table,
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { table: Table::new(is_header), common: common(feed) }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Some(row) = self.table.row(number, line, feed) else { return };
        read(number, row.text, &|name| row.get(name), &self.common, feed);
    }
}

/// Reads a JSON file.
pub(super) fn read_json(text: &str, feed: &mut Feed<'_>) {
    let text = without_mark(text);
    let servers: Vec<&RawValue> = match serde_json::from_str(text) {
        Ok(servers) => servers,
        Err(fault) => return feed.fail(format!("not a list of servers: {fault}")),
    };
    let (mut lines, common) = (Lines::new(text), common(feed));
    for server in servers {
        let line = lines.of(server.get());
        match parse::<Texts<'_>>(server) {
            Ok(texts) => {
                let said = ADDRESS.into_iter().find_map(|key| texts.get(key)).unwrap_or_default();
                read(line, said, &|name| texts.get(name), &common, feed);
            }
            Err(fault) => feed.reject(line, server.get(), format!("not a server: {fault}")),
        }
    }
}

fn common(feed: &Feed<'_>) -> Provenance {
    feed.of_source("Feodo Tracker", CONFIDENCE)
}

/// Reads the server `text` in `line`, of which `get` tells what stands in a column.
fn read<'e>(
    line: u32,
    text: &str,
    get: &dyn Fn(&str) -> Option<&'e str>,
    common: &Provenance,
    feed: &mut Feed<'_>,
) {
    let any = |names: &[&str]| names.iter().find_map(|name| get(name));
    let (Some(address), Some(port)) = (any(&ADDRESS), any(&PORT)) else {
        return feed.reject(line, text, "has no address or no port");
    };
    let time = |names: &[&str], edge| {
        let read = |text| parse_time(text, edge).ok_or_else(|| format!("{text:?} is no date or time"));
        any(names).map(read).transpose()
    };
    const LAST_ONLINE: [&str; 2] = ["last_online", "lastonline"];
    let first_seen = time(&["first_seen", "first_seen_utc", "firstseen"], Edge::Start);
    let (first_seen, last_seen) = match (first_seen, time(&LAST_ONLINE, Edge::Start)) {
        (Ok(first_seen), Ok(last_seen)) => (first_seen, last_seen),
        (Err(reason), _) | (_, Err(reason)) => return feed.reject(line, text, reason),
    };
    let mut dates = Dates { first_seen, last_seen, ..Dates::default() };
    let status = any(&["status", "c2_status"]);
    if status.is_some_and(|status| status.eq_ignore_ascii_case("offline")) {
        if last_seen.is_none() {
            return feed.ignore(line, "off line, and nobody says since when");
        }
        dates.valid_until = time(&LAST_ONLINE, Edge::End).ok().flatten();
    }
    let mut provenance = common.clone();
    if let Some(family) = get("malware") {
        provenance.campaign = family.into();
    }
    provenance.tags = status.map(Arc::from).into_iter().collect();
    let value = at_port(address, port);
    feed.claim(line, text, Value::of_kind(Kind::AddressPort, &value, None), &dates, &provenance);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{AsOf, Format, Knowledge, Loader};
    use super::*;

    fn load(file: &str, text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes(file, text.as_bytes());
        loader.finish()
    }

    const BANNER: &str = "##########\r\n# Feodo Tracker Botnet C2 IP Blocklist #\r\n##########\r\n#\r\n";

    #[test]
    fn reads_servers_and_when_they_were_on_line() {
        let text = format!(
            "{BANNER}\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\r\n\
             \"2026-01-02 03:04:05\",\"198.51.100.7\",\"443\",\"online\",\"2026-03-01\",\"EvilBot\"\r\n\
             \"2026-01-02 03:04:05\",\"198.51.100.8\",\"8080\",\"offline\",\"2026-01-05\",\"EvilBot\"\r\n\
             \"2026-01-02 03:04:05\",\"198.51.100.9\",\"8080\",\"offline\",\"\",\"EvilBot\"\r\n\
             \"2026-01-02 03:04:05\",\"192.168.1.1\",\"443\",\"online\",\"2026-03-01\",\"EvilBot\"\r\n\
             \"2026-01-02 03:04:05\",\"198.51.100.9\",\"\",\"online\",\"2026-03-01\",\"EvilBot\"\r\n\
             \"soon\",\"198.51.100.9\",\"80\",\"online\",\"2026-03-01\",\"EvilBot\"\r\n\
             # END 6 entries\r\n"
        );
        let knowledge = load("ipblocklist.csv", &text);
        let report = &knowledge.report.sources[0];
        assert_eq!((report.format, report.accepted), (Format::Feodo, 2), "{}", knowledge.report);
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!((lines, report.ignored_count(), report.ignored[0].first_line), (vec![9, 10, 11], 1, 8));
        let claims: Vec<_> = knowledge.indicators.claims().collect();
        let said = claims[0].1.provenance;
        assert_eq!((claims[0].1.value, claims[0].1.kind), ("198.51.100.7:443", Kind::AddressPort));
        assert_eq!(
            (&*said.campaign, &*said.sources[0], said.confidence),
            ("EvilBot", "Feodo Tracker", CONFIDENCE)
        );
        assert_eq!((said.title.as_deref(), &*said.tags[0]), (None, "online"));
        assert_eq!(claims[0].1.validity.until.unwrap().rfc3339(), "2026-05-30T00:00:00.000000Z", "90 days");
        let holds = |number: usize, day: &str| {
            let time = parse_time(day, Edge::Start).unwrap();
            knowledge.indicators.judge(claims[number].0, AsOf::Packet, time).is_some()
        };
        assert!(holds(0, "2026-04-01") && holds(1, "2026-01-05 23:00:00"));
        assert!(!holds(1, "2026-01-06"), "off line since then");
    }

    #[test]
    fn reads_json_and_older_columns() {
        let text = "[\n {\"ip_address\": \"198.51.100.7\", \"port\": 443, \"status\": \"online\", \"hostname\": \"host.example\",\n\
            \"as_number\": 64500, \"as_name\": \"X\", \"country\": \"ZZ\", \"first_seen\": \"2026-01-02 03:04:05\",\n\
            \"last_online\": \"2026-03-01\", \"malware\": \"EvilBot\"},\n\
            {\"ip_address\": \"2001:db8::7\", \"port\": \"80\", \"status\": null, \"first_seen\": null, \"malware\": null},\n\
            {\"ip_address\": \"198.51.100.8\", \"port\": 0},\n\"x\", {\"port\": 7}]";
        let knowledge = load("ipblocklist.json", text);
        let report = &knowledge.report.sources[0];
        assert_eq!((report.format, report.accepted), (Format::Feodo, 2), "{}", knowledge.report);
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!(lines, [6, 7, 7]);
        let values: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim.value.to_owned()).collect();
        assert_eq!(values, ["198.51.100.7:443", "[2001:db8::7]:80"]);
        let old = format!(
            "{BANNER}# Firstseen,DstIP,DstPort,LastOnline,Malware\n2026-01-02 03:04:05,198.51.100.7,443,2026-03-01,EvilBot\n"
        );
        assert_eq!(load("old.csv", &old).report.accepted(), 1);
    }

    #[test]
    fn an_empty_feed_is_valid_and_others_are_not_taken_for_it() {
        let header =
            "\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\r\n";
        for (file, text) in [("a.csv", format!("{BANNER}{header}")), ("a.json", " []\n".to_owned())] {
            let report = load(file, &text).report;
            assert_eq!(report.sources[0].format, Format::Feodo);
            assert_eq!((report.accepted(), report.rejected(), report.failures().count()), (0, 0, 0));
        }
        for (file, text) in [
            ("a.csv", "Firstseen,DstIP,DstPort\n2026-01-02 03:04:05,198.51.100.7,443\n"),
            ("a.json", "[{\"ip_address\": \"198.51.100.7\", \"port\": 443}]"),
            ("a.json", "[1]"),
            ("a.json", "{\"ip_address\": \"198.51.100.7\", \"port\": 443, \"malware\": \"x\"}"),
        ] {
            assert_ne!(load(file, text).report.sources[0].format, Format::Feodo, "{text}");
        }
        let mut loader = Loader::default();
        loader.located_bytes("a.json", b"{}", Some(Format::Feodo));
        assert!(loader.finish().report.sources[0].failure.is_some());
    }
}
