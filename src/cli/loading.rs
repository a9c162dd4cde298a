//! Loads the indicators of a run, and reads them again when told to.

use std::{io, path::PathBuf, sync::Arc, thread};

use signal_hook::{consts::SIGHUP, iterator::Signals};

use super::{indicators::check_loaded, say};
use crate::{
    engine::{Feeds, Reloading, Turn},
    indicator::{FeedFiles, IndicatorPath, Knowledge, Loader},
};

/// Which indicators a run has, and how.
#[derive(Clone, Debug)]
pub(super) struct Loading {
    /// Files and folders in place of the packs that are built in; none for those.
    pub paths: Vec<IndicatorPath>,
    /// Whether the traffic is live: then they will likely be read again, and room is made for that.
    pub is_live: bool,
    /// Whether they are read again whenever the files have changed.
    pub watched: bool,
}

/// What becomes of reading them again.
pub(super) struct Reloads(Option<Reloading>);

impl Reloads {
    /// What is to be done at a border between batches of frames now, if there is anything.
    pub(super) fn turn(&self) -> Option<Turn> {
        self.0.as_ref().and_then(Reloading::turn)
    }
}

impl Loading {
    /// Gives those that the run begins with, and has them read again at every SIGHUP from now on.
    ///
    /// # Errors
    /// When one of the files cannot be used.
    pub(super) fn start(self) -> Result<(Arc<Knowledge>, Reloads), String> {
        // Before the files are read: until then a SIGHUP ends the process.
        let signals = Signals::new([SIGHUP]).map_err(|error| cannot_reload(&error)).ok();
        let files = FeedFiles::of(&self.files());
        let knowledge = Arc::new(self.load(self.is_live));
        check_loaded(&knowledge.report)?;
        let reloading = if self.files().is_empty() { None } else { self.reloading(&knowledge, files) };
        if let Some(signals) = signals {
            let reloading = reloading.clone();
            let waiting = thread::Builder::new().name("signals".to_owned());
            let spawned = waiting.spawn(move || reload_at(signals, reloading.as_ref()));
            spawned.map(drop).unwrap_or_else(|error| cannot_reload(&error));
        }
        Ok((knowledge, Reloads(reloading)))
    }

    fn reloading(self, first: &Arc<Knowledge>, files: FeedFiles) -> Option<Reloading> {
        let (paths, watched) = (self.files(), self.watched);
        let load = Box::new(move || self.load(true));
        let tell = Box::new(say);
        let feeds = Feeds { paths, files, load, watched, tell };
        Reloading::start(Arc::clone(first), feeds).map_err(|error| cannot_reload(&error)).ok()
    }

    /// What may change: everything but what is built in.
    fn files(&self) -> Vec<PathBuf> {
        self.paths.iter().filter(|named| !named.is_builtin()).map(|named| named.path.clone()).collect()
    }

    /// The packs that are built in or the given files; the baseline (allow list, registries, sinkholes) always.
    fn load(&self, on_disk: bool) -> Knowledge {
        let mut loader = Loader::default();
        if self.paths.is_empty() {
            loader.builtin();
        } else {
            loader.builtin_baseline();
            self.paths.iter().for_each(|path| loader.located(path));
        }
        if on_disk { loader.finish_on_disk(&std::env::temp_dir()) } else { loader.finish() }
    }
}

/// Asks for a reload at every signal, for as long as the process lives.
fn reload_at(mut signals: Signals, reloading: Option<&Reloading>) {
    for _ in signals.forever() {
        match reloading {
            None => say("SIGHUP: the indicators are built in and stay; name files with --indicators"),
            Some(reloading) if reloading.ask() => {}
            Some(_) => say("SIGHUP: indicators cannot be read again any more; start the program anew"),
        }
    }
}

fn cannot_reload(error: &io::Error) {
    say(&format!("indicators will not be read again: {error}"));
}
