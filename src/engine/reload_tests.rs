use std::{fs, path::Path, sync::mpsc};

use super::*;
use crate::{engine::ReloadCounts, indicator::Loader};

/// A list in a folder of its own, and what reads it again.
struct Lists {
    folder: tempfile::TempDir,
    reader: Reader,
    lines: mpsc::Receiver<String>,
}

fn load(path: &Path) -> Knowledge {
    let mut loader = Loader::default();
    loader.path(path);
    loader.finish()
}

impl Lists {
    fn new(list: &str) -> Self {
        Self::with(list, |_| ())
    }

    /// `before_load` is called each time before the list is read.
    fn with(list: &str, mut before_load: impl FnMut(&Path) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        fs::write(&path, list).unwrap();
        let (sender, lines) = mpsc::channel();
        let paths = vec![path.clone()];
        let feeds = Feeds {
            files: FeedFiles::of(&paths),
            paths,
            load: Box::new({
                let path = path.clone();
                move || {
                    before_load(&path);
                    load(&path)
                }
            }),
            watched: false,
            tell: Box::new(move |line| sender.send(line.to_owned()).unwrap()),
        };
        let first = Arc::new(load(&path));
        let mut reader = Reader::new(first, feeds, Arc::default());
        reader.pause = Duration::ZERO;
        Self { folder, reader, lines }
    }

    fn write(&self, list: &str) {
        fs::write(self.folder.path().join("list.txt"), list).unwrap();
    }

    /// Reads again; the line that says what came of it.
    fn reload(&mut self) -> String {
        self.reader.reload();
        self.lines.recv().unwrap().replace(&*self.folder.path().to_string_lossy(), "FOLDER")
    }

    fn turn(&self) -> Option<Turn> {
        self.reader.results.take()
    }
}

#[test]
fn what_is_good_is_taken_once() {
    let mut lists = Lists::new("a.example\n");
    assert!(lists.turn().is_none());
    lists.write("a.example\nb.example\n");
    assert_eq!(lists.reload(), "indicators read again: 2 entries of 1 file; generation 2");
    let turn = lists.turn().unwrap();
    assert_eq!(turn.counts, ReloadCounts { taken: 1, refused: 0 });
    let generation = turn.generation().unwrap();
    assert_eq!((generation.number, generation.knowledge.indicators.len()), (2, 2));
    assert!(lists.turn().is_none());
}

#[test]
fn a_generation_that_nobody_took_is_passed_over() {
    let mut lists = Lists::new("a.example\n");
    lists.reload();
    lists.write("\0\0");
    assert_eq!(
        lists.reload(),
        "indicators not exchanged, generation 2 stays: FOLDER/list.txt: not a text file"
    );
    lists.write("a.example\nb.example\n");
    lists.reload();
    let turn = lists.turn().unwrap();
    assert!(matches!(&turn.reloads[..], [Reload::Refused(_), Reload::Taken(one)] if one.number == 3));
    assert_eq!(turn.counts, ReloadCounts { taken: 2, refused: 1 });
}

#[test]
fn what_is_told_is_bounded_and_the_new_generation_is_not_lost() {
    let mut lists = Lists::new("a.example\n");
    lists.reload();
    lists.write("\0\0");
    let refused = 3 * limits::UNTOLD_RELOADS;
    for _ in 0..refused {
        lists.reload();
    }
    let turn = lists.turn().unwrap();
    assert_eq!(turn.reloads.len(), limits::UNTOLD_RELOADS);
    assert_eq!(turn.generation().map(|generation| generation.number), Some(2));
    assert_eq!(turn.counts.refused, refused as u64);
}

#[test]
fn earlier_sets_are_freed_here_when_nobody_else_has_them() {
    let mut lists = Lists::new("a.example\n");
    let first = Arc::clone(&lists.reader.good.knowledge);
    let gone = Arc::downgrade(&first);
    lists.reload();
    lists.reader.free();
    assert_eq!(lists.reader.earlier.len(), 1, "somebody judges by it");
    drop(first);
    assert!(gone.upgrade().is_some(), "whoever lets go of it does not free it");
    lists.reader.free();
    assert!(gone.upgrade().is_none());
    // One that nobody took is held by the results alone, until a later one comes.
    let second = Arc::downgrade(&lists.reader.good.knowledge);
    lists.reload();
    lists.reader.free();
    assert!(second.upgrade().is_none());
}

#[test]
fn what_grows_while_it_is_read_is_read_again_and_in_the_end_refused() {
    let mut turns = 0;
    let mut lists = Lists::with("a.example\n", move |path| {
        turns += 1;
        if turns <= 2 {
            fs::write(path, "b.example\n".repeat(turns + 1)).unwrap();
        }
    });
    assert_eq!(lists.reload(), "indicators read again: 1 entry of 1 file; generation 2");

    let mut turns = 1;
    let mut lists = Lists::with("a.example\n", move |path| {
        turns += 1;
        fs::write(path, "b.example\n".repeat(turns)).unwrap();
    });
    assert!(lists.reload().ends_with("FOLDER/list.txt: was written while it was read, again and again"));
    assert!(lists.turn().unwrap().generation().is_none());
}

#[test]
fn what_gives_its_contents_once_is_not_opened_again() {
    let mut lists = Lists::with("a.example\n", |_| panic!("nobody may read it"));
    lists.reader.feeds.paths = vec!["/dev/null".into()];
    assert!(lists.reload().ends_with("/dev/null: is no file, and cannot be read again"));
}

#[test]
fn a_thread_answers_whoever_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    fs::write(&path, "a.example\n").unwrap();
    let (sender, lines) = mpsc::channel();
    let paths = vec![path.clone()];
    let feeds = Feeds {
        files: FeedFiles::of(&paths),
        paths,
        load: Box::new(move || load(&path)),
        watched: false,
        tell: Box::new(move |line| sender.send(line.to_owned()).unwrap()),
    };
    let reloading = Reloading::start(Arc::new(Knowledge::default()), feeds).unwrap();
    assert!(reloading.turn().is_none());
    assert!(reloading.ask());
    assert!(lines.recv().unwrap().ends_with("generation 2"));
    assert!(reloading.turn().unwrap().generation().is_some());
    drop(reloading);
    assert!(lines.recv().is_err(), "the thread ends with the last one who could ask");
}
