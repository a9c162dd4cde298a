//! `callhome indicators check`, `explain` and `list`, as a person or a script uses them.

use std::{ffi::OsStr, fs, path::PathBuf, process::Command};

use serde_json::Value;

/// Exit code, standard output, standard error.
fn indicators(arguments: &[&dyn AsRef<OsStr>]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callhome"));
    let command = command.arg("indicators").args(arguments.iter().map(AsRef::as_ref));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A folder with these files, and the path of the first one.
fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let first = folder.path().join(files[0].0);
    (folder, first)
}

const LIST: &str = "sfrclak[.]com\n206.11.142.73\n10.0.0.1\n8.8.8.8\nevil.example\n";

#[test]
fn check_tells_what_each_source_is_worth() {
    let (_folder, list) = files(&[("copy.txt", LIST)]);
    let arguments: [&dyn AsRef<OsStr>; 5] = [&"check", &"builtin", &list, &"--at", &"2026-05-01"];
    let (code, text, _) = indicators(&arguments);
    assert_eq!(code, Some(0), "{text}");
    for words in [
        "copy.txt (plain)",
        "3 indicators: 1 address, 2 domain",
        "10.0.0.1: not an address of the Internet",
        "copy.txt:4: 8.8.8.8: well known",
        "206.11.142.73",
        "the same octets in another order",
        "2 values in more than one source",
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words} in {text}");
    }
    let (code, text, _) = indicators(&[&arguments[..], &[&"--json"]].concat());
    let review = json(&text);
    assert_eq!(code, Some(0));
    let source = review["sources"].as_array().unwrap().iter();
    let source = source.filter(|source| source["file"] == *list.to_string_lossy()).collect::<Vec<_>>();
    assert_eq!(source.len(), 1, "{text}");
    assert_eq!((&source[0]["active"], &source[0]["rejected"]), (&3.into(), &2.into()));
    assert_eq!(source[0]["rejected_entries"][0]["line"], 3);
    let found = &review["contradictions"][0];
    assert_eq!(found["conflict"], "permuted_address");
    assert_eq!((&found["claim"]["value"], &found["other"]["line"]), (&"142.11.206.73".into(), &2.into()));
    let (code, ..) = indicators(&[&arguments[..], &[&"--strict"]].concat());
    assert_eq!(code, Some(1));
}

#[test]
fn check_fails_when_a_file_cannot_be_used() {
    let (folder, list) =
        files(&[("list.txt", "evil.example\n"), ("broken.toml", "[pack\n"), ("x.json", "{\"x\": 1}")]);
    let broken = folder.path().join("broken.toml");
    for bad in [broken, folder.path().join("missing.txt"), folder.path().join("x.json")] {
        let (code, text, _) = indicators(&[&"check", &list, &bad]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("unusable"), "{text}");
        assert!(text.contains("list.txt (plain)"), "the others are told all the same: {text}");
    }
    let (code, _, error) = indicators(&[&"check", &"--at", &"soon"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("--at: \"soon\" is no date or time"), "{error}");
    let (code, _, error) = indicators(&[&"check", &"zeek:intel.dat"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("zeek-intel"), "the format that was perhaps meant: {error}");
}

#[test]
fn explain_says_what_a_value_would_do() {
    let (_folder, list) = files(&[("copy.txt", LIST)]);
    let (code, text, _) = indicators(&[
        &"explain",
        &"x.sfrclak.com",
        &"--at",
        &"2026-04-01",
        &"--indicators",
        &"builtin",
        &"--indicators",
        &list,
    ]);
    assert_eq!(code, Some(0), "{text}");
    for words in
        ["an alert of severity high", "it stands below that name", "copy.txt:1", "axios-2026-03.toml:"]
    {
        assert!(text.contains(words), "{words} in {text}");
    }
    let (_, text, _) =
        indicators(&[&"explain", &"142.11.206.73:8000", &"example.org", &"--at", &"2027-01-01", &"--json"]);
    let lines: Vec<_> = text.lines().map(json).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((&lines[0]["listed"], &lines[0]["alert"]), (&true.into(), &Value::Null));
    assert!(lines[0]["because"][0].as_str().unwrap().contains("does not hold any more"), "{text}");
    assert_eq!(lines[1]["listed"], false);
    let (code, _, error) = indicators(&[&"explain", &"bad..name"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("not a domain name"), "{error}");
}

#[test]
fn list_filters() {
    let csv = "value,type,confidence,source,tags,valid_until\n\
        evil.example,domain,90,lab,c2,2026-03-01\n198.51.100.7,ip,20,lab,scan,\nc2.example,domain,60,other,c2,\n";
    let (_folder, list) = files(&[("feed.csv", csv)]);
    let values = |filters: &[&dyn AsRef<OsStr>]| {
        let base: [&dyn AsRef<OsStr>; 4] = [&"list", &list, &"--at", &"2026-04-01"];
        let (code, text, error) = indicators(&[&base[..], filters].concat());
        assert_eq!(code, Some(0), "{error}");
        let lines = text.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(values(&[]), ["evil.example", "198.51.100.7", "c2.example"]);
    assert_eq!(values(&[&"--kind", &"address"]), ["198.51.100.7"]);
    assert_eq!(values(&[&"--state", &"expired"]), ["evil.example"]);
    assert_eq!(values(&[&"--state", &"active", &"--tag", &"C2"]), ["c2.example"]);
    assert_eq!(values(&[&"--min-confidence", &"60", &"--source", &"lab"]), ["evil.example"]);
    assert_eq!(values(&[&"--min-severity", &"medium"]), ["evil.example", "c2.example"]);
    assert_eq!(values(&[&"--value", &"c2."]), ["c2.example"]);
    let (_, text, _) = indicators(&[&"list", &list, &"--json"]);
    assert_eq!(text.lines().map(|line| json(line)["line"].clone()).collect::<Vec<_>>(), [2, 3, 4]);
    let (_, text, _) = indicators(&[&"list", &"--signatures", &"--campaign", &"axios"]);
    assert!(text.contains("axios-stage1-request\tsignature"), "{text}");
}
