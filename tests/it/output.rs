//! Events into files.

use std::{fs, os::unix::fs::symlink, path::Path};

use callhome::output::{EventSink, SinkCounts, same_file};

#[test]
fn a_file_holds_every_event_on_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    fs::write(&path, "what stood here before, which is longer than what comes").unwrap();
    let mut sink = EventSink::create(&path, &[]).unwrap();
    sink.write("{\"a\":1}").unwrap();
    sink.write("{\"b\":2}").unwrap();
    assert_eq!(sink.finish().unwrap(), SinkCounts { written: 2, failed: 0 });
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n");
}

#[test]
fn an_input_is_never_written_over_under_whatever_name() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("evidence.pcap");
    fs::write(&capture, "evidence").unwrap();
    let link = folder.path().join("link");
    symlink(&capture, &link).unwrap();
    let hard = folder.path().join("hard");
    fs::hard_link(&capture, &hard).unwrap();
    let inputs = [folder.path().join("missing"), capture.clone()];
    for name in [&capture, &link, &hard] {
        let error = EventSink::create(name, &inputs).err().expect("it is an input").to_string();
        assert!(error.contains("is one of the captures to read"), "{error}");
        assert!(error.starts_with(&name.display().to_string()), "{error}");
        assert!(same_file(name, &capture));
    }
    assert_eq!(fs::read_to_string(&capture).unwrap(), "evidence");
    assert!(!same_file(&capture, folder.path()));
    assert!(!same_file(Path::new("/nonexistent"), Path::new("/nonexistent")));
}

#[test]
fn what_cannot_be_opened_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| EventSink::create(path, &[]).err().expect("cannot be opened").to_string();
    let missing = error(&folder.path().join("no/such/events.json"));
    assert!(missing.contains("events.json: cannot be opened for events"), "{missing}");
    assert!(missing.ends_with("make its folder first, or name another file with --json"), "{missing}");
    assert!(error(folder.path()).ends_with("name a file in it with --json"));
}

#[test]
fn a_full_device_is_one_error() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        println!("skipped: /dev/full is not there");
        return;
    }
    let mut sink = EventSink::create(full, &[]).unwrap();
    sink.write("{}").unwrap();
    let error = sink.flush().unwrap_err().to_string();
    assert!(error.starts_with("/dev/full: cannot write events: "), "{error}");
    assert!(error.ends_with("free some space, or name a file elsewhere with --json"), "{error}");
    sink.write("{}").unwrap();
    assert_eq!(sink.finish().unwrap(), SinkCounts { written: 0, failed: 2 });
}
