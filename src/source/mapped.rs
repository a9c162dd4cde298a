//! Capture files and compiled indicators mapped into memory: with `src/prefetch.rs` the only module with `unsafe`.
//!
//! A mapping shows the file as it is now, so another process can change it under the reader. Two
//! things follow. Bytes may differ from one look to the next: everything that reads frames checks
//! every length on the slice it has and survives any bytes, so this costs a wrong frame at worst.
//! And touching a page behind the end of a file that was made shorter raises SIGBUS. Captures are
//! appended to and never made shorter by the programs that write them (they rotate to a new file);
//! against the rest, [`Mapped::length_now`] is asked every few megabytes, which leaves a narrow
//! window open. Who must read captures that others may truncate copies them first, or pipes them in.
//! A compiled indicator file is replaced as a whole by those who write it, never written in place.
#![allow(unsafe_code, reason = "mapping a file is unsafe by nature; the reasons stand at each block")]

use std::{fs::File, io};

use memmap2::{Advice, Mmap, UncheckedAdvice};

/// A file in memory, as long as it was when it was opened.
pub(crate) struct Mapped {
    map: Mmap,
    file: File,
}

impl Mapped {
    /// Maps a regular file that is not empty, to be read from its beginning to its end.
    ///
    /// # Errors
    /// What the operating system says; a file system may be unable to map.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let mapped = Self::for_tables(file)?;
        // Reading ahead is a favour, not a condition.
        let _ = mapped.map.advise(Advice::Sequential);
        Ok(mapped)
    }

    /// Maps a regular file that is not empty, to be read here and there.
    ///
    /// # Errors
    /// What the operating system says; a file system may be unable to map.
    pub(crate) fn for_tables(file: File) -> io::Result<Self> {
        // SAFETY: the mapping is read-only and private to this type. Its bytes may change when another
        // process writes the file; they are only ever read as plain bytes, and no reader derives
        // memory safety from their values. Truncation by another process is treated above.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map, file })
    }

    /// How long the file is at this moment: shorter than the mapping when somebody truncated it.
    pub(super) fn length_now(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Gives the pages that lie wholly in `from..to` back to the system. They can still be read, and
    /// then come again from the page cache or the disk.
    pub(super) fn release(&self, from: usize, to: usize) {
        let to = to.min(self.map.len());
        let Some(length) = to.checked_sub(from) else { return };
        // SAFETY: MADV_DONTNEED throws away what was written to private pages; this mapping is never
        // written, so the bytes of the range are the file's before and after.
        let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, length) };
    }
}

impl AsRef<[u8]> for Mapped {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn released_pages_read_the_same() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3 << 20).map(|index: u32| (index >> 8) as u8).collect();
        file.write_all(&bytes).unwrap();
        let mapped = Mapped::new(file).unwrap();
        assert!(mapped.as_ref() == bytes);
        mapped.release(1 << 20, 2 << 20);
        mapped.release(0, usize::MAX);
        mapped.release(9 << 20, 1 << 20);
        assert!(mapped.as_ref() == bytes);
    }

    #[test]
    fn a_truncated_file_is_noticed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 8192]).unwrap();
        let mapped = Mapped::new(file.try_clone().unwrap()).unwrap();
        assert_eq!(mapped.length_now(), 8192);
        file.set_len(100).unwrap();
        assert_eq!(mapped.length_now(), 100);
    }
}
