//! Fox-IT's servers of Cobalt Strike, 2018 to 2022, CSV whose first column, an index, has no name.
//!
//! A row claims the address at its port, and the names and addresses that the beacon's settings name. Names are
//! low and mean themselves; those of a beacon over DNS mean all below them, which is where it writes. The
//! column `host_header` is never taken: it holds the false names of innocent sites, and where it names another
//! host than `domains`, those may be the fronts (`www.google.com`), so that they are lower still.

use super::super::model::{Kind, Match, Provenance};
use super::super::value::{Refusal, Value};
use super::table::{Row, Table, at_port};
use super::{Dates, Feed, Head, LineReader};

/// The server answered there as one of Cobalt Strike does.
const SERVER_CONFIDENCE: u8 = 85;
/// From the beacon's settings, which may name a front.
const DOMAIN_CONFIDENCE: u8 = 50;
/// The settings say that the beacon asks for another host than the one that it connects to.
const FRONT_CONFIDENCE: u8 = 30;

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    Table::begins_in(head, is_header)
}

fn is_header(columns: &[String]) -> bool {
    let has = |name: &&str| columns.iter().any(|column| column == name);
    columns.first().is_some_and(String::is_empty)
        && ["ip", "port", "protocol", "domains", "host_header"].iter().all(has)
}

/// Reads a file line by line.
pub(super) struct Reader {
    table: Table,
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        let common =
            Provenance { campaign: "Cobalt Strike".into(), ..feed.of_source("Fox-IT", SERVER_CONFIDENCE) };
        Self { table: Table::new(is_header), common }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Self { table, common } = self;
        let Some(row) = table.row(number, line, feed) else { return };
        let (server, dates) = match read(&row) {
            Ok(read) => read,
            Err(reason) => return feed.reject(number, row.text, reason),
        };
        let mut claim = |text: &str, value: Result<Value<'_>, Refusal>, confidence| {
            let provenance = Provenance { confidence, ..common.clone() };
            feed.claim(number, text, value, &dates, &provenance);
        };
        claim(&server, Value::of_kind(Kind::AddressPort, &server, None), SERVER_CONFIDENCE);
        let host_headers: Vec<_> = words(&row, "host_header").collect();
        let is_over_dns = row.get("protocol") == Some("dns");
        for host in words(&row, "domains") {
            if host.parse::<std::net::IpAddr>().is_ok() {
                let socket = at_port(host, row.get("port").unwrap_or_default());
                if socket != server {
                    claim(&socket, Value::of_kind(Kind::AddressPort, &socket, None), DOMAIN_CONFIDENCE);
                }
                continue;
            }
            let may_be_front = !host_headers.is_empty() && !host_headers.contains(&host);
            let confidence = if may_be_front { FRONT_CONFIDENCE } else { DOMAIN_CONFIDENCE };
            let matching = if is_over_dns { Match::Subtree } else { Match::Exact };
            claim(host, Value::of_kind(Kind::Domain, host, Some(matching)), confidence);
        }
    }
}

fn read(row: &Row<'_>) -> Result<(String, Dates), String> {
    let (first_seen, last_seen) = (row.date("first_seen")?, row.date("last_seen")?);
    Ok((row.address_port("ip", "port")?, Dates { first_seen, last_seen, ..Dates::default() }))
}

fn words<'r>(row: &'r Row<'_>, column: &str) -> impl Iterator<Item = &'r str> {
    row.get(column).unwrap_or_default().split([' ', ',']).filter(|word| !word.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, Knowledge, Loader};
    use super::*;

    const HEADER: &str = ",ip,port,protocol,domains,host_header,first_seen,last_seen,delta_days,asn,org\n";

    fn load(rows: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("iocs-export.csv", format!("{HEADER}{rows}").as_bytes());
        let knowledge = loader.finish();
        assert_eq!(knowledge.report.sources[0].format, Format::FoxIt);
        knowledge
    }

    #[test]
    fn reads_servers_and_names_and_never_the_host_header() {
        let knowledge = load(
            "0,198.51.100.7,443,https,198.51.100.7,,2018-07-04,2019-04-12,282,64500,Example\n\
             1,198.51.100.8,443,https,\"front.example, 198.51.100.9\",www.innocent.example,2018-07-04,2018-08-16,43,64500,Example\n\
             2,198.51.100.10,80,http,real.example,real.example,2018-07-04,2018-08-16,43,64500,Example\n\
             3,198.51.100.11,80,dns,\"a.tunnel.example, b.tunnel.example\",,2018-07-04,2018-08-16,43,64500,\"Example, Inc\"\n",
        );
        assert_eq!(knowledge.report.rejected(), 0, "{}", knowledge.report);
        let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
        let told: Vec<_> = claims
            .iter()
            .map(|claim| (claim.value, claim.line, claim.matching, claim.provenance.confidence))
            .collect();
        let expected = [
            ("198.51.100.7:443", 2, Match::Exact, SERVER_CONFIDENCE),
            ("198.51.100.8:443", 3, Match::Exact, SERVER_CONFIDENCE),
            ("front.example", 3, Match::Exact, FRONT_CONFIDENCE),
            ("198.51.100.9:443", 3, Match::Exact, DOMAIN_CONFIDENCE),
            ("198.51.100.10:80", 4, Match::Exact, SERVER_CONFIDENCE),
            ("real.example", 4, Match::Exact, DOMAIN_CONFIDENCE),
            ("198.51.100.11:80", 5, Match::Exact, SERVER_CONFIDENCE),
            ("a.tunnel.example", 5, Match::Subtree, DOMAIN_CONFIDENCE),
            ("b.tunnel.example", 5, Match::Subtree, DOMAIN_CONFIDENCE),
        ];
        assert_eq!(told, expected);
        assert_eq!(claims[0].validity.from.unwrap().rfc3339(), "2018-07-04T00:00:00.000000Z");
        assert_eq!(claims[0].validity.until.unwrap().rfc3339(), "2019-07-11T00:00:00.000000Z", "90 days");
        assert_eq!(
            (&*claims[0].provenance.campaign, &*claims[0].provenance.sources[0]),
            ("Cobalt Strike", "Fox-IT")
        );
    }

    #[test]
    fn faults_name_their_line_and_an_empty_table_is_valid() {
        let knowledge = load(
            "0,198.51.100.7,,https,,,2018-07-04,2019-04-12,1,1,x\n1,198.51.100.7,443,https,,,2018,2019-04-12,1,1,x\n\
             2,10.0.0.1,443,https,no name,,2018-07-04,2019-04-12,1,1,x\n3\n",
        );
        let rejected = &knowledge.report.sources[0].rejected;
        assert_eq!(
            rejected.iter().map(|one| one.line).collect::<Vec<_>>(),
            [2, 3, 4, 4, 4, 5],
            "{rejected:?}"
        );
        assert_eq!(load("").report.failures().count(), 0);
        let named = "id,ip,port,protocol,domains,host_header\n";
        assert!(!recognises(&Head::new("csv", named, true)));
    }
}
