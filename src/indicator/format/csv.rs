//! CSV under a header that names its columns.
//!
//! | column | other names | meaning |
//! |---|---|---|
//! | `value` | `indicator`, `ioc`, `ioc_value` | the value; the one column that must be there |
//! | `type` | `kind`, `ioc_type`, `indicator_type` | its kind; without it, it is guessed as in a plain list |
//! | `campaign`, `source`, `reference` | `malware`, `reporter`, `url`-less `link` | words |
//! | `first_seen`, `last_seen` | `first_seen_utc`, `last_seen_utc` | dates or times |
//! | `valid_from`, `valid_until` | | dates or times |
//! | `confidence` | `confidence_level` | 0 to 100, or `low`, `medium`, `high` |
//! | `tlp`, `tags` | | tags with blanks, `;` or `,` between |
//!
//! The header may be a comment, cells may be quoted and have blanks around them; lines with other
//! numbers of cells are read as far as they go. `None`, `null`, `-` and nothing mean that it is unstated.

use std::sync::Arc;

use super::super::instant::{Edge, parse_time};
use super::super::model::{Kind, Provenance, Tlp};
use super::super::value::Value;
use super::row::{HEADER_LINES, cells, header_text, saying_lines, stated};
use super::{Dates, Feed, LineReader, plain};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Value,
    Kind,
    Campaign,
    Source,
    Reference,
    FirstSeen,
    LastSeen,
    ValidFrom,
    ValidUntil,
    Confidence,
    Tlp,
    Tags,
}

impl Column {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "value" | "indicator" | "ioc" | "ioc_value" => Self::Value,
            "type" | "kind" | "ioc_type" | "indicator_type" => Self::Kind,
            "campaign" | "malware" => Self::Campaign,
            "source" | "reporter" => Self::Source,
            "reference" | "link" => Self::Reference,
            "first_seen" | "first_seen_utc" => Self::FirstSeen,
            "last_seen" | "last_seen_utc" => Self::LastSeen,
            "valid_from" => Self::ValidFrom,
            "valid_until" => Self::ValidUntil,
            "confidence" | "confidence_level" => Self::Confidence,
            "tlp" => Self::Tlp,
            "tags" => Self::Tags,
            _ => return None,
        })
    }
}

/// Whether one of the first lines that say anything is a header of ours, with more than one column.
pub(super) fn is_csv(text: &str) -> bool {
    let mut lines = saying_lines(text).take(HEADER_LINES);
    lines.any(|line| header(line).is_some_and(|columns| columns.len() > 1))
}

/// Whether there is anything of CSV in a file that calls itself so: a comma, or a header.
pub(super) fn has_columns(text: &str) -> bool {
    text.contains(',') || text.lines().take(HEADER_LINES).any(|line| header(header_text(line)).is_some())
}

/// The columns, when `line` is a header: it has a column of values.
fn header(line: &str) -> Option<Vec<Option<Column>>> {
    let columns: Vec<_> = cells(line).map(|cell| Column::from_name(&cell)).collect();
    columns.contains(&Some(Column::Value)).then_some(columns)
}

/// Reads CSV line by line.
#[derive(Debug)]
pub(super) struct CsvReader {
    unstated: Provenance,
    columns: Option<Vec<Option<Column>>>,
}

impl CsvReader {
    /// A reader of `feed`, whose name stands for campaign and source where there is no column.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { unstated: feed.unstated(), columns: None }
    }
}

impl LineReader for CsvReader {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let Some(columns) = &self.columns else {
            match header(header_text(line)) {
                Some(found) => self.columns = Some(found),
                None if plain::without_comment(line).is_empty() => {}
                None => feed.reject(number, line, "stands before a header that names a value column"),
            }
            return;
        };
        // A quoted cell may hold the mark of a comment: only a line that begins with one is one.
        let row = line.trim_start_matches('\u{feff}').trim();
        if row.is_empty() || row.starts_with('#') {
            return;
        }
        match read_row(row, columns, &self.unstated) {
            Ok(Row { value, dates, provenance }) => feed.claim(number, row, Ok(value), &dates, &provenance),
            Err(reason) => feed.reject(number, row, reason),
        }
    }

    fn finish(&mut self, feed: &mut Feed<'_>) {
        if self.columns.is_none() && feed.report.rejected_count > 0 {
            feed.fail("no header names a value, indicator or ioc column");
        }
    }
}

/// What a row says.
struct Row {
    value: Value<'static>,
    dates: Dates,
    provenance: Provenance,
}

fn read_row(row: &str, columns: &[Option<Column>], unstated: &Provenance) -> Result<Row, String> {
    let mut provenance = unstated.clone();
    let (mut value, mut kind) = (None, None);
    let mut dates = Dates::default();
    for (column, cell) in columns.iter().zip(cells(row)) {
        let (Some(column), Some(cell)) = (column, stated(&cell)) else { continue };
        let time = |edge| parse_time(cell, edge).ok_or_else(|| format!("{cell:?} is no date or time"));
        match column {
            Column::Value => value = Some(cell.to_owned()),
            Column::Kind => {
                let named = Kind::from_name(cell);
                kind = Some(named.ok_or_else(|| format!("there is no kind {cell:?}, or none for us"))?);
            }
            // A row that names its campaign belongs to it, which rows of a plain list do not to each other.
            Column::Campaign => {
                provenance.campaign = cell.into();
                provenance.title = Some(cell.into());
            }
            Column::Source => provenance.sources = vec![cell.into()],
            Column::Reference => provenance.reference = cell.into(),
            Column::FirstSeen => dates.first_seen = Some(time(Edge::Start)?),
            Column::LastSeen => dates.last_seen = Some(time(Edge::Start)?),
            Column::ValidFrom => dates.valid_from = Some(time(Edge::Start)?),
            Column::ValidUntil => dates.valid_until = Some(time(Edge::End)?),
            Column::Confidence => provenance.confidence = confidence(cell)?,
            Column::Tlp => {
                let tlp = Tlp::from_name(cell);
                provenance.tlp = Some(tlp.ok_or_else(|| format!("there is no TLP {cell:?}"))?);
            }
            Column::Tags => {
                let tags = cell.split([',', ';', ' ']).map(str::trim).filter(|tag| !tag.is_empty());
                provenance.tags = tags.map(Arc::from).collect();
            }
        }
    }
    let value = value.ok_or("has no value")?;
    let value = match kind {
        Some(kind) => Value::of_kind(kind, &value, None),
        None => Value::guess(&value),
    };
    let value = value.map_err(|refusal| refusal.to_string())?.into_owned();
    Ok(Row { value, dates, provenance })
}

fn confidence(cell: &str) -> Result<u8, String> {
    match cell.to_ascii_lowercase().as_str() {
        // STIX 2.1, appendix A: the middle of each range.
        "low" => Ok(15),
        "medium" | "med" => Ok(50),
        "high" => Ok(85),
        number => number
            .parse()
            .ok()
            .filter(|number| *number <= 100)
            .ok_or_else(|| format!("{cell:?} is no confidence from 0 to 100")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, Knowledge, Loader};
    use super::*;

    fn load(file: &str, text: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes(file, text.as_bytes());
        loader.finish()
    }

    #[test]
    fn reads_columns_by_their_names() {
        let text = "type,indicator,context,campaign,source,reference,first_seen,valid_from,valid_until,confidence,tlp,tags\r\n\
            domain,evil[.]example,\"a, \"\"b\"\"\",case-1,lab,https://a.example/,2026-01-02,2026-01-01 00:00:00,2026-02-01,85,TLP:AMBER,\"c2, rat\"\r\n\
            ip:port,198.51.100.7:8000\r\n";
        let knowledge = load("feed.csv", text);
        assert_eq!(knowledge.report.accepted(), 2, "{}", knowledge.report);
        let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
        assert_eq!((claims[0].value, claims[0].line), ("evil.example", 2));
        assert_eq!(claims[0].first_seen.unwrap().rfc3339(), "2026-01-02T00:00:00.000000Z");
        assert_eq!(claims[0].validity.until.unwrap().rfc3339(), "2026-02-01T23:59:59.999999Z");
        let said = claims[0].provenance;
        assert_eq!((&*said.campaign, &*said.sources[0], said.confidence), ("case-1", "lab", 85));
        assert_eq!(said.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["c2", "rat"]);
        assert_eq!(said.tlp, Some(Tlp::Amber));
        assert_eq!((claims[1].value, claims[1].kind), ("198.51.100.7:8000", Kind::AddressPort));
        assert_eq!((&*claims[1].provenance.campaign, claims[1].provenance.confidence), ("feed", 75));
    }

    #[test]
    fn takes_a_commented_header_blanks_and_none() {
        let text = "################\n# A feed of yesterday\n# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"confidence_level\",\"tags\"\n\
            \"2026-01-02 03:04:05\", \"7\", \"198.51.100.7:8000\", \"ip:port\", \"75\", \"None\"\n\
            # Number of entries: 1\n";
        let knowledge = load("export.txt", text);
        assert_eq!(
            (knowledge.report.accepted(), knowledge.report.rejected()),
            (1, 0),
            "{}",
            knowledge.report
        );
        let (_, claim) = knowledge.indicators.claims().next().unwrap();
        assert_eq!((claim.value, claim.provenance.confidence), ("198.51.100.7:8000", 75));
        assert!(claim.provenance.tags.is_empty());
    }

    #[test]
    fn faults_name_their_line() {
        let text = "value,type,confidence,valid_until\na.example,domain,high,\nb.example,domain,101,\n\
            c.example,sha256_hash,,\nd.example,,,tomorrow\n,domain,,\ne.example\n198.51.100.7,domain,,\n";
        let knowledge = load("feed.csv", text);
        let report = &knowledge.report.sources[0];
        let lines: Vec<_> = report.rejected.iter().map(|one| one.line).collect();
        assert_eq!((report.accepted, lines), (2, vec![3, 4, 5, 6, 8]), "{}", knowledge.report);
    }

    #[test]
    fn needs_a_header_and_may_be_empty() {
        assert!(load("feed.csv", "a,b\n1,2\n").report.sources[0].failure.is_some());
        assert_eq!(load("feed.csv", "value,type\n").report.failures().count(), 0);
        assert_eq!(load("feed.csv", "").report.failures().count(), 0);
        assert_eq!(load("feed.csv", "indicator\nevil.example\n").report.accepted(), 1, "one column");
        assert_eq!(load("feed.csv", "evil.example\n").report.sources[0].format, Format::Plain);
        assert!(!is_csv("evil.example\nvalue\n"));
    }
}
