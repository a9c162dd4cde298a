//! Loading: the shipped packs, and what the user names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::allow::{Allow, AllowEntry};
use super::blocks;
use super::builder::IndicatorsBuilder;
use super::claims::Statement;
use super::compiled::{self, Contents, Source, Unusable};
use super::format::{Feed, Format, Head, IndicatorPath, Parts, Reading, unknown_layout};
use super::load_report::{LoadReport, SourceReport};
use super::matcher::Indicators;
use super::registry::Registries;
use super::resolver::PublicResolvers;
use super::segment::{Added, Segment};
use super::shipped::{self, BUILTIN};
use super::sinkhole::Sinkholes;
use super::value::Value;
use super::well_known::WellKnown;
use crate::source::Mapped;

/// What of a file's beginning tells its format.
const HEAD: u64 = 64 << 10;

/// Everything that packs and lists told, ready to be asked.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// Claims and signatures.
    pub indicators: Indicators,
    /// The allow list.
    pub allow: Allow,
    /// Package registries.
    pub registries: Registries,
    /// Public DNS resolvers.
    pub resolvers: PublicResolvers,
    /// Sinkholes.
    pub sinkholes: Sinkholes,
    /// Infrastructure that too many share to blame one of them.
    pub well_known: WellKnown,
    /// What was taken and what was not.
    pub report: LoadReport,
}

/// Gathers what the readers read, in the order in which it is given.
///
/// ```
/// let mut loader = callhome::indicator::Loader::default();
/// loader.builtin();
/// loader.bytes("list.txt", b"evil.example # seen in the lab\n");
/// let knowledge = loader.finish();
/// assert_eq!(knowledge.report.failures().count(), 0);
/// ```
#[derive(Debug, Default)]
pub struct Loader {
    pub(super) indicators: IndicatorsBuilder,
    pub(super) allow: Vec<AllowEntry>,
    pub(super) registries: Registries,
    pub(super) resolvers: PublicResolvers,
    pub(super) sinkholes: Sinkholes,
    pub(super) well_known: WellKnown,
    /// The short names of the categories that a Suricata reputation refers to by number, of whichever file
    /// named them.
    pub(super) reputation_categories: BTreeMap<u8, Arc<str>>,
    report: LoadReport,
    /// What a compiled file shall say of its sources, where one is to be made.
    sources: Option<Vec<Source>>,
}

/// The packs that are built in.
pub fn load_builtin() -> Knowledge {
    let mut loader = Loader::default();
    loader.builtin();
    loader.finish()
}

/// Files, and directories with everything in them, in place of the packs that are built in. A path
/// that cannot be used is told in the report and stops nothing.
pub fn load_paths(paths: &[PathBuf]) -> Knowledge {
    let mut loader = Loader::default();
    for path in paths {
        loader.path(path);
    }
    loader.finish()
}

impl Loader {
    /// Takes the packs that are built in.
    pub fn builtin(&mut self) {
        self.campaigns();
        self.builtin_baseline();
    }

    /// Takes the campaigns that are built in.
    pub fn campaigns(&mut self) {
        for (name, text) in shipped::CAMPAIGNS {
            self.bytes(&format!("{BUILTIN}{name}"), text.as_bytes());
        }
    }

    /// Takes what is built in of the kinds that are data of the sensor itself, not indicators: allow
    /// entries, registries, resolvers, sinkholes, search suffixes. For those who bring their own indicators.
    pub fn builtin_baseline(&mut self) {
        for (name, text) in shipped::BASELINE {
            self.bytes(&format!("{BUILTIN}{name}"), text.as_bytes());
        }
    }

    /// Takes a file, or every file below a directory in the order of their names; hidden files,
    /// documents (`.md`) and symbolic links inside a directory are left out.
    pub fn path(&mut self, path: &Path) {
        self.located(&IndicatorPath::new(path));
    }

    /// The same of a path whose files are said to be written in a format, or of the built-in campaigns.
    pub fn located(&mut self, named: &IndicatorPath) {
        if named.is_builtin() {
            self.campaigns();
            return;
        }
        match files_of(&named.path) {
            Ok(files) => files.iter().for_each(|file| self.file(file, named.format)),
            Err((path, error)) => self.fail(&path, &error),
        }
    }

    fn file(&mut self, path: &Path, format: Option<Format>) {
        if let Err(error) = self.read_file(path, format) {
            self.fail(path, &error);
        }
    }

    fn read_file(&mut self, path: &Path, format: Option<Format>) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head)?;
        let name = path.to_string_lossy();
        if compiled::is_compiled(&head)
            && let Ok(mapped) = file.try_clone().and_then(Mapped::for_tables)
        {
            self.compiled(&name, compiled::open_mapped(&Arc::new(mapped)));
            return Ok(());
        }
        let is_whole = (head.len() as u64) < HEAD;
        let in_blocks = !is_whole && is_text(&head) && !Head::may_be_json(&String::from_utf8_lossy(&head));
        let told = format.or_else(|| format_of_head(&name, &head)).filter(|_| in_blocks);
        if let Some(format) = told
            && let Some(reading) = format.reading()
            && let Some(reader) = reading.of_blocks()
        {
            if matches!(reading, Reading::Blocks(_)) {
                self.indicators.expect_list(file.metadata().map_or(0, |metadata| metadata.len()));
            }
            let parts = self.first_parts();
            let mut feed = Feed::new(self, SourceReport::new((*name).into(), format), parts);
            let mut reader = reader(&feed);
            blocks::for_each(head, file, |text| reader.block(text, &mut feed))?;
            reader.finish(&mut feed);
            let (mut report, aside) = feed.into_parts();
            if parts == Parts::Claims {
                report = self.read_rest(format, &aside, report);
            }
            self.report.sources.push(report);
        } else {
            file.read_to_end(&mut head)?;
            self.located_bytes(&name, &head, format);
        }
        Ok(())
    }

    /// Takes a file's contents, which tell their format; `file` is what reports and claims call it.
    ///
    /// A compiled file is known by its first bytes, our packs by `.toml`, and the rest by what stands in them
    /// ([`Format`]).
    pub fn bytes(&mut self, file: &str, bytes: &[u8]) {
        self.located_bytes(file, bytes, None);
    }

    /// The same of contents that are said to be written in `format`.
    pub fn located_bytes(&mut self, file: &str, bytes: &[u8], format: Option<Format>) {
        if compiled::is_compiled(bytes) {
            self.compiled(file, compiled::open(bytes));
            return;
        }
        // A list in Latin-1 has its remarks damaged by this and its values left whole.
        let text = String::from_utf8_lossy(bytes);
        let extension = extension(file);
        let head = Head::new(&extension, &text, true);
        let known = format.or_else(|| Format::recognise(&head));
        let mut report = SourceReport::new(file.into(), known.unwrap_or(Format::Plain));
        match known {
            _ if !is_text(bytes) => report.failure = Some(no_text(bytes).to_owned()),
            None => report.failure = Some(unknown_layout(&head)),
            Some(format) => {
                let parts = self.first_parts();
                let aside;
                (report, aside) = self.read(format, &text, report, parts);
                if parts == Parts::Claims && report.failure.is_none() {
                    let is_whole = matches!(format.reading(), Some(Reading::Whole(_)));
                    report = self.read_rest(format, if is_whole { &text } else { &aside }, report);
                }
            }
        }
        self.report.sources.push(report);
    }

    /// What is read first of a source: everything, or the claims when a compiled file is to be made.
    fn first_parts(&self) -> Parts {
        if self.sources.is_some() { Parts::Claims } else { Parts::All }
    }

    /// Reads a text in that format, and goes on with `report`. Gives what was set aside too.
    fn read(
        &mut self,
        format: Format,
        text: &str,
        report: SourceReport,
        parts: Parts,
    ) -> (SourceReport, String) {
        let mut feed = Feed::new(self, report, parts);
        match format.reading() {
            Some(Reading::Whole(read)) => read(text, &mut feed),
            // A list of lines is all claims.
            Some(Reading::Blocks(_)) if parts == Parts::Rest => {}
            Some(Reading::Blocks(reader) | Reading::Rules(reader)) => {
                let mut reader = reader(&feed);
                reader.block(text, &mut feed);
                reader.finish(&mut feed);
            }
            None => {}
        }
        feed.into_parts()
    }

    /// Reads what is no claim in `text`, of a source whose claims `of_claims` tells of, and keeps the text for a
    /// compiled file if there is anything.
    fn read_rest(&mut self, format: Format, text: &str, of_claims: SourceReport) -> SourceReport {
        let (report, _) = self.read(format, text, of_claims.clone(), Parts::Rest);
        let has_rest = report != of_claims;
        self.keep(&of_claims, has_rest.then_some(text));
        report
    }

    fn keep(&mut self, report: &SourceReport, text: Option<&str>) {
        if let Some(sources) = &mut self.sources {
            sources.push(Source { report: report.clone(), text: text.map(str::to_owned) });
        }
    }

    /// Takes a compiled file.
    fn compiled(&mut self, file: &str, contents: Result<Contents, Unusable>) {
        let taken = contents.map_err(|unusable| unusable.to_string()).and_then(|contents| {
            let Contents { mut sources, segment } = contents;
            // The same file of claims may have been taken before; then each claim is looked at for that.
            let known =
                |source: &Source| self.report.sources.iter().any(|one| one.file == source.report.file);
            if self.sources.is_some() || sources.iter().any(known) {
                self.again(&segment, &mut sources);
            } else if !self.indicators.segment(segment) {
                return Err("there is no room for so many claims".to_owned());
            }
            Ok(sources)
        });
        match taken {
            Ok(sources) => {
                for Source { mut report, text } in sources {
                    self.keep(&report, text.as_deref());
                    if let Some(text) = &text {
                        (report, _) = self.read(report.format, text, report, Parts::Rest);
                    }
                    self.report.sources.push(report);
                }
            }
            Err(reason) => {
                let mut report = SourceReport::new(file.into(), Format::Compiled);
                report.failure = Some(reason);
                self.report.sources.push(report);
            }
        }
    }

    /// Adds the claims of a compiled file one by one, and corrects what is said of its sources.
    fn again(&mut self, segment: &Segment, sources: &mut [Source]) {
        for claim in (0..segment.claims.len() as u32).filter_map(|place| segment.claims.get(place)) {
            let value = Value::of_claim(claim.kind, claim.value, claim.matching);
            let added = value.map_or(Added::Full, |value| {
                let (first_seen, validity) = (claim.first_seen, claim.validity);
                let (line, provenance) = (claim.line, claim.provenance);
                self.indicators.claim(&Statement { value, first_seen, validity, line, provenance })
            });
            let source = sources.iter_mut().find(|source| source.report.file == claim.provenance.file);
            if added != Added::New
                && let Some(Source { report, .. }) = source
            {
                report.accepted = report.accepted.saturating_sub(1);
                report.count(added, claim.line, claim.value);
            }
        }
    }

    fn fail(&mut self, path: &Path, error: &io::Error) {
        let mut report = SourceReport::new(path.to_string_lossy().into(), Format::Plain);
        report.failure = Some(format!("cannot be read: {error}"));
        self.report.sources.push(report);
    }

    /// A loader of what [`Loader::compile`] shall put into one file. Compiled files that it takes are
    /// taken apart again.
    pub fn for_compiling() -> Self {
        Self { sources: Some(Vec::new()), ..Self::default() }
    }

    /// What a compiled file is made of.
    pub(super) fn into_parts(self) -> (LoadReport, Segment, Vec<Source>) {
        (self.report, self.indicators.into_segment(), self.sources.unwrap_or_default())
    }

    /// Arranges everything for being asked.
    pub fn finish(self) -> Knowledge {
        let Self { registries, well_known, mut report, .. } = self;
        let mut indicators = self.indicators.finish();
        indicators.refuse(&well_known, &mut report);
        Knowledge {
            indicators,
            allow: Allow::new(self.allow, registries.clone()),
            registries,
            resolvers: self.resolvers,
            sinkholes: self.sinkholes,
            well_known,
            report,
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().take(4096).any(|&byte| byte == 0)
}

/// What is said of a file that is no text.
fn no_text(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "is compressed: unpack it first"
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "is UTF-16: save it as UTF-8",
        _ => "not a text file",
    }
}

fn extension(file: &str) -> String {
    Path::new(file).extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// The format of a file by its beginning; `None` when that does not tell it, and of what is read whole.
fn format_of_head(file: &str, head: &[u8]) -> Option<Format> {
    let lines = head.get(..head.iter().rposition(|&byte| byte == b'\n')?)?;
    let text = String::from_utf8_lossy(lines);
    let extension = extension(file);
    let head = Head::new(&extension, &text, false);
    if Head::may_be_json(&text) {
        return None;
    }
    let format = Format::recognise(&head)?;
    let is_told = match format {
        // One comma further on makes a file of that name CSV.
        Format::Plain => extension != "csv" && head.has_all_lines(),
        format => format.reading().is_some_and(|reading| reading.of_blocks().is_some()),
    };
    is_told.then_some(format)
}

/// The file `path`, or the files below it, sorted.
pub(super) fn files_of(path: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
    if !fs::metadata(path).map_err(|error| (path.to_owned(), error))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut directories = vec![path.to_owned()];
    while let Some(directory) = directories.pop() {
        let at_fault = |error| (directory.clone(), error);
        for entry in fs::read_dir(&directory).map_err(at_fault)? {
            let entry = entry.map_err(at_fault)?;
            let kind = entry.file_type().map_err(at_fault)?;
            let name = entry.file_name();
            let document = Path::new(&name).extension().is_some_and(|extension| extension == "md");
            if name.to_string_lossy().starts_with('.') || document {
                continue;
            }
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

impl Knowledge {
    /// This knowledge, to be shared between threads.
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}
