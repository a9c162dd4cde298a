//! The order of the stages: each may use only what stands before it.

use std::{fs, path::Path};

/// The stages in the order of the data flow; modules of one line may not use each other unless `before`
/// says so. `source` stands beside `decode`, and takes from it the names of link types.
const ORDER: [&[&str]; 14] = [
    &["huge_pages", "prefetch"],
    &["address", "bounded", "bytes", "hash_index", "limits", "time"],
    &["decode"],
    &["source"],
    &["flow"],
    &["protocol"],
    &["observation"],
    &["asset", "indicator", "names"],
    &["detect"],
    &["incident"],
    &["event"],
    &["output", "report"],
    &["engine"],
    &["cli", "config"],
];

/// Uses within one line of [`ORDER`], and why.
const BESIDE: [(&str, &str); 2] = [
    // Limits are given in units of packet time.
    ("limits", "time"),
    // A command reads its settings.
    ("cli", "config"),
];

fn rank(module: &str) -> usize {
    let found = ORDER.iter().position(|line| line.contains(&module));
    found.unwrap_or_else(|| panic!("src/{module} is missing in the order of tests/it/layers.rs"))
}

/// The stages that the code of `text` names: `use crate::x`, `use crate::{x, y}`, `crate::x::`.
fn used(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let line = text[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        if line.starts_with("//") {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
        };
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(list) => {
                // Names at the list's own depth begin a path.
                let (mut depth, mut fresh) = (0, true);
                for (index, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => fresh = true,
                        c if fresh && c.is_ascii_alphabetic() => {
                            found.push(word(&list[index..]));
                            fresh = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn check(directory: &Path, module: Option<&str>, wrong: &mut Vec<String>, files: &mut usize) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let own = module.unwrap_or(&stem);
        if path.is_dir() {
            check(&path, Some(own), wrong, files);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") || own == "lib" || own == "main" {
            continue;
        }
        *files += 1;
        for other in used(&fs::read_to_string(&path).unwrap()) {
            let beside = BESIDE.contains(&(own, other.as_str()));
            if other != own && !beside && rank(&other) >= rank(own) {
                wrong.push(format!("{}: {own} uses {other}", path.display()));
            }
        }
    }
}

#[test]
fn each_stage_uses_only_what_stands_before_it() {
    let (mut wrong, mut files) = (Vec::new(), 0);
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut wrong, &mut files);
    assert!(files > 50, "the test looked at {files} files only");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_search_for_uses_finds_every_form() {
    let text =
        "use crate::a::B;\nuse crate::{\n    c::{D, e::F},\n    g,\n};\n// crate::h\nlet x = crate::i::j();";
    assert_eq!(used(text), ["a", "c", "g", "i"]);
}
