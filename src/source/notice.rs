//! What could not be read, told in one clear line each: file, offset, reason, what to do.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{decode::LinkType, limits};

use super::{compression::Compression, discover::Origin, sniff::Content};

/// Something about one input that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The file or directory as it was named or found; `-` is the standard input.
    pub path: PathBuf,
    /// Where in the capture (unpacked, if it was compressed), counted in bytes from its start.
    pub offset: Option<u64>,
    /// How bad it is.
    pub severity: Severity,
    /// What happened.
    pub kind: NoticeKind,
}

/// How bad a [`Notice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something was passed over that nobody asked for by name, or a detail.
    Warning,
    /// Something that was asked for could not be read, or not to its end.
    Error,
}

/// What happened to an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The file or directory cannot be opened; the operating system's reason.
    CannotOpen(String),
    /// Reading failed on the way; the operating system's reason.
    CannotRead(String),
    /// It is not a capture that can be read; what it looks like.
    NotACapture(Content),
    /// The same of what a compressed file holds.
    NotACaptureInside(Compression, Content),
    /// It is neither a file, nor a directory, nor a stream.
    NotAFile,
    /// A capture of a version that nobody has defined.
    Version {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The capture ends in the middle of a record.
    Truncated {
        /// Bytes of the record that are there.
        have: u64,
        /// Bytes that it needs, as far as can be told.
        need: u64,
    },
    /// The capture is damaged from this offset on.
    Damaged(Damage),
    /// Frames were passed over, the first of them at this offset.
    FramesLost {
        /// How many.
        frames: u64,
        /// Why the first.
        reason: Damage,
    },
    /// The compressed data broke off or is corrupt; the decoder's reason.
    Compressed(Compression, String),
    /// Frames of this link type were passed over.
    UnsupportedLink {
        /// The link type.
        link: LinkType,
        /// How many frames.
        frames: u64,
    },
    /// Frames without a time of their own (simple packet blocks) were given that of the frame before.
    Untimed {
        /// How many.
        frames: u64,
    },
    /// The file became shorter while it was read.
    Shortened,
    /// The file is the same as one that is read already, under this path.
    Duplicate(PathBuf),
    /// More captures than [`limits::OPEN_FILES`] overlap in time; this is the first that had to wait.
    TooManyOpen,
    /// So many more files of the directories were skipped.
    MoreSkipped(u64),
    /// A directory holds no file at all.
    EmptyDirectory,
}

/// Why a record, or all that follows it, cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A frame claims more bytes than any capture program keeps.
    FrameLength(u32),
    /// A pcapng block's length is impossible.
    BlockLength {
        /// Its type.
        kind: u32,
        /// The length that it claims.
        length: u32,
    },
    /// The length at a pcapng block's end differs from the one at its start.
    BlockTrailer {
        /// The length at its start.
        first: u32,
        /// The length at its end.
        last: u32,
    },
    /// A pcapng section starts without its byte-order magic.
    SectionMagic(u32),
    /// A later pcapng section has a version that nobody has defined: major, minor.
    SectionVersion(u16, u16),
    /// A pcapng frame claims more bytes than its block has.
    FrameOverBlock(u32),
    /// A pcapng frame names an interface that its section has not described.
    Interface(u32),
    /// A pcapng section describes more than [`limits::INTERFACES`] interfaces.
    TooManyInterfaces,
}

impl fmt::Display for Notice {
    /// `captures/a.pcap: at byte 4711: ...; ...`, one line whatever the file's name holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_path(f, &self.path)?;
        f.write_str(": ")?;
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        self.kind.fmt(f)
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotOpen(reason) => write!(f, "cannot be opened: {reason}"),
            Self::CannotRead(reason) => {
                write!(f, "reading failed: {reason}; everything before was read")
            }
            Self::NotACapture(content) => write!(f, "{content}; {}", content.advice()),
            Self::NotACaptureInside(compression, content) => {
                write!(f, "{compression} data that holds {}; {}", content.noun(), content.advice())
            }
            Self::NotAFile => f.write_str("not a file that can be read; name a capture file or a directory"),
            Self::Version { format, major, minor } => {
                write!(f, "{format} version {major}.{minor} cannot be read; the file's header may be damaged")
            }
            Self::Truncated { have, need } => write!(
                f,
                "the capture ends in the middle of a record ({have} of {need} bytes are there); \
                 everything before was read"
            ),
            Self::Damaged(damage) => {
                write!(f, "damaged: {damage}; everything before was read, nothing after")
            }
            Self::FramesLost { frames, reason } => {
                write!(f, "{frames} {} could not be used: {reason}", plural(*frames, "frame"))
            }
            Self::Compressed(compression, reason) => write!(
                f,
                "the {compression} data ends early or is damaged: {reason}; everything before was read"
            ),
            Self::UnsupportedLink { link, frames } => write!(
                f,
                "link type {link} is not supported: {frames} {} not read; \
                 capture on an Ethernet, raw IP or \"any\" interface instead",
                plural(*frames, "frame")
            ),
            Self::Untimed { frames } => write!(
                f,
                "{frames} {} without a time of their own were given the time of the frame before",
                plural(*frames, "frame")
            ),
            Self::Shortened => f.write_str(
                "the file became shorter while it was read; everything before was read, \
                 copy a capture that is still being rewritten before reading it",
            ),
            Self::Duplicate(first) => {
                f.write_str("the same file as ")?;
                write_path(f, first)?;
                f.write_str("; it is read once")
            }
            Self::TooManyOpen => write!(
                f,
                "more than {} captures overlap in time; some frames come late, \
                 merge the files first, for example with mergecap",
                limits::OPEN_FILES
            ),
            Self::MoreSkipped(files) => {
                write!(f, "{files} more {} skipped", plural(*files, "file"))
            }
            Self::EmptyDirectory => f.write_str("the directory holds no files"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameLength(length) => write!(
                f,
                "a frame claims {length} bytes, more than the {} that a capture keeps",
                limits::FRAME_BYTES
            ),
            Self::BlockLength { kind, length } => {
                write!(f, "a block of type {kind:#x} claims the impossible length {length}")
            }
            Self::BlockTrailer { first, last } => {
                write!(f, "a block has the length {first} at its start and {last} at its end")
            }
            Self::SectionMagic(magic) => {
                write!(f, "a section starts with {magic:#010x} in place of the byte-order magic")
            }
            Self::SectionVersion(major, minor) => {
                write!(f, "a section has the version {major}.{minor}, which does not exist")
            }
            Self::FrameOverBlock(length) => {
                write!(f, "a frame claims {length} bytes, more than its block has")
            }
            Self::Interface(interface) => {
                write!(f, "a frame names interface {interface}, which its section does not describe")
            }
            Self::TooManyInterfaces => {
                write!(f, "a section describes more than {} interfaces", limits::INTERFACES)
            }
        }
    }
}

/// A path with every character escaped that could move the cursor or turn the text around.
fn write_path(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    use fmt::Write as _;
    for character in path.to_string_lossy().chars() {
        let turns =
            matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            write!(f, "{}", character.escape_default())?;
        } else {
            f.write_char(character)?;
        }
    }
    Ok(())
}

/// `word` with an s unless `count` is one.
fn plural(count: u64, word: &str) -> String {
    format!("{word}{}", if count == 1 { "" } else { "s" })
}

/// The notices of one timeline, and how many files they say were skipped.
#[derive(Debug, Default)]
pub(super) struct Notices {
    list: Vec<Notice>,
    /// Files that gave nothing.
    skipped: u64,
    /// Skipped files of directories that have a notice of their own.
    told: usize,
    /// Where the untold ones begin, and how many they are.
    untold: Option<(PathBuf, u64)>,
}

impl Notices {
    /// Adds a notice that is about a whole file or directory.
    pub(super) fn add(&mut self, path: &Path, severity: Severity, kind: NoticeKind) {
        self.list.push(Notice { path: path.to_path_buf(), offset: None, severity, kind });
    }

    /// Adds a notice about a place in a file.
    pub(super) fn add_at(&mut self, path: &Path, offset: u64, severity: Severity, kind: NoticeKind) {
        self.list.push(Notice { path: path.to_path_buf(), offset: Some(offset), severity, kind });
    }

    /// Tells that a file is not read; those of directories get a line each up to a limit, and are
    /// then counted.
    pub(super) fn skip(&mut self, path: &Path, origin: Origin, offset: Option<u64>, kind: NoticeKind) {
        self.skipped += 1;
        if origin == Origin::Directory {
            if self.told >= limits::SKIP_NOTICES {
                let first = path.parent().unwrap_or(path);
                self.untold.get_or_insert_with(|| (first.to_path_buf(), 0)).1 += 1;
                return;
            }
            self.told += 1;
        }
        self.list.push(Notice { path: path.to_path_buf(), offset, severity: origin.severity(), kind });
    }

    /// Files that gave nothing.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether something that was asked for could not be read, or not to its end.
    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|notice| notice.severity == Severity::Error)
    }

    /// All notices in the order in which things happened, the count of the untold last.
    pub(super) fn iter(&self) -> impl Iterator<Item = Notice> {
        let untold = self.untold.iter().map(|(path, files)| Notice {
            path: path.clone(),
            offset: None,
            severity: Severity::Warning,
            kind: NoticeKind::MoreSkipped(*files),
        });
        self.list.iter().cloned().chain(untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_line_whatever_the_file_is_called() {
        let notice = Notice {
            path: PathBuf::from("a\nb\u{1b}[2J\u{202e}.pcap"),
            offset: Some(40),
            severity: Severity::Error,
            kind: NoticeKind::Truncated { have: 3, need: 16 },
        };
        assert_eq!(
            notice.to_string(),
            "a\\nb\\u{1b}[2J\\u{202e}.pcap: at byte 40: the capture ends in the middle of a record \
             (3 of 16 bytes are there); everything before was read"
        );
    }
}
