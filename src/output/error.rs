//! What can go wrong when events are written, in one line that says what to do.

use std::{fmt, io, path::Path};

use crate::event::text::safe;

/// Events could not be written: where, what was tried, why, and what to do about it.
#[derive(Debug)]
pub struct OutputError {
    target: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Open(io::Error),
    Write(io::Error),
    IsInput,
}

impl OutputError {
    /// `path` could not be opened for writing.
    pub(super) fn open(path: &Path, cause: io::Error) -> Self {
        Self { target: shown(path), kind: Kind::Open(cause) }
    }

    /// Writing to `target` failed.
    pub(super) fn write(target: &str, cause: io::Error) -> Self {
        Self { target: target.to_owned(), kind: Kind::Write(cause) }
    }

    /// `path` is one of the captures that are read.
    pub(super) fn is_input(path: &Path) -> Self {
        Self { target: shown(path), kind: Kind::IsInput }
    }
}

/// A path as text that is safe to print.
pub(super) fn shown(path: &Path) -> String {
    safe(&path.to_string_lossy()).into_owned()
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        match &self.kind {
            Kind::IsInput => {
                write!(f, "{target}: is one of the captures to read and was left untouched; ")?;
                f.write_str("name another file for the events with --json")
            }
            Kind::Open(cause) => {
                write!(f, "{target}: cannot be opened for events: {cause}; {}", advice(cause))
            }
            Kind::Write(cause) => write!(f, "{target}: cannot write events: {cause}; {}", advice(cause)),
        }
    }
}

impl std::error::Error for OutputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Open(cause) | Kind::Write(cause) => Some(cause),
            Kind::IsInput => None,
        }
    }
}

/// What the user can do about `cause`.
fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free some space, or name a file elsewhere with --json"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "name a file that you may write with --json"
        }
        io::ErrorKind::NotFound => "make its folder first, or name another file with --json",
        io::ErrorKind::IsADirectory => "name a file in it with --json",
        _ => "name another file with --json, or - for standard output",
    }
}
