//! From the paths that were named to the files that are read.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::FileTypeExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::notice::{NoticeKind, Notices, Severity};

/// One thing to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path as it was named, or the named directory's path and what is below.
    pub path: PathBuf,
    /// Who named it.
    pub origin: Origin,
    /// What it is.
    pub kind: FileKind,
}

/// Who named a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The user: what is wrong with it is an error.
    Named,
    /// A directory that the user named: what is not a capture is skipped.
    Directory,
}

impl Origin {
    /// How bad it is when such a file cannot be read.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::Named => Severity::Error,
            Self::Directory => Severity::Warning,
        }
    }
}

/// How a file's bytes are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A regular file of so many bytes: can be opened more than once.
    Regular(u64),
    /// A pipe or a device: its bytes come once.
    Stream,
    /// The standard input, named `-`.
    Stdin,
}

/// The files that `inputs` name, those of directories in natural order; each file once.
pub(super) fn discover(inputs: &[PathBuf], notices: &mut Notices) -> Vec<Found> {
    let mut search = Search { notices, known: BTreeMap::new(), found: Vec::new() };
    for input in inputs {
        if input.as_os_str() == "-" {
            search.add_stdin();
            continue;
        }
        match fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => search.walk(input),
            Ok(metadata) => search.add(input.clone(), &metadata, Origin::Named),
            Err(error) => search.notices.add(input, Severity::Error, NoticeKind::CannotOpen(reason(&error))),
        }
    }
    search.found
}

struct Search<'a> {
    notices: &'a mut Notices,
    /// Device and inode of what was found, so that a link does not bring the same frames twice.
    known: BTreeMap<(u64, u64), PathBuf>,
    found: Vec<Found>,
}

impl Search<'_> {
    fn add_stdin(&mut self) {
        if self.found.iter().all(|found| found.kind != FileKind::Stdin) {
            let path = PathBuf::from("-");
            self.found.push(Found { path, origin: Origin::Named, kind: FileKind::Stdin });
        }
    }

    fn add(&mut self, path: PathBuf, metadata: &fs::Metadata, origin: Origin) {
        let kind = if metadata.is_file() {
            FileKind::Regular(metadata.len())
        } else if metadata.file_type().is_fifo() || metadata.file_type().is_char_device() {
            FileKind::Stream
        } else {
            self.notices.skip(&path, origin, None, NoticeKind::NotAFile);
            return;
        };
        if kind == FileKind::Stream && origin == Origin::Directory {
            // Opening a pipe that nobody writes would wait for ever.
            self.notices.skip(&path, origin, None, NoticeKind::NotAFile);
            return;
        }
        match self.known.get(&identity(metadata)) {
            Some(first) => {
                let kind = NoticeKind::Duplicate(first.clone());
                self.notices.skip(&path, Origin::Directory, None, kind);
            }
            None => {
                self.known.insert(identity(metadata), path.clone());
                self.found.push(Found { path, origin, kind });
            }
        }
    }

    /// Everything below `root`. A directory that is reached twice, through a link, is read once.
    fn walk(&mut self, root: &Path) {
        let mut seen = BTreeSet::new();
        let mut directories = vec![root.to_path_buf()];
        let mut files = Vec::new();
        while let Some(directory) = directories.pop() {
            let severity = if directory == root { Severity::Error } else { Severity::Warning };
            if !fs::metadata(&directory).is_ok_and(|metadata| seen.insert(identity(&metadata))) {
                continue;
            }
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) => {
                    self.notices.add(&directory, severity, NoticeKind::CannotOpen(reason(&error)));
                    continue;
                }
            };
            let mut below = Vec::new();
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.notices.add(&directory, severity, NoticeKind::CannotRead(reason(&error)));
                        break;
                    }
                };
                let path = entry.path();
                match fs::metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => below.push(path),
                    Ok(metadata) => files.push((path, metadata)),
                    Err(error) => {
                        let kind = NoticeKind::CannotOpen(reason(&error));
                        self.notices.skip(&path, Origin::Directory, None, kind);
                    }
                }
            }
            // The order decides through which of two links a directory is reached.
            below.sort_by(|a, b| natural_order(b, a));
            directories.extend(below);
        }
        if files.is_empty() {
            self.notices.add(root, Severity::Warning, NoticeKind::EmptyDirectory);
        }
        files.sort_by(|(a, _), (b, _)| natural_order(a, b));
        for (path, metadata) in files {
            self.add(path, &metadata, Origin::Directory);
        }
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The operating system's reason, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The order in which a person lists files: component by component, runs of digits as numbers
/// (`x2` before `x10`); paths that differ only in leading zeros by their bytes.
pub(super) fn natural_order(a: &Path, b: &Path) -> Ordering {
    let components = || a.components().map(|part| part.as_os_str());
    let mut others = b.components().map(|part| part.as_os_str());
    for part in components() {
        let Some(other) = others.next() else { return Ordering::Greater };
        let order = natural_order_of_names(part, other);
        if order.is_ne() {
            return order;
        }
    }
    match others.next() {
        Some(_) => Ordering::Less,
        None => a.as_os_str().cmp(b.as_os_str()),
    }
}

fn natural_order_of_names(a: &OsStr, b: &OsStr) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (digits_a, digits_b) = (digits(a), digits(b));
        if digits_a > 0 && digits_b > 0 {
            let (number_a, rest_a) = a.split_at(digits_a);
            let (number_b, rest_b) = b.split_at(digits_b);
            let (number_a, number_b) = (without_zeros(number_a), without_zeros(number_b));
            let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
            if order.is_ne() {
                return order;
            }
            (a, b) = (rest_a, rest_b);
            continue;
        }
        match (a.split_first(), b.split_first()) {
            (Some((first_a, rest_a)), Some((first_b, rest_b))) if first_a == first_b => {
                (a, b) = (rest_a, rest_b);
            }
            _ => return a.cmp(b),
        }
    }
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names =
            ["x10", "x9", "x", "a/2", "a-1", "a/10", "x010", "cap.pcap1", "cap.pcap"].map(Path::new);
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names.map(|name| name.to_str().unwrap()),
            ["a/2", "a/10", "a-1", "cap.pcap", "cap.pcap1", "x", "x9", "x010", "x10"]
        );
    }

    #[test]
    fn directories_are_walked_once_in_order_and_links_do_not_repeat_files() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("sub/deeper")).unwrap();
        for name in ["b10.pcap", "b9.pcap", "sub/a.pcap", "sub/deeper/c.pcap"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(root.path(), at("sub/loop")).unwrap();
        std::os::unix::fs::symlink(at("b9.pcap"), at("latest.pcap")).unwrap();
        std::os::unix::fs::symlink(at("gone"), at("dangling")).unwrap();

        let mut notices = Notices::default();
        let found = discover(&[root.path().to_path_buf(), at("b10.pcap"), at("nowhere")], &mut notices);
        let names: Vec<_> = found
            .iter()
            .map(|found| found.path.strip_prefix(root.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["b9.pcap", "b10.pcap", "sub/a.pcap", "sub/deeper/c.pcap"]);
        let told: Vec<_> = notices.iter().map(|notice| (notice.severity, notice.kind.clone())).collect();
        assert!(told.contains(&(Severity::Warning, NoticeKind::Duplicate(at("b9.pcap")))), "{told:?}");
        assert!(told.contains(&(Severity::Warning, NoticeKind::Duplicate(at("b10.pcap")))), "{told:?}");
        assert!(
            told.contains(&(Severity::Error, NoticeKind::CannotOpen("No such file or directory".to_owned())))
        );
    }

    #[test]
    fn a_pipe_in_a_directory_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no mkfifo here");
            return;
        }
        let mut notices = Notices::default();
        assert_eq!(discover(&[root.path().to_path_buf()], &mut notices), []);
        let found = discover(std::slice::from_ref(&pipe), &mut notices);
        assert_eq!(found, [Found { path: pipe, origin: Origin::Named, kind: FileKind::Stream }]);
    }
}
