//! Loading: the shipped packs, and what the user names.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::allow::{Allow, AllowEntry};
use super::load_report::{Format, LoadReport, SourceReport};
use super::matcher::{Indicators, IndicatorsBuilder};
use super::registry::Registries;
use super::shipped;
use super::sinkhole::Sinkholes;
use super::{csv, native, plain};

/// Everything that packs and lists told, ready to be asked.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// Claims and signatures.
    pub indicators: Indicators,
    /// The allow list.
    pub allow: Allow,
    /// Package registries.
    pub registries: Registries,
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
    pub(super) sinkholes: Sinkholes,
    report: LoadReport,
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
    /// entries, registries, sinkholes, search suffixes. For those who bring their own indicators.
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
        match fs::read(path) {
            Ok(bytes) => self.bytes(&path.to_string_lossy(), &bytes),
            Err(error) => self.fail(path, &error),
        }
    }

    /// Takes a file's contents; `file` is what reports and claims call it.
    ///
    /// `.toml` is one of our packs. Anything else is CSV when a header of ours stands at its top, and
    /// a plain list when not; `.csv` is CSV unless it is a bare column of values.
    pub fn bytes(&mut self, file: &str, bytes: &[u8]) {
        // A list in Latin-1 has its remarks damaged by this and its values left whole.
        let text = String::from_utf8_lossy(bytes);
        let path = Path::new(file);
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        let format = match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("toml") => Format::Native,
            Some("csv") if csv::has_columns(&text) => Format::Csv,
            _ if csv::is_csv(&text) => Format::Csv,
            _ => Format::Plain,
        };
        let mut report = SourceReport::new(file.into(), format);
        if bytes.iter().take(4096).any(|&byte| byte == 0) {
            report.failure = Some("not a text file".to_owned());
        } else {
            match format {
                Format::Native => native::read(&text, self, &mut report),
                Format::Csv => csv::read(&text, &name, self, &mut report),
                Format::Plain => plain::read(&text, &name, self, &mut report),
            }
        }
        self.report.sources.push(report);
    }

    fn fail(&mut self, path: &Path, error: &std::io::Error) {
        let mut report = SourceReport::new(path.to_string_lossy().into(), Format::Plain);
        report.failure = Some(format!("cannot be read: {error}"));
        self.report.sources.push(report);
    }

    /// Arranges everything for being asked.
    pub fn finish(self) -> Knowledge {
        Knowledge {
            indicators: self.indicators.finish(),
            allow: Allow::new(self.allow, self.registries.clone()),
            registries: self.registries,
            sinkholes: self.sinkholes,
            report: self.report,
        }
    }
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
