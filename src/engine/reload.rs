//! Reads the indicators again beside the traffic, and leaves them to be taken at the next border.
//!
//! One thread does all of it: it waits until somebody asks or files have changed, reads and arranges the new set, holds
//! it against the last good one, and frees sets that nobody uses any more. Those who carry packets exchange one
//! reference for another.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::turn::{Generation, Reload, Turn, named};
use crate::{
    indicator::{FeedFault, FeedFiles, FeedWatch, Knowledge, Refusal, may_replace},
    limits,
};

/// How often files are looked at, and sets that are no longer in force.
const LOOK: Duration = Duration::from_secs(1);

/// How often files are read that change while they are read, and the pause in between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// What is read, and how.
pub struct Feeds {
    /// Files and folders, for finding out whether they changed.
    pub paths: Vec<PathBuf>,
    /// What they led to before the first set was read.
    pub files: FeedFiles,
    /// Reads them into a whole set, with what is built in.
    pub load: Box<dyn FnMut() -> Knowledge + Send>,
    /// Whether they are read again whenever they have changed, not only when somebody asks.
    pub watched: bool,
    /// Takes a line for a person about each reload.
    pub tell: Box<dyn Fn(&str) + Send>,
}

/// The thread's other end: shared by those who ask for reloads and the one who takes what comes of them.
#[derive(Clone, Debug)]
pub struct Reloading {
    requests: Sender<()>,
    results: Arc<Results>,
}

impl Reloading {
    /// Starts the thread; `first` is what `feeds` gave when the run began.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(first: Arc<Knowledge>, feeds: Feeds) -> io::Result<Self> {
        let (requests, asked) = bounded(1);
        let results = Arc::new(Results::default());
        let reader = Reader::new(first, feeds, Arc::clone(&results));
        thread::Builder::new().name("indicators".to_owned()).spawn(move || reader.run(&asked))?;
        Ok(Self { requests, results })
    }

    /// Asks for a reload. One that has been asked for and has not begun is enough for all who ask. `false` when
    /// nobody reads any more, because reading failed beyond what was thought possible.
    pub fn ask(&self) -> bool {
        !matches!(self.requests.try_send(()), Err(TrySendError::Disconnected(())))
    }

    /// What is to be done at a border now, if there is anything.
    pub fn turn(&self) -> Option<Turn> {
        self.results.take()
    }
}

/// What became of reloads and nobody has taken yet.
#[derive(Debug, Default)]
struct Results {
    /// Whether there is anything: asked for every batch of frames.
    is_due: AtomicBool,
    turn: Mutex<Turn>,
}

impl Results {
    fn take(&self) -> Option<Turn> {
        if !self.is_due.swap(false, Ordering::Acquire) {
            return None;
        }
        let mut turn = self.lock();
        let reloads = std::mem::take(&mut turn.reloads);
        Some(Turn { reloads, counts: turn.counts })
    }

    /// Adds what became of another reload. A generation that nobody took is left out when a later one comes.
    fn add(&self, reload: Reload) {
        let mut turn = self.lock();
        let Turn { reloads, counts } = &mut *turn;
        match reload {
            Reload::Taken(_) => {
                counts.taken += 1;
                reloads.retain(|earlier| matches!(earlier, Reload::Refused(_)));
            }
            Reload::Refused(_) => counts.refused += 1,
        }
        if reloads.len() >= limits::UNTOLD_RELOADS
            && let Some(oldest) = reloads.iter().position(|earlier| matches!(earlier, Reload::Refused(_)))
        {
            reloads.remove(oldest);
        }
        reloads.push(reload);
        self.is_due.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        // Whoever panicked while holding it left a turn that is whole.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread has.
struct Reader {
    feeds: Feeds,
    watch: FeedWatch,
    /// The last good set.
    good: Generation,
    /// Sets before it that may still be in use. Held here, so that the last one to let go of a set is never one who
    /// carries packets: freeing a large one takes long.
    earlier: Vec<Arc<Knowledge>>,
    results: Arc<Results>,
    pause: Duration,
}

impl Reader {
    fn new(first: Arc<Knowledge>, feeds: Feeds, results: Arc<Results>) -> Self {
        let watch = FeedWatch::new(feeds.files.clone());
        let good = Generation { number: 1, knowledge: first };
        Self { feeds, watch, good, earlier: Vec::new(), results, pause: PAUSE }
    }

    /// Reads whenever there is a reason, until nobody can ask any more.
    fn run(mut self, asked: &Receiver<()>) {
        let start = Instant::now();
        loop {
            let is_due = if self.feeds.watched || !self.earlier.is_empty() {
                match asked.recv_timeout(LOOK) {
                    Ok(()) => true,
                    Err(RecvTimeoutError::Timeout) => self.is_changed(start.elapsed()),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else {
                match asked.recv() {
                    Ok(()) => true,
                    Err(_) => return,
                }
            };
            self.free();
            if is_due {
                self.reload();
            }
        }
    }

    /// Whether files have changed that are watched, at `now` of any clock.
    fn is_changed(&mut self, now: Duration) -> bool {
        self.feeds.watched && self.watch.look(FeedFiles::of(&self.feeds.paths), now)
    }

    /// Frees earlier sets that nobody uses any more.
    fn free(&mut self) {
        self.earlier.retain(|knowledge| Arc::strong_count(knowledge) > 1);
    }

    fn reload(&mut self) {
        let reload = match self.read() {
            Ok(knowledge) => {
                let generation = Generation { number: self.good.number + 1, knowledge: Arc::new(knowledge) };
                self.earlier.push(std::mem::replace(&mut self.good, generation.clone()).knowledge);
                Reload::Taken(generation)
            }
            Err(refusal) => Reload::Refused(refusal),
        };
        let words = self.words(&reload);
        self.results.add(reload);
        (self.feeds.tell)(&words);
    }

    /// A new set, if it may take the place of the last good one.
    fn read(&mut self) -> Result<Knowledge, Refusal> {
        let refusal = |file: &Path, fault| Refusal { file: file.to_string_lossy().into(), fault };
        let mut changing = PathBuf::new();
        let mut before = FeedFiles::of(&self.feeds.paths);
        for _ in 0..TRIES {
            // What is wrong now will be looked at again when it is something else.
            self.watch.was_read(before.clone());
            if let Some(path) = before.read_once() {
                return Err(refusal(path, FeedFault::ReadOnce));
            }
            let knowledge = (self.feeds.load)();
            let after = FeedFiles::of(&self.feeds.paths);
            if after == before {
                return may_replace(&self.good.knowledge.report, &knowledge.report).map(|()| knowledge);
            }
            // Half of what is being written would seem whole.
            drop(knowledge);
            changing = before.first_other(&after).map(Path::to_owned).unwrap_or_default();
            thread::sleep(self.pause);
            before = FeedFiles::of(&self.feeds.paths);
        }
        Err(refusal(&changing, FeedFault::Changing))
    }

    fn words(&self, reload: &Reload) -> String {
        match reload {
            Reload::Taken(Generation { number, knowledge }) => {
                let (files, entries) = named(&knowledge.report);
                let (files, entries) =
                    (counted(files, "file", "files"), counted(entries, "entry", "entries"));
                let rejected = match knowledge.report.rejected() {
                    0 => String::new(),
                    rejected => format!(", {rejected} not taken"),
                };
                format!("indicators read again: {entries} of {files}{rejected}; generation {number}")
            }
            Reload::Refused(Refusal { file, fault }) => {
                format!("indicators not exchanged, generation {} stays: {file}: {fault}", self.good.number)
            }
        }
    }
}

/// `1 file`, `2 files`.
fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
