//! Datadog's indicators of compromise: a folder for each incident, with a CSV file of one of these layouts.
//!
//! | columns | a row |
//! |---|---|
//! | `type,indicator,context` | a value with its type |
//! | `artifact_type,name,affected_versions` | the same, mostly packages |
//! | `package_name,package_versions,sources` (or `vendors`); `ecosystem,package,version` | a package |
//! | `ip,country,asn,asn_name,first_seen,last_seen` | an address that attacks came from |
//! | `domain,registered,registrar,...` | a name |
//!
//! These columns and no others: a table of one's own that has more of them is `csv`. What the wire cannot show
//! (packages, images, hashes and paths of files) is ignored. A name means itself: the vendor observed that one.
//! The folder is the campaign, because files have one name in all of them (`iocs.csv`), and its title:
//! one file is one incident. `context` is the remark.

use std::path::Path;

use super::super::model::{Kind, Match, Provenance};
use super::super::value::Value;
use super::table::{Row, Table};
use super::{Dates, Feed, Head, LineReader};

/// The vendor had the sample or the traces of the incident.
const CONFIDENCE: u8 = 85;
/// Addresses that asked a honeypot: scanners, exits of VPNs, clouds.
const ATTACKER_CONFIDENCE: u8 = 50;

/// The columns of each layout, all of them, in their order.
const LAYOUTS: [&[&str]; 6] = [
    &["type", "indicator", "context"],
    &["artifact_type", "name", "affected_versions"],
    &["package_name", "package_versions", "sources"],
    &["package_name", "package_versions", "vendors"],
    &["ecosystem", "package", "version"],
    &["ip", "country", "asn", "asn_name", "first_seen", "last_seen"],
];
/// The first columns of the layout of names; what follows differs.
const OF_NAMES: [&str; 3] = ["domain", "registered", "registrar"];

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    Table::begins_in(head, is_header)
}

fn is_header(columns: &[String]) -> bool {
    LAYOUTS.iter().any(|layout| columns == *layout) || columns.get(..3).is_some_and(|first| first == OF_NAMES)
}

/// Reads a file line by line.
pub(super) struct Reader {
    table: Table,
    common: Provenance,
}

impl Reader {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        let unstated = feed.unstated();
        let folder = Path::new(&*feed.report.file).parent().and_then(Path::file_name);
        let campaign = folder.map_or_else(|| unstated.campaign.clone(), |name| name.to_string_lossy().into());
        let title = Some(campaign.clone());
        let sources = vec!["Datadog".into()];
        let common = Provenance { campaign, title, sources, confidence: CONFIDENCE, ..unstated };
        Self { table: Table::new(is_header), common }
    }
}

impl LineReader for Reader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Self { table, common } = self;
        let Some(row) = table.row(number, line, feed) else { return };
        match read(&row, common) {
            Ok(Entry { kind, value, dates, provenance }) => {
                let matching = (kind == Kind::Domain).then_some(Match::Exact);
                feed.claim(number, value, Value::of_kind(kind, value, matching), &dates, &provenance);
            }
            Err(Unusable::Ignored(reason)) => feed.ignore(number, reason),
            Err(Unusable::Wrong(reason)) => feed.reject(number, row.text, reason),
        }
    }
}

/// What a row lists.
struct Entry<'r> {
    kind: Kind,
    value: &'r str,
    dates: Dates,
    provenance: Provenance,
}

/// Why a row makes no claim.
enum Unusable {
    Ignored(&'static str),
    Wrong(String),
}

impl From<String> for Unusable {
    fn from(reason: String) -> Self {
        Self::Wrong(reason)
    }
}

fn read<'r>(row: &'r Row<'_>, common: &Provenance) -> Result<Entry<'r>, Unusable> {
    if row.has_column("ip") {
        let (first_seen, last_seen) = (row.date("first_seen")?, row.date("last_seen")?);
        let dates = Dates { first_seen, last_seen, ..Dates::default() };
        let provenance = Provenance { confidence: ATTACKER_CONFIDENCE, ..common.clone() };
        return Ok(Entry { kind: Kind::Address, value: row.required("ip")?, dates, provenance });
    }
    if row.has_column("registered") {
        let dates = Dates { valid_from: row.date("registered")?, ..Dates::default() };
        let provenance = Provenance { note: row.get("notes").unwrap_or_default().into(), ..common.clone() };
        return Ok(Entry { kind: Kind::Domain, value: row.required("domain")?, dates, provenance });
    }
    if row.has_column("package_name") || row.has_column("package") {
        return Err(Unusable::Ignored(PACKAGE));
    }
    let has_type = row.has_column("type");
    let kind = row.required(if has_type { "type" } else { "artifact_type" })?;
    if let Some(reason) = invisible(kind) {
        return Err(Unusable::Ignored(reason));
    }
    let named = Kind::from_name(kind);
    let kind = named.ok_or_else(|| format!("there is no kind {kind:?}, or none for us"))?;
    let value = row.required(if has_type { "indicator" } else { "name" })?;
    let provenance = Provenance { note: row.get("context").unwrap_or_default().into(), ..common.clone() };
    Ok(Entry { kind, value, dates: Dates::default(), provenance })
}

const PACKAGE: &str = "a package, which the wire does not show";

/// Why a kind can never be seen on the wire; `None` of what may be.
fn invisible(kind: &str) -> Option<&'static str> {
    let kind = kind.to_ascii_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    match () {
        () if is(&["package", "image", "action", "extension"]) => Some(PACKAGE),
        () if is(&["md5", "sha1", "sha256", "sha512"]) => Some("a file's hash"),
        () if is(&["path", "file", "registry", "mutex"]) && kind != "uri_path" => {
            Some("a file's name or path")
        }
        () if is(&["mail"]) => Some("an e-mail address"),
        () => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Claim, Format, Knowledge, Loader, Severity};
    use super::*;

    fn load(file: &str, text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes(file, text.as_bytes());
        loader.finish()
    }

    fn claims(knowledge: &Knowledge) -> Vec<Claim<'_>> {
        assert_eq!(knowledge.report.sources[0].format, Format::Datadog);
        knowledge.indicators.claims().map(|(_, claim)| claim).collect()
    }

    #[test]
    fn reads_values_with_their_types() {
        let text = "type,indicator,context\n\
            domain,c2[.]example,\"C2 domain, registered 2026-01-02\"\n\
            ipv4,198.51.100.7,A record of c2[.]example\n\
            url,http://c2[.]example:8000/1,Stage 2\n\
            user-agent,mozilla/4.0 (compatible; x),Hard coded\n\
            npm package,thing@1.2.3,Compromised\n\
            sha256,00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff,payload\n\
            filepath,/tmp/x.py,Linux\nregistry,HKCU\\Run,Windows\n\
            telegram,@nobody,x\ndomain,,x\nipv4,10.0.0.1,x\n";
        let knowledge = load("feeds/case-one/iocs.csv", text);
        let report = &knowledge.report.sources[0];
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!((report.accepted, report.ignored_count(), lines), (4, 4, vec![10, 11, 12]), "{report:?}");
        let claims = claims(&knowledge);
        let told: Vec<_> = claims.iter().map(|claim| (claim.kind, claim.value, claim.line)).collect();
        let expected = [
            (Kind::Domain, "c2.example", 2),
            (Kind::Address, "198.51.100.7", 3),
            (Kind::Url, "http://c2.example:8000/1", 4),
            (Kind::UserAgent, "mozilla/4.0 (compatible; x)", 5),
        ];
        assert_eq!(told, expected);
        assert_eq!((claims[0].matching, claims[0].severity()), (Match::Exact, Severity::High));
        let said = claims[0].provenance;
        assert_eq!(
            (&*said.campaign, said.title.as_deref(), &*said.sources[0]),
            ("case-one", Some("case-one"), "Datadog")
        );
        assert_eq!(&*said.note, "C2 domain, registered 2026-01-02");
        assert_eq!(
            &*load("iocs.csv", text).indicators.claims().next().unwrap().1.provenance.campaign,
            "iocs"
        );
    }

    #[test]
    fn packages_are_ignored_and_what_stands_among_them_is_taken() {
        let text = "artifact_type,name,affected_versions\npypi package,thing,\"1.2, 1.3\"\n\
            docker image,ghcr.example/thing,1\ngithub action,x/y,v1\nopenvsx extension,z,2\ndomain,c2.example,\nurl,http://c2.example/x,\n";
        let knowledge = load("case/iocs.csv", text);
        assert_eq!(claims(&knowledge).len(), 2, "{}", knowledge.report);
        assert_eq!((knowledge.report.sources[0].ignored_count(), knowledge.report.rejected()), (4, 0));
        for (header, row) in [
            ("package_name,package_versions,sources", "@a/b,\"1.2, 1.3\",\"x, y\""),
            ("package_name,package_versions,vendors", "a,1,x"),
            ("ecosystem,package,version", "npm,a,1"),
        ] {
            let knowledge = load("case/iocs.csv", &format!("{header}\n{row}\n{row}\n"));
            assert_eq!((claims(&knowledge).len(), knowledge.report.sources[0].ignored_count()), (0, 2));
        }
    }

    #[test]
    fn reads_addresses_and_names() {
        let text = "ip,country,asn,asn_name,first_seen,last_seen\n\
            198.51.100.7,Nowhere,64500,\"EXAMPLE, Ltd.\",2026-01-02,2026-01-03\n198.51.100.8,Nowhere,64500,X,soon,2026-01-03\n";
        let knowledge = load("case/iocs.csv", text);
        let of_addresses = claims(&knowledge);
        assert_eq!(
            (of_addresses[0].severity(), knowledge.report.sources[0].rejected[0].line),
            (Severity::Low, 3)
        );
        assert_eq!(of_addresses[0].validity.until.unwrap().rfc3339(), "2026-04-03T00:00:00.000000Z");
        let text =
            "Domain,Registered,Registrar,Hosting,Kit Version,Notes\nc2.example,2026-01-02,X,Y,V1,First\n";
        let knowledge = load("case/iocs.csv", text);
        let of_names = claims(&knowledge);
        assert_eq!((of_names[0].value, &*of_names[0].provenance.note), ("c2.example", "First"));
        assert_eq!(of_names[0].validity.from.unwrap().rfc3339(), "2026-01-02T00:00:00.000000Z");
    }

    #[test]
    fn tables_of_ones_own_are_csv_and_an_empty_one_is_valid() {
        for text in [
            "type,indicator,context,campaign\ndomain,c2.example,x,y\n",
            "indicator,type,context\nc2.example,domain,x\n",
            "type,indicator\ndomain,c2.example\n",
        ] {
            assert_eq!(load("mine.csv", text).report.sources[0].format, Format::Csv, "{text}");
        }
        let report = load("iocs.csv", "type,indicator,context\n").report;
        assert_eq!((report.sources[0].format, report.failures().count()), (Format::Datadog, 0));
    }
}
