//! Compiled indicators: the command that makes them, and that they say what their sources say.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use callhome::indicator::{Knowledge, Loader};

use crate::replay::{Replay, pcap, pcaps, root};

/// Exit code, standard output, standard error.
fn callhome(arguments: &[&dyn AsRef<OsStr>]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callhome"));
    let output = command.args(arguments.iter().map(AsRef::as_ref)).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A folder with lists of every form, the shipped packs among them.
fn sources() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sources")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join("sources").join(name), text).unwrap();
    write(
        "list.txt",
        "example.com\n203.0.113.0/24\n198.51.100.53\n142.11.206.73:8000\n/6202033\n10.0.0.1\ncom\n",
    );
    write(
        "feed.csv",
        "value,type,campaign,confidence\nsfrclak.com,domain,case,90\ncurl,user_agent,case,high\n",
    );
    write(
        "made-up.rules",
        "# a remark\nalert dns any any -> any any (msg:\"a name\"; dns.query; content:\"sfrclak.com\"; bsize:11; sid:1;)\n\
         alert http any any -> any any (msg:\"a path\"; \\\n  http.method; content:\"POST\"; http.uri; content:\"/62020\"; sid:2;)\n\
         alert ip any any -> [142.11.206.73,10.0.0.1] any (msg:\"an address\"; sid:3;)\n",
    );
    write(
        "made-up.yml",
        "title: A part of a name\nid: made-up\nlogsource:\n  category: dns\ndetection:\n  selection:\n\
         \x20   query|endswith: ample.com\n  condition: selection\nlevel: high\n",
    );
    for entry in fs::read_dir(root().join("signatures")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join("sources").join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn compile(folder: &Path) -> PathBuf {
    let file = folder.join("all.compiled");
    let (code, out, err) = callhome(&[&"indicators", &"compile", &folder.join("sources"), &"-o", &file]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("list.txt: 5 taken, 2 not taken, 0 repeated"), "{out}");
    assert!(err.contains("list.txt:6: 10.0.0.1: not an address of the Internet"), "{err}");
    file
}

fn load(path: &Path) -> Arc<Knowledge> {
    let mut loader = Loader::default();
    loader.builtin_baseline();
    loader.path(path);
    let knowledge = loader.finish();
    assert_eq!(knowledge.report.failures().count(), 0, "{}", knowledge.report);
    knowledge.shared()
}

#[test]
fn a_compiled_file_gives_the_events_of_its_sources() {
    let folder = sources();
    let (text, compiled) = (load(&folder.path().join("sources")), load(&compile(folder.path())));
    let mut alerts = 0;
    for name in pcaps() {
        let replay = |knowledge: &Arc<Knowledge>| {
            Replay { records: false, ..Replay::default() }.with(Arc::clone(knowledge), &[pcap(&name)])
        };
        let (one, other) = (replay(&text), replay(&compiled));
        assert!(one.text == other.text, "{name}:\n{}\n{}", one.text, other.text);
        assert_eq!(one.summary, other.summary, "{name}");
        alerts += one.text.matches("\"event_type\":\"alert\"").count();
    }
    assert!(alerts > 50, "{alerts} alerts");
}

#[test]
fn the_program_takes_it_by_whatever_name_and_beside_lists() {
    let folder = sources();
    let path = |name: &str| folder.path().join(name);
    let file = compile(folder.path());
    fs::rename(&file, path("renamed.txt")).unwrap();
    fs::write(path("more.txt"), "example.org\n").unwrap();
    let capture = pcap("axios-linux-runner.pcap");
    let events = |indicators: [&Path; 2]| {
        let [first, second] = indicators;
        let (code, out, err) = callhome(&[
            &"replay",
            &capture,
            &"--json",
            &"-",
            &"--indicators",
            &first,
            &"--indicators",
            &second,
        ]);
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("list.txt:6: 10.0.0.1"), "what was not taken is told again: {err}");
        out
    };
    let text = events([&path("sources"), &path("more.txt")]);
    assert!(text.contains("\"event_type\":\"alert\""));
    assert!(text == events([&path("renamed.txt"), &path("more.txt")]));
    assert!(text == events([&path("more.txt"), &path("renamed.txt")]));
}

#[test]
fn what_is_no_good_is_refused_with_a_line_and_code_2() {
    let folder = sources();
    let good = fs::read(compile(folder.path())).unwrap();
    let bad = folder.path().join("bad");
    let refused = |bytes: &[u8], words: &str| {
        fs::write(&bad, bytes).unwrap();
        let capture = pcap("axios-linux-runner.pcap");
        let (code, out, err) = callhome(&[&"replay", &capture, &"--indicators", &bad]);
        assert_eq!((code, &*out), (Some(2), ""), "{err}");
        assert!(err.starts_with("callhome: ") && err.contains(words) && err.lines().count() == 1, "{err}");
    };
    refused(&good[..good.len() / 2], "is cut");
    refused(&good[..20], "is cut");
    refused(&[&good[..12], &[99], &good[13..]].concat(), "of version 99");
    let mut other = good.clone();
    other[8..12].reverse();
    refused(&other, "other byte order");
    let mut other = good.clone();
    other[good.len() / 3] ^= 0x40;
    refused(&other, "damaged");
    refused(&[0x89, b'P', b'N', b'G', 0, 0], "not a text file");
}

#[test]
fn compiling_overwrites_nothing_else_and_leaves_nothing_behind() {
    let folder = sources();
    let path = |name: &str| folder.path().join(name);
    let file = compile(folder.path());
    let first = fs::read(&file).unwrap();
    assert!(fs::read(compile(folder.path())).unwrap() == first, "the same again, over the old one");
    let refused = |arguments: &[&dyn AsRef<OsStr>], words: &str| {
        let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"indicators", &"compile"];
        all.extend_from_slice(arguments);
        let (code, out, err) = callhome(&all);
        assert_eq!((code, &*out), (Some(2), ""), "{err}");
        assert!(err.contains(words), "{err}");
    };
    let list = path("sources/list.txt");
    refused(&[&list, &"-o", &list], "is no compiled indicator file");
    refused(&[&path("sources"), &"-o", &path("sources/x")], "lies in");
    refused(&[&list, &"-o", &folder.path()], "is a folder");
    refused(&[&list, &"-o", &path("missing/x")], "missing");
    refused(&[&path("missing.txt"), &"-o", &path("x")], "cannot be read");
    refused(&[&list], "--output");
    fs::write(path("broken.toml"), "[pack\n").unwrap();
    refused(&[&path("broken.toml"), &"-o", &file], "broken.toml");
    assert!(fs::read(&file).unwrap() == first, "a source at fault leaves the old file");
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["all.compiled", "broken.toml", "sources"]);
}
