//! A sink for events: whole lines, buffered, counted.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::error::{OutputError, shown};

/// Bytes that are collected before they are written.
const BUFFER: usize = 256 << 10;

/// Takes events and writes them as lines.
///
/// After an error nothing more is written: events are counted as failed, and the error is given once. A
/// reader who closes the pipe (`callhome ... | head`) has had enough, which is no error.
///
/// [`EventSink::finish`] must be called, or what is still buffered is lost.
pub struct EventSink {
    name: String,
    target: Box<dyn Target + Send>,
    /// Whole lines that are not written yet.
    buffer: Vec<u8>,
    /// How many lines that is.
    buffered: u64,
    /// Bytes of whole lines written so far.
    length: u64,
    counts: SinkCounts,
    state: State,
}

/// What became of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// Events whose whole line was written.
    pub written: u64,
    /// Events that could not be written, or that nobody wanted any more.
    pub failed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The reader went away.
    Closed,
    Failed,
}

/// Where the bytes go.
trait Target: Write {
    /// Drops what stands behind the first `length` bytes, where that can be done.
    fn cut(&mut self, length: u64);
}

/// A file of ours.
impl Target for File {
    fn cut(&mut self, length: u64) {
        if self.metadata().is_ok_and(|metadata| metadata.is_file()) {
            // Half a line is a nuisance, not a reason for a second error.
            let _ = self.set_len(length);
        }
    }
}

/// Standard output, which may be a file that others write to as well: nothing of it is ever dropped.
struct StandardOutput(File);

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Target for StandardOutput {
    fn cut(&mut self, _length: u64) {}
}

impl EventSink {
    /// A sink into the file at `path`, which is made, or emptied if it is there and none of `inputs`.
    ///
    /// # Errors
    /// When it cannot be opened, or is the same file as one of `inputs` under whatever name.
    pub fn create(path: &Path, inputs: &[PathBuf]) -> Result<Self, OutputError> {
        if inputs.iter().any(|input| same_file(input, path)) {
            return Err(OutputError::is_input(path));
        }
        let open = |path| {
            // Emptied only when it is open and certainly no input: the name may have changed meanwhile.
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            let metadata = file.metadata()?;
            let is_input = inputs.iter().any(|input| is_file(input, metadata.dev(), metadata.ino()));
            if metadata.is_file() && !is_input {
                file.set_len(0)?;
            }
            Ok((file, is_input))
        };
        match open(path) {
            Ok((_, true)) => Err(OutputError::is_input(path)),
            Ok((file, false)) => Ok(Self::new(shown(path), Box::new(file))),
            Err(cause) => Err(OutputError::open(path, cause)),
        }
    }

    /// A sink into standard output.
    ///
    /// # Errors
    /// When the program was started without one.
    pub fn standard_output() -> Result<Self, OutputError> {
        const NAME: &str = "standard output";
        // Not through `io::stdout()`, which has a buffer of its own and writes at every line.
        let own = io::stdout().as_fd().try_clone_to_owned();
        let file = own.map_err(|cause| OutputError::open(Path::new(NAME), cause))?;
        Ok(Self::new(NAME.to_owned(), Box::new(StandardOutput(File::from(file)))))
    }

    fn new(name: String, target: Box<dyn Target + Send>) -> Self {
        let buffer = Vec::with_capacity(BUFFER + (8 << 10));
        let counts = SinkCounts::default();
        Self { name, target, buffer, buffered: 0, length: 0, counts, state: State::Open }
    }

    /// Takes one event, which is one line without its end.
    ///
    /// # Errors
    /// The first time that writing fails. Later events are only counted.
    pub fn write(&mut self, event: &str) -> Result<(), OutputError> {
        if self.state != State::Open {
            self.counts.failed += 1;
            return Ok(());
        }
        self.buffer.extend_from_slice(event.as_bytes());
        self.buffer.push(b'\n');
        self.buffered += 1;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Writes what is buffered, for those who watch.
    ///
    /// # Errors
    /// As [`EventSink::write`].
    pub fn flush(&mut self) -> Result<(), OutputError> {
        let mut done = 0;
        let outcome = loop {
            let rest = self.buffer.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.target.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let written = self.buffer.get(..done).unwrap_or_default();
        let whole = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let lines = match outcome {
            Ok(()) => self.buffered,
            Err(_) => written.iter().filter(|&&byte| byte == b'\n').count() as u64,
        };
        self.length += whole as u64;
        self.counts.written += lines;
        self.counts.failed += self.buffered - lines;
        self.buffer.clear();
        self.buffered = 0;
        let Err(cause) = outcome else { return Ok(()) };
        if done > whole {
            self.target.cut(self.length);
        }
        if cause.kind() == io::ErrorKind::BrokenPipe {
            self.state = State::Closed;
            return Ok(());
        }
        self.state = State::Failed;
        Err(OutputError::write(&self.name, cause))
    }

    /// Whether the reader went away: work that is only for its sake may end.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// What became of the events so far; those that are buffered are not counted yet.
    pub fn counts(&self) -> SinkCounts {
        self.counts
    }

    /// Writes what is buffered and ends.
    ///
    /// # Errors
    /// When that fails, and nothing failed before.
    pub fn finish(mut self) -> Result<SinkCounts, OutputError> {
        if self.state == State::Open {
            self.flush()?;
        }
        Ok(self.counts)
    }
}

/// Whether two paths lead to one file, through links too. `false` when one of them does not exist.
pub fn same_file(a: &Path, b: &Path) -> bool {
    b.metadata().is_ok_and(|metadata| is_file(a, metadata.dev(), metadata.ino()))
}

/// Whether `path` leads to that inode.
fn is_file(path: &Path, device: u64, inode: u64) -> bool {
    path.metadata().is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (device, inode))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes so many bytes, then fails.
    struct Small {
        room: usize,
        then: io::ErrorKind,
        got: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(self.then.into());
            }
            let taken = bytes.len().min(self.room).min(7);
            self.room -= taken;
            self.got.lock().unwrap().extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for Small {
        fn cut(&mut self, length: u64) {
            self.got.lock().unwrap().truncate(length as usize);
        }
    }

    fn small(room: usize, then: io::ErrorKind) -> (EventSink, Arc<Mutex<Vec<u8>>>) {
        let got = Arc::new(Mutex::new(Vec::new()));
        let target = Small { room, then, got: Arc::clone(&got) };
        (EventSink::new("x.json".into(), Box::new(target)), got)
    }

    #[test]
    fn a_full_disk_leaves_whole_lines_and_one_error() {
        let (mut sink, got) = small(25, io::ErrorKind::StorageFull);
        for _ in 0..3 {
            sink.write("{\"a\":1234}").unwrap();
        }
        let error = sink.flush().unwrap_err().to_string();
        assert!(error.starts_with("x.json: cannot write events: "), "{error}");
        assert!(error.ends_with("; free some space, or name a file elsewhere with --json"), "{error}");
        assert_eq!(*got.lock().unwrap(), b"{\"a\":1234}\n{\"a\":1234}\n");
        sink.write("{}").unwrap();
        assert_eq!(sink.counts(), SinkCounts { written: 2, failed: 2 });
        assert_eq!(sink.finish().unwrap().failed, 2);
    }

    #[test]
    fn a_reader_who_left_is_no_error() {
        let (mut sink, _) = small(3, io::ErrorKind::BrokenPipe);
        sink.write("{\"a\":1}").unwrap();
        sink.flush().unwrap();
        assert!(sink.is_closed());
        sink.write("{}").unwrap();
        assert_eq!(sink.finish().unwrap(), SinkCounts { written: 0, failed: 2 });
    }

    #[test]
    fn a_sink_writes_when_its_buffer_is_full() {
        let (mut sink, got) = small(usize::MAX, io::ErrorKind::Other);
        let line = "x".repeat(1023);
        for _ in 0..300 {
            sink.write(&line).unwrap();
        }
        assert_eq!(got.lock().unwrap().len(), BUFFER);
        assert_eq!(sink.finish().unwrap(), SinkCounts { written: 300, failed: 0 });
        assert_eq!(got.lock().unwrap().len(), 300 << 10);
    }
}
