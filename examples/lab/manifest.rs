//! `pcaps/manifest.toml`: what each capture shows, and how to know that it is the right one.

use std::fmt::Write;

/// One capture of the manifest.
pub struct Entry {
    /// File name.
    pub file: String,
    /// What it shows.
    pub shows: String,
    /// The recipe's folder under `tests/cases`.
    pub case: String,
    /// Frames in it.
    pub packets: usize,
    /// Bytes before compression.
    pub bytes: usize,
    /// SHA-256 of those bytes, lower-case hex.
    pub sha256: String,
}

const HEAD: &str = "\
# What the captures in this folder show. Written by `cargo run --example lab -- build`; do not edit.
# Size and SHA-256 are those of the capture before compression: compressors differ, contents may not.
";

/// The manifest's text, its captures in the order of their names.
pub fn text(mut entries: Vec<Entry>) -> String {
    entries.sort_by(|a, b| a.file.cmp(&b.file));
    let mut text = HEAD.to_owned();
    for entry in &entries {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[capture]]\nfile = {}\nshows = {}\nrecipe = \"tests/cases/{}/recipe.toml\"\npackets = {}\nbytes = {}\nsha256 = \"{}\"\n",
            toml::Value::from(entry.file.as_str()),
            toml::Value::from(entry.shows.as_str()),
            entry.case,
            entry.packets,
            entry.bytes,
            entry.sha256,
        );
    }
    text
}

/// SHA-256 as lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
