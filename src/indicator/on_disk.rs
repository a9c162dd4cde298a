//! Large tables in a file instead of memory, for those who will exchange them while they are asked.
//!
//! Until the new set is in force the old one must be there too. What was read from text would then stand in memory
//! twice. So its tables are written down as they are, in the form of a compiled file, and mapped: the system can give
//! their memory to others and read them again. The file loses its name before anything is written, so that nobody else
//! opens it and nothing of it is left behind.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::builder::IndicatorsBuilder;
use super::compile::Compiled;
use super::compiled;
use super::load::{Knowledge, Loader};
use super::segment::Segment;
use crate::source::Mapped;

/// Tables of fewer claims stay in memory: some ten megabytes.
const CLAIMS: usize = 100_000;

impl Loader {
    /// As [`Loader::finish`], with large tables in a file without a name in `folder`. Where that cannot be written they
    /// stay in memory: whoever has no room there does without, and nothing else is different.
    pub fn finish_on_disk(mut self, folder: &Path) -> Knowledge {
        self.indicators.move_to(folder, CLAIMS);
        self.finish()
    }
}

impl IndicatorsBuilder {
    /// Moves segments of so many claims and more into files in `folder`.
    fn move_to(&mut self, folder: &Path, claims: usize) {
        // What was read from text so far becomes a segment.
        self.segment(Segment::default());
        for segment in &mut self.segments {
            if segment.claims.len() >= claims && !segment.claims.records.is_mapped() {
                let base = segment.base;
                *segment = moved(std::mem::take(segment), folder);
                segment.base = base;
            }
        }
    }
}

/// The same segment from a file in `folder`, or as it was.
fn moved(segment: Segment, folder: &Path) -> Segment {
    let compiled = Compiled::of_segment(segment);
    let mapped = nameless(folder).and_then(|file| {
        let mut to = BufWriter::new(file);
        compiled.write(&mut to)?;
        Mapped::for_tables(to.into_inner().map_err(io::IntoInnerError::into_error)?)
    });
    match mapped.map(|mapped| compiled::open_mapped(&Arc::new(mapped))) {
        Ok(Ok(contents)) => contents.segment,
        Ok(Err(_)) | Err(_) => compiled.into_segment(),
    }
}

/// A file in `folder` that nobody else can open.
fn nameless(folder: &Path) -> io::Result<File> {
    /// Tells several of one process apart.
    static NEXT: AtomicU64 = AtomicU64::new(0);

    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!(".callhome-{}-{number}.tmp", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::protocol::dns::NameBuf;

    fn loader() -> Loader {
        let mut loader = Loader::default();
        loader.builtin();
        loader.bytes("list.txt", b"a.example\n198.51.100.0/28\n203.0.113.9:80\n/path\nhttp://b.example/x\n");
        loader.bytes("list.csv", b"value,confidence\na.example,90\nc.example,20\n");
        loader
    }

    fn moved_to(folder: &Path) -> Knowledge {
        let mut loader = loader();
        loader.indicators.move_to(folder, 1);
        loader.finish()
    }

    fn all(knowledge: &Knowledge) -> Vec<String> {
        knowledge.indicators.claims().map(|(id, claim)| format!("{id:?} {claim:?}")).collect()
    }

    #[test]
    fn tables_in_a_file_answer_as_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let (memory, disk) = (loader().finish(), moved_to(folder.path()));
        assert!(disk.indicators.segments.iter().all(|segment| segment.claims.records.is_mapped()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        assert_eq!(all(&memory), all(&disk));
        assert_eq!(memory.report, disk.report);
        for name in ["a.example", "x.a.example", "sfrclak.com", "nobody.example"] {
            let name = NameBuf::from_text(name.as_bytes()).unwrap();
            let hits = |knowledge: &Knowledge| {
                let mut hits = Vec::new();
                knowledge.indicators.domain(name.as_name(), &mut hits);
                (hits, knowledge.indicators.may_list_name(name.as_name()))
            };
            assert_eq!(hits(&memory), hits(&disk));
        }
        for address in ["198.51.100.5", "203.0.113.9", "192.0.2.1"] {
            let hits = |knowledge: &Knowledge| {
                let mut hits = Vec::new();
                knowledge.indicators.address(address.parse().unwrap(), 80, &mut hits);
                hits
            };
            assert_eq!(hits(&memory), hits(&disk));
        }
    }

    #[test]
    fn without_room_for_the_file_the_tables_stay_in_memory() {
        let disk = moved_to(Path::new("/nonexistent"));
        assert_eq!(all(&loader().finish()), all(&disk));
        assert!(!disk.indicators.segments.iter().any(|segment| segment.claims.records.is_mapped()));
    }

    #[test]
    fn small_tables_stay_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let knowledge = loader().finish_on_disk(folder.path());
        assert!(!knowledge.indicators.segments.iter().any(|segment| segment.claims.records.is_mapped()));
    }
}
