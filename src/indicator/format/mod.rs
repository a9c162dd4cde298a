//! The formats that indicators come in: one reader for each, and how a format is known.
//!
//! A format is known by content where content makes it certain; where two formats write the same bytes
//! (`YWJj` is a name and is Base64), it must be named: `FORMAT:PATH`.
//!
//! ```text
//! bytes -> Format::recognise -> a reader -> Feed -> claims, signatures, warning lists; and the report
//! ```

mod c2intel;
pub(super) mod csv;
mod datadog;
mod feed;
mod feodo;
mod foxit;
mod hosts;
mod json;
mod located;
mod maltrail;
mod misp;
mod misp_attribute;
mod misp_event;
mod misp_taxonomy;
mod misp_warninglist;
pub(super) mod plain;
mod row;
mod rule;
mod sigma;
mod sigma_condition;
mod sigma_detection;
mod sslbl;
mod stix;
mod stix_observable;
mod stix_pattern;
mod stix_token;
mod suricata_dataset;
mod suricata_header;
mod suricata_iprep;
mod suricata_lexer;
mod suricata_options;
mod suricata_rules;
mod table;
mod threatfox;
mod urlhaus;
mod yaml;
mod zeek_intel;

use super::native;

pub(super) use feed::{BlockReader, ByLine, Dates, Feed, JsonOrLines, LineReader, Parts};
pub use located::{BadFormat, IndicatorPath};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Our own packs, TOML.
    Native,
    /// One value on a line.
    Plain,
    /// Columns under a header.
    Csv,
    /// A STIX 2.1 bundle, or a TAXII envelope of objects.
    Stix,
    /// A MISP event, a feed's manifest or hashes, or an export of attributes.
    Misp,
    /// A MISP warning list: what is likely a mistake when it is listed.
    MispWarninglist,
    /// ThreatFox, CSV or JSON.
    Threatfox,
    /// URLhaus, CSV.
    Urlhaus,
    /// Feodo Tracker, CSV or JSON.
    Feodo,
    /// SSLBL, certificates or JA3.
    Sslbl,
    /// A hosts file that leads names nowhere.
    Hosts,
    /// A Zeek intelligence file.
    ZeekIntel,
    /// A Suricata dataset of Base64 texts or of addresses; never guessed.
    SuricataDataset,
    /// A Suricata dataset of MD5 hashes, which are JA3; never guessed.
    SuricataDatasetMd5,
    /// A Suricata dataset of SHA-256 hashes, which are certificates; never guessed.
    SuricataDatasetSha256,
    /// Suricata's IP reputation: categories and addresses; never guessed.
    SuricataIprep,
    /// Suricata rules.
    SuricataRules,
    /// Maltrail's trails.
    Maltrail,
    /// Datadog's indicators of compromise, CSV.
    Datadog,
    /// C2IntelFeeds, CSV.
    C2Intel,
    /// Fox-IT's servers of Cobalt Strike, CSV.
    FoxIt,
    /// Sigma rules on DNS and proxies.
    Sigma,
    /// A compiled file that could not be used; of one that could, each of its sources has a report.
    Compiled,
}

/// How a reader wants its text.
pub(super) enum Reading {
    /// In blocks of whole lines, so that a large list need not be held.
    Blocks(fn(&Feed<'_>) -> Box<dyn BlockReader>),
    /// The same of rules, some of which are no claims: their lines are set aside for a compiled file.
    Rules(fn(&Feed<'_>) -> Box<dyn BlockReader>),
    /// At once.
    Whole(fn(&str, &mut Feed<'_>)),
}

impl Reading {
    /// The reader of blocks, where there is one.
    pub(super) fn of_blocks(&self) -> Option<fn(&Feed<'_>) -> Box<dyn BlockReader>> {
        match self {
            Self::Blocks(reader) | Self::Rules(reader) => Some(*reader),
            Self::Whole(_) => None,
        }
    }
}

/// What is known of a format.
struct Entry {
    format: Format,
    /// The name used in reports and in `FORMAT:PATH`.
    name: &'static str,
    /// Whether the beginning of a file, some whole lines of it, is certainly written so.
    recognises: fn(&Head<'_>) -> bool,
    reading: Reading,
}

/// The beginning of a file.
pub(super) struct Head<'t> {
    /// The file's ending in lower case, without its dot; empty when it has none.
    pub extension: &'t str,
    /// Whole lines, or the whole file.
    pub text: &'t str,
    /// The layout of the whole, when it is JSON.
    pub json: Option<json::Layout>,
}

/// Every format that can be read, the more telling ones first.
const FORMATS: &[Entry] = &[
    Entry {
        format: Format::Native,
        name: "native",
        recognises: |head| head.extension == "toml",
        reading: Reading::Whole(native::read),
    },
    Entry {
        format: Format::Stix,
        name: "stix",
        recognises: stix::recognises,
        reading: Reading::Whole(stix::read),
    },
    Entry {
        format: Format::Misp,
        name: "misp",
        recognises: misp::recognises,
        reading: Reading::Whole(misp::read),
    },
    Entry {
        format: Format::MispWarninglist,
        name: "misp-warninglist",
        recognises: misp_warninglist::recognises,
        reading: Reading::Whole(misp_warninglist::read),
    },
    Entry {
        format: Format::Sigma,
        name: "sigma",
        recognises: sigma::recognises,
        reading: Reading::Whole(sigma::read),
    },
    Entry {
        format: Format::SuricataRules,
        name: "suricata-rules",
        recognises: suricata_rules::recognises,
        reading: Reading::Rules(|feed| Box::new(ByLine::new(suricata_rules::Reader::new(feed)))),
    },
    Entry {
        format: Format::Threatfox,
        name: "threatfox",
        recognises: threatfox::recognises,
        reading: Reading::Blocks(|feed| {
            Box::new(JsonOrLines::new(threatfox::Reader::new(feed), threatfox::read_json))
        }),
    },
    Entry {
        format: Format::Feodo,
        name: "feodo",
        recognises: feodo::recognises,
        reading: Reading::Blocks(|feed| {
            Box::new(JsonOrLines::new(feodo::Reader::new(feed), feodo::read_json))
        }),
    },
    Entry {
        format: Format::Urlhaus,
        name: "urlhaus",
        recognises: urlhaus::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(urlhaus::Reader::new(feed)))),
    },
    Entry {
        format: Format::Sslbl,
        name: "sslbl",
        recognises: sslbl::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(sslbl::Reader::new(feed)))),
    },
    Entry {
        format: Format::ZeekIntel,
        name: "zeek-intel",
        recognises: zeek_intel::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(zeek_intel::Reader::new(feed)))),
    },
    Entry {
        format: Format::Datadog,
        name: "datadog",
        recognises: datadog::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(datadog::Reader::new(feed)))),
    },
    Entry {
        format: Format::C2Intel,
        name: "c2intel",
        recognises: c2intel::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(c2intel::Reader::new(feed)))),
    },
    Entry {
        format: Format::FoxIt,
        name: "fox-it",
        recognises: foxit::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(foxit::Reader::new(feed)))),
    },
    Entry {
        format: Format::Hosts,
        name: "hosts",
        recognises: hosts::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(hosts::Reader::new(feed)))),
    },
    Entry {
        format: Format::Maltrail,
        name: "maltrail",
        recognises: maltrail::recognises,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(maltrail::Reader::new(feed)))),
    },
    Entry {
        format: Format::SuricataDataset,
        name: "suricata-dataset",
        recognises: never,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(suricata_dataset::Dataset::texts(feed)))),
    },
    Entry {
        format: Format::SuricataDatasetMd5,
        name: "suricata-dataset-md5",
        recognises: never,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(suricata_dataset::Dataset::md5(feed)))),
    },
    Entry {
        format: Format::SuricataDatasetSha256,
        name: "suricata-dataset-sha256",
        recognises: never,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(suricata_dataset::Dataset::sha256(feed)))),
    },
    Entry {
        format: Format::SuricataIprep,
        name: "suricata-iprep",
        recognises: never,
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(suricata_iprep::Reputation::new(feed)))),
    },
    Entry {
        format: Format::Csv,
        name: "csv",
        recognises: |head| head.extension == "csv" && csv::has_columns(head.text) || csv::is_csv(head.text),
        reading: Reading::Blocks(|feed| Box::new(ByLine::new(csv::CsvReader::new(feed)))),
    },
    Entry {
        format: Format::Plain,
        name: "plain",
        recognises: plain::recognises,
        reading: Reading::Blocks(|feed| Box::new(plain::PlainReader::new(feed))),
    },
];

/// Of a format that no content makes certain.
const fn never(_: &Head<'_>) -> bool {
    false
}

impl Format {
    /// The names of the formats that can be read.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|entry| entry.name)
    }

    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        self.entry().map_or("compiled", |entry| entry.name)
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        FORMATS.iter().find(|entry| entry.name == name).map(|entry| entry.format)
    }

    /// The format of a file that begins so; `None` when its content does not tell.
    pub(super) fn recognise(head: &Head<'_>) -> Option<Self> {
        FORMATS.iter().find(|entry| (entry.recognises)(head)).map(|entry| entry.format)
    }

    /// How its reader wants a file's text; `None` of what is no text.
    pub(super) fn reading(self) -> Option<&'static Reading> {
        self.entry().map(|entry| &entry.reading)
    }

    fn entry(self) -> Option<&'static Entry> {
        FORMATS.iter().find(|entry| entry.format == self)
    }
}

impl<'t> Head<'t> {
    /// The head of a file with that ending, which begins with `text`; `is_whole` when that is all of it.
    pub(super) fn new(extension: &'t str, text: &'t str, is_whole: bool) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let json = (is_whole && text.trim_start().starts_with(['{', '['])).then(|| json::Layout::of(text));
        Self { extension, text, json }
    }

    /// The lines that say something, without the mark of a comment, of which there are not too many.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'t str> {
        row::saying_lines(self.text).take(row::HEADER_LINES)
    }

    /// Whether there are as many of them as are looked at.
    pub(super) fn has_all_lines(&self) -> bool {
        self.lines().count() == row::HEADER_LINES
    }

    /// Whether it may be JSON, of which the whole must be seen to know its layout.
    pub(super) fn may_be_json(text: &str) -> bool {
        text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '['])
    }
}

/// What is wrong with JSON or anything else that no reader takes.
pub(super) fn unknown_layout(head: &Head<'_>) -> String {
    let names: Vec<_> = Format::names().collect();
    let name_it = format!("name the format as FORMAT:PATH, where it is one of {}", names.join(", "));
    match &head.json {
        Some(json::Layout::Broken(fault)) => format!("not JSON: {fault}"),
        Some(_) => format!("JSON of a layout that is not known; {name_it}"),
        None => format!("not a format that is known; {name_it}"),
    }
}
