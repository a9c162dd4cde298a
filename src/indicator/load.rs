//! Loading: the shipped packs, and what the user names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::allow::{Allow, AllowEntry};
use super::builder::IndicatorsBuilder;
use super::claims::Statement;
use super::compiled::{self, Contents, Source, Unusable};
use super::csv::{self, CsvReader};
use super::load_report::{Format, LoadReport, SourceReport};
use super::matcher::Indicators;
use super::plain::PlainReader;
use super::registry::Registries;
use super::resolver::PublicResolvers;
use super::segment::{Added, Segment};
use super::sinkhole::Sinkholes;
use super::value::Value;
use super::{blocks, native, shipped};
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
        for (name, text) in shipped::packs() {
            self.bytes(&format!("builtin:{name}"), text.as_bytes());
        }
    }

    /// Takes what is built in of the kinds that are data of the sensor itself, not indicators: allow
    /// entries, registries, resolvers, sinkholes, search suffixes. For those who bring their own indicators.
    pub fn builtin_baseline(&mut self) {
        for (name, text) in shipped::BASELINE {
            self.bytes(&format!("builtin:{name}"), text.as_bytes());
        }
    }

    /// Takes a file, or every file below a directory in the order of their names; hidden files,
    /// documents (`.md`) and symbolic links inside a directory are left out.
    pub fn path(&mut self, path: &Path) {
        match files_of(path) {
            Ok(files) => files.iter().for_each(|file| self.file(file)),
            Err((path, error)) => self.fail(&path, &error),
        }
    }

    fn file(&mut self, path: &Path) {
        if let Err(error) = self.read_file(path) {
            self.fail(path, &error);
        }
    }

    fn read_file(&mut self, path: &Path) -> io::Result<()> {
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
        match format_of_head(&name, &head).filter(|_| !is_whole && is_text(&head)) {
            Some(format) => {
                self.indicators.expect_list(file.metadata().map_or(0, |metadata| metadata.len()));
                self.list(&name, format, |each| blocks::for_each(head, file, each))
            }
            None => {
                file.read_to_end(&mut head)?;
                self.bytes(&name, &head);
                Ok(())
            }
        }
    }

    /// Takes a file's contents; `file` is what reports and claims call it.
    ///
    /// A compiled file is known by its first bytes. Else `.toml` is one of our packs. Anything else is CSV
    /// when a header of ours stands at its top, and a plain list when not; `.csv` is CSV unless it is a
    /// bare column of values.
    pub fn bytes(&mut self, file: &str, bytes: &[u8]) {
        if compiled::is_compiled(bytes) {
            self.compiled(file, compiled::open(bytes));
            return;
        }
        // A list in Latin-1 has its remarks damaged by this and its values left whole.
        let text = String::from_utf8_lossy(bytes);
        let format = format_of(file, &text);
        if !is_text(bytes) {
            let mut report = SourceReport::new(file.into(), format);
            report.failure = Some("not a text file".to_owned());
            self.report.sources.push(report);
        } else if format == Format::Native {
            let mut report = SourceReport::new(file.into(), format);
            let of_claims = native::read(&text, self, &mut report);
            let rest = of_claims.is_some().then_some(&*text);
            self.keep(of_claims.as_ref().unwrap_or(&report), rest);
            self.report.sources.push(report);
        } else {
            // What is in memory can be read to its end.
            let _ = self.list(file, format, |each| {
                each(&text);
                Ok(())
            });
        }
    }

    /// Takes a list or CSV whose lines `read` hands on.
    fn list(
        &mut self,
        file: &str,
        format: Format,
        read: impl FnOnce(&mut dyn FnMut(&str)) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut report = SourceReport::new(file.into(), format);
        let name = Path::new(file).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        if format == Format::Csv {
            let mut reader = CsvReader::new(report.file.clone(), &name);
            read(&mut |text| reader.block(text, self, &mut report))?;
            reader.finish(&mut report);
        } else {
            let mut reader = PlainReader::new(report.file.clone(), &name);
            read(&mut |text| reader.block(text, self, &mut report))?;
        }
        self.keep(&report, None);
        self.report.sources.push(report);
        Ok(())
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
                        native::read_rest(text, self, &mut report);
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
        Knowledge {
            indicators: self.indicators.finish(),
            allow: Allow::new(self.allow, self.registries.clone()),
            registries: self.registries,
            resolvers: self.resolvers,
            sinkholes: self.sinkholes,
            report: self.report,
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().take(4096).any(|&byte| byte == 0)
}

fn extension(file: &str) -> Option<String> {
    Path::new(file).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

/// How a file is written.
fn format_of(file: &str, text: &str) -> Format {
    match extension(file).as_deref() {
        Some("toml") => Format::Native,
        Some("csv") if csv::has_columns(text) => Format::Csv,
        _ if csv::is_csv(text) => Format::Csv,
        _ => Format::Plain,
    }
}

/// The same by the file's beginning; `None` when that does not tell it, and of packs, which are read whole.
fn format_of_head(file: &str, head: &[u8]) -> Option<Format> {
    let lines = head.get(..head.iter().rposition(|&byte| byte == b'\n')?)?;
    let text = String::from_utf8_lossy(lines);
    let format = format_of(file, &text);
    let is_told = match format {
        Format::Csv => true,
        // One comma further on makes a file of that name CSV.
        Format::Plain => extension(file).as_deref() != Some("csv") && csv::tells_format(&text),
        Format::Native | Format::Compiled => false,
    };
    is_told.then_some(format)
}

/// The file `path`, or the files below it, sorted.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
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
