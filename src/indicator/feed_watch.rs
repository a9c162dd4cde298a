//! Whether the files of indicators are others than they were.
//!
//! They are looked at, not listened to: a look costs little for a few files, and works where the system cannot tell of
//! changes (network file systems, mounted volumes that are exchanged as a whole).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use super::load::files_of;

/// For how long files must stay as they are before they are read: what is being written grows on.
pub const SETTLED: Duration = Duration::from_secs(2);

/// What tells a file from what it was: another one under its name, or other contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    is_file: bool,
    device: u64,
    inode: u64,
    size: u64,
    /// When it was written last, and when anything about it was changed.
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The files that some paths lead to, as they are at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedFiles {
    /// In the order in which they are read; `None` of what cannot be looked at.
    files: Vec<(PathBuf, Option<Stamp>)>,
}

impl FeedFiles {
    /// The files that `paths` name, in folders those that would be read.
    pub fn of(paths: &[PathBuf]) -> Self {
        let mut files = Vec::new();
        for path in paths {
            match files_of(path) {
                Ok(found) => files.extend(found.into_iter().map(|file| {
                    let stamp = stamp(&file).ok();
                    (file, stamp)
                })),
                Err((path, _)) => files.push((path, None)),
            }
        }
        Self { files }
    }

    /// The first of them that gives what it has only once: a pipe, a device.
    pub fn read_once(&self) -> Option<&Path> {
        let found = self.files.iter().find(|(_, stamp)| stamp.is_some_and(|stamp| !stamp.is_file));
        found.map(|(path, _)| path.as_path())
    }

    /// The first file that is not the same in `other`.
    pub fn first_other<'f>(&'f self, other: &'f Self) -> Option<&'f Path> {
        let differs = |place: &usize| self.files.get(*place) != other.files.get(*place);
        let place = (0..self.files.len().max(other.files.len())).find(differs)?;
        let found = self.files.get(place).or_else(|| other.files.get(place));
        found.map(|(path, _)| path.as_path())
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok(Stamp {
        is_file: metadata.is_file(),
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// Tells when files have changed and are likely complete.
///
/// ```
/// use callhome::indicator::{FeedFiles, FeedWatch};
/// use std::time::Duration;
///
/// let folder = tempfile::tempdir()?;
/// let paths = [folder.path().to_owned()];
/// let mut watch = FeedWatch::new(FeedFiles::of(&paths));
/// std::fs::write(folder.path().join("list.txt"), "evil.example\n")?;
/// // It may not be complete yet.
/// assert!(!watch.look(FeedFiles::of(&paths), Duration::from_secs(10)));
/// assert!(watch.look(FeedFiles::of(&paths), Duration::from_secs(13)));
/// assert!(!watch.look(FeedFiles::of(&paths), Duration::from_secs(16)), "told once");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FeedWatch {
    /// As they were when they were read last.
    read: FeedFiles,
    /// As they were at the last look, and since when.
    seen: FeedFiles,
    since: Duration,
}

impl FeedWatch {
    /// Of files that were read as they were in `read`.
    pub fn new(read: FeedFiles) -> Self {
        Self { seen: read.clone(), read, since: Duration::ZERO }
    }

    /// Notes that files were read as they were in `read`.
    pub fn was_read(&mut self, read: FeedFiles) {
        self.read = read;
    }

    /// Takes in how they are at `now`, by any clock that does not go back; answers whether they are to be read: they
    /// are others than when they were read last, and have been the same for two seconds.
    pub fn look(&mut self, found: FeedFiles, now: Duration) -> bool {
        if found != self.seen {
            (self.seen, self.since) = (found, now);
            return false;
        }
        let is_due = self.seen != self.read && now.saturating_sub(self.since) >= SETTLED;
        if is_due {
            self.read = self.seen.clone();
        }
        is_due
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_still_grows_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        fs::write(&list, "a.example\n").unwrap();
        let paths = [list.clone()];
        let look = |watch: &mut FeedWatch, now| watch.look(FeedFiles::of(&paths), seconds(now));
        let mut watch = FeedWatch::new(FeedFiles::of(&paths));
        for now in 0..5 {
            assert!(!look(&mut watch, now), "nothing happened");
        }
        for now in 10..20 {
            fs::write(&list, "b.example\n".repeat(now as usize)).unwrap();
            assert!(!look(&mut watch, now), "it grows on");
        }
        assert!(!look(&mut watch, 20));
        assert!(look(&mut watch, 21));
        assert!(!look(&mut watch, 30));
        // It goes, and comes again as it was read: not the same file, though nobody could tell it by its size.
        fs::remove_file(&list).unwrap();
        assert!(!look(&mut watch, 31));
        assert!(look(&mut watch, 33));
    }

    #[test]
    fn another_file_under_the_name_is_a_change_and_so_is_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (list, new) = (folder.path().join("list.txt"), folder.path().join(".new"));
        fs::write(&list, "a.example\n").unwrap();
        let paths = [folder.path().to_owned()];
        let before = FeedFiles::of(&paths);
        fs::write(&new, "b.example\n").unwrap();
        assert_eq!(FeedFiles::of(&paths), before, "hidden files are not read");
        fs::rename(&new, &list).unwrap();
        let renamed = FeedFiles::of(&paths);
        assert_eq!(renamed.first_other(&before), Some(&*list));
        let second = folder.path().join("second.txt");
        fs::write(&second, "").unwrap();
        assert_eq!(renamed.first_other(&FeedFiles::of(&paths)), Some(&*second));
        assert_eq!(renamed.first_other(&renamed), None);
    }

    #[test]
    fn what_gives_its_contents_once_is_known() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(FeedFiles::of(&[folder.path().to_owned()]).read_once(), None);
        let device = PathBuf::from("/dev/null");
        assert_eq!(FeedFiles::of(std::slice::from_ref(&device)).read_once(), Some(&*device));
        assert_eq!(FeedFiles::of(&[folder.path().join("missing")]).read_once(), None);
    }
}
