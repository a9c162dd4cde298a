//! SSLBL: certificates, JA3 fingerprints and addresses of botnets' servers, CSV.
//!
//! | columns | a claim about |
//! |---|---|
//! | `Listingdate,SHA1,Listingreason` | a certificate; TLS 1.3 hides it |
//! | `ja3_md5,Firstseen,Lastseen,Listingreason` | a JA3; the list is frozen since August 2021 |
//! | `Firstseen,DstIP,DstPort` | an address at its port |
//!
//! The reason names the malware (`AsyncRAT C&C`), which is the claim's campaign.

use super::super::model::{Kind, Provenance};
use super::super::value::Value;
use super::table::{Row, Table};
use super::{Dates, Feed, Head, LineReader};

/// A certificate's hash fits nothing but that certificate, which was seen at a server of the malware.
const CERTIFICATE_CONFIDENCE: u8 = 85;
/// The publisher warns that these were not tested against harmless software: a hit is low.
const JA3_CONFIDENCE: u8 = 30;
/// Seen with a listed certificate; what else lives at that port is not told.
const ADDRESS_CONFIDENCE: u8 = 75;

/// Which of the lists it is.
#[derive(Clone, Copy)]
enum List {
    Certificates,
    Ja3,
    Addresses,
}

impl List {
    fn of(columns: &[String]) -> Option<Self> {
        let has = |names: &[&str]| names.iter().all(|name| columns.iter().any(|column| column == name));
        match () {
            () if has(&["listingdate", "sha1", "listingreason"]) => Some(Self::Certificates),
            () if has(&["ja3_md5", "listingreason"]) => Some(Self::Ja3),
            // Feodo Tracker has more than that.
            () if has(&["firstseen", "dstip", "dstport"]) && columns.len() == 3 => Some(Self::Addresses),
            () => None,
        }
    }
}

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    Table::begins_in(head, is_header)
}

fn is_header(columns: &[String]) -> bool {
    List::of(columns).is_some()
}

/// Reads a file line by line.
pub(super) struct Reader {
    table: Table,
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { table: Table::new(is_header), common: feed.of_source("SSLBL", CERTIFICATE_CONFIDENCE) }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Self { table, common } = self;
        let Some(row) = table.row(number, line, feed) else { return };
        match read(&row, common) {
            Ok(Entry { kind, value, dates, provenance }) => {
                feed.claim(number, &value, Value::of_kind(kind, &value, None), &dates, &provenance);
            }
            Err(reason) => feed.reject(number, row.text, reason),
        }
    }
}

/// What a row lists.
struct Entry {
    kind: Kind,
    value: String,
    dates: Dates,
    provenance: Provenance,
}

fn read(row: &Row<'_>, common: &Provenance) -> Result<Entry, String> {
    let (kind, confidence, value, first_seen) = if row.has_column("sha1") {
        let value = row.required("sha1")?.to_owned();
        (Kind::CertificateHash, CERTIFICATE_CONFIDENCE, value, "listingdate")
    } else if row.has_column("ja3_md5") {
        (Kind::Ja3, JA3_CONFIDENCE, row.required("ja3_md5")?.to_owned(), "firstseen")
    } else {
        (Kind::AddressPort, ADDRESS_CONFIDENCE, row.address_port("dstip", "dstport")?, "firstseen")
    };
    let (first_seen, last_seen) = (row.date(first_seen)?, row.date("lastseen")?);
    let mut provenance = Provenance { confidence, ..common.clone() };
    if let Some(reason) = row.get("listingreason") {
        provenance.campaign = malware(reason).into();
    }
    Ok(Entry { kind, value, dates: Dates { first_seen, last_seen, ..Dates::default() }, provenance })
}

/// The malware that a reason names: `AsyncRAT C&C`, `Gozi malware distribution`.
fn malware(reason: &str) -> &str {
    let end = [" C&C", " C2", " malware", " MITM"].iter().filter_map(|end| reason.find(end)).min();
    reason.get(..end.unwrap_or(reason.len())).filter(|name| !name.is_empty()).unwrap_or(reason)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Claim, Format, Kind, Knowledge, Loader, Severity};
    use super::*;

    const BANNER: &str = "################################################################\r\n\
        # abuse.ch SSLBL SSL Certificate Blacklist (SHA1 Fingerprints)  #\r\n\
        ################################################################\r\n#\r\n";

    fn load(text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("sslbl.csv", format!("{BANNER}{text}").as_bytes());
        loader.finish()
    }

    fn claims(knowledge: &Knowledge) -> Vec<Claim<'_>> {
        assert_eq!(knowledge.report.sources[0].format, Format::Sslbl);
        knowledge.indicators.claims().map(|(_, claim)| claim).collect()
    }

    #[test]
    fn reads_certificates() {
        let knowledge = load(
            "# Listingdate,SHA1,Listingreason\r\n\
             2026-01-02 03:04:05,AABBCCDDEEFF00112233445566778899aabbccdd,AsyncRAT C&C\r\n\
             2026-01-02 03:04:05,00112233445566778899aabbccddeeff0011223,Gozi C&C\r\n\
             2026-01-02 03:04:05,,Gozi C&C\r\n\
             02.01.2026,00112233445566778899aabbccddeeff00112233,Gozi C&C\r\n",
        );
        let claims = claims(&knowledge);
        let rejected = &knowledge.report.sources[0].rejected;
        assert_eq!(rejected.iter().map(|one| one.line).collect::<Vec<_>>(), [7, 8, 9], "{rejected:?}");
        assert!(rejected[1].reason.contains("has no sha1"), "{rejected:?}");
        assert_eq!(claims[0].value, "aabbccddeeff00112233445566778899aabbccdd");
        assert_eq!((claims[0].kind, claims[0].severity()), (Kind::CertificateHash, Severity::High));
        let said = claims[0].provenance;
        assert_eq!((&*said.campaign, said.title.is_none(), &*said.sources[0]), ("AsyncRAT", true, "SSLBL"));
        assert_eq!(claims[0].validity.from.unwrap().rfc3339(), "2026-01-02T03:04:05.000000Z");
        assert_eq!(claims[0].validity.until.unwrap().rfc3339(), "2028-01-02T03:04:05.000000Z", "730 days");
    }

    #[test]
    fn ja3_is_low() {
        let knowledge = load(
            "# ja3_md5,Firstseen,Lastseen,Listingreason\r\n#\r\n\
             0123456789abcdef0123456789ABCDEF,2019-01-02 03:04:05,2021-01-02 03:04:05,Tofsee\r\n\
             short,2019-01-02 03:04:05,2021-01-02 03:04:05,Tofsee\r\n",
        );
        let claims = claims(&knowledge);
        assert_eq!(knowledge.report.sources[0].rejected[0].line, 8);
        assert_eq!((claims[0].value, claims[0].kind), ("0123456789abcdef0123456789abcdef", Kind::Ja3));
        assert_eq!(claims[0].severity(), Severity::Low);
        assert_eq!(claims[0].validity.until, None, "a fingerprint is what the software is");
        assert_eq!(&*claims[0].provenance.campaign, "Tofsee");
    }

    #[test]
    fn addresses_are_at_their_port() {
        let knowledge = load(
            "# Firstseen,DstIP,DstPort\r\n2026-01-02 03:04:05,198.51.100.7,443\r\n\
             2026-01-02 03:04:05,2001:db8::7,8443\r\n2026-01-02 03:04:05,198.51.100.8,\r\n",
        );
        let values: Vec<_> = claims(&knowledge).iter().map(|claim| claim.value.to_owned()).collect();
        assert_eq!(values, ["198.51.100.7:443", "[2001:db8::7]:8443"]);
        assert_eq!(knowledge.report.rejected(), 1);
    }

    #[test]
    fn an_empty_list_is_valid_and_feodo_is_not_taken_for_it() {
        let report = load("# ja3_md5,Firstseen,Lastseen,Listingreason\r\n#\r\n").report;
        let source = &report.sources[0];
        assert_eq!((source.format, source.rejected_count, &source.failure), (Format::Sslbl, 0, &None));
        let feodo: Vec<_> = "Firstseen,DstIP,DstPort,LastOnline,Malware"
            .to_lowercase()
            .split(',')
            .map(str::to_owned)
            .collect();
        assert!(!is_header(&feodo));
        assert_eq!((malware("Malware"), malware("Gozi malware distribution")), ("Malware", "Gozi"));
    }
}
