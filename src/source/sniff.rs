//! What a file is, told by its first bytes and never by its name.

use std::fmt;

use super::compression::Compression;

/// First bytes that are looked at.
pub(super) const PREFIX_BYTES: usize = 4096;

/// What the first bytes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// A pcap file of any variant.
    Pcap,
    /// A pcapng file.
    Pcapng,
    /// Compressed data.
    Compressed(Compression),
    /// Something else.
    Other(Content),
}

/// What a file that is not a capture looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing at all.
    Empty,
    /// A known format, as an index into the table of this module.
    Known(&'static Known),
    /// Endace's extensible record format, which has no magic.
    Erf,
    /// Readable text.
    Text,
    /// Compressed data where a capture was expected (compressed twice).
    Compressed(Compression),
    /// Bytes that tell nothing.
    Unknown,
}

/// A format that is recognised in order to be named.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    offset: usize,
    magic: &'static [u8],
    noun: &'static str,
    advice: &'static str,
}

const CONVERT: &str = "convert it with: editcap -F pcapng FILE OUT.pcapng";
const UNPACK: &str = "unpack it first and name the files in it";
const NAME_A_CAPTURE: &str = "name a pcap or pcapng file";

#[rustfmt::skip]
static KNOWN: [Known; 24] = [
    Known { offset: 0, magic: b"snoop\0\0\0", noun: "a Sun snoop capture", advice: CONVERT },
    Known { offset: 0, magic: b"btsnoop\0", noun: "a Bluetooth snoop capture", advice: "it holds no IP traffic" },
    Known { offset: 0, magic: b"GMBU", noun: "a Microsoft Network Monitor capture", advice: CONVERT },
    Known { offset: 0, magic: b"RTSS", noun: "a Microsoft Network Monitor capture", advice: CONVERT },
    Known { offset: 0, magic: b"TRSNIFF data    \x1a", noun: "a Sniffer capture", advice: CONVERT },
    Known { offset: 0, magic: b"XCP\0", noun: "a NetXRay capture", advice: CONVERT },
    Known { offset: 0, magic: b"\x05VNF", noun: "a Visual Networks capture", advice: CONVERT },
    Known { offset: 0, magic: b"\x7fver", noun: "a Savvius (EtherPeek) capture", advice: CONVERT },
    Known { offset: 0, magic: b"\x0c\xa5", noun: "an nfdump flow file", advice: "flows hold no packets; name a capture" },
    Known { offset: 0, magic: b"PK\x03\x04", noun: "a zip archive", advice: UNPACK },
    Known { offset: 0, magic: b"7z\xbc\xaf\x27\x1c", noun: "a 7z archive", advice: UNPACK },
    Known { offset: 0, magic: b"Rar!\x1a\x07", noun: "a rar archive", advice: UNPACK },
    Known { offset: 257, magic: b"ustar", noun: "a tar archive", advice: UNPACK },
    Known { offset: 0, magic: b"BZh", noun: "bzip2 data", advice: "unpack it first with bunzip2" },
    Known { offset: 0, magic: b"\x1f\x9d", noun: "compress (.Z) data", advice: "unpack it first with gzip -d" },
    Known { offset: 0, magic: b"\x7fELF", noun: "a program", advice: NAME_A_CAPTURE },
    Known { offset: 0, magic: b"%PDF", noun: "a PDF document", advice: NAME_A_CAPTURE },
    Known { offset: 0, magic: b"\x89PNG", noun: "a PNG image", advice: NAME_A_CAPTURE },
    Known { offset: 0, magic: b"SQLite format 3\0", noun: "an SQLite database", advice: NAME_A_CAPTURE },
    Known { offset: 0, magic: b"PAR1", noun: "a Parquet file", advice: NAME_A_CAPTURE },
    Known { offset: 0, magic: b"<!DOCTYPE html", noun: "an HTML page", advice: "the download may have failed; fetch the capture itself" },
    Known { offset: 0, magic: b"<html", noun: "an HTML page", advice: "the download may have failed; fetch the capture itself" },
    Known { offset: 0, magic: b"<?xml", noun: "an XML file", advice: NAME_A_CAPTURE },
    Known { offset: 0, magic: b"version https://git-lfs", noun: "a git-lfs pointer", advice: "fetch the file itself with: git lfs pull" },
];

impl Content {
    /// What it is, with its article: `a zip archive`.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::Known(known) => known.noun,
            Self::Erf => "an Endace ERF capture",
            Self::Text => "text",
            Self::Compressed(_) => "compressed data",
            Self::Unknown => "an unknown format",
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Known(known) => known.advice,
            Self::Erf => CONVERT,
            Self::Empty => "the capture may never have been written",
            Self::Compressed(_) => "it is compressed twice; unpack it once",
            Self::Text | Self::Unknown => NAME_A_CAPTURE,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            _ => write!(f, "not a capture but {}", self.noun()),
        }
    }
}

/// What `prefix`, a file's first [`PREFIX_BYTES`] or all that it has, shows.
pub(super) fn sniff(prefix: &[u8]) -> Sniffed {
    let Some(magic) = prefix.first_chunk::<4>() else {
        return Sniffed::Other(other(prefix));
    };
    match magic {
        [0x0a, 0x0d, 0x0d, 0x0a] => Sniffed::Pcapng,
        _ if super::pcap::is_magic(*magic) => Sniffed::Pcap,
        _ => match Compression::sniff(prefix) {
            Some(compression) => Sniffed::Compressed(compression),
            None => Sniffed::Other(other(prefix)),
        },
    }
}

fn other(prefix: &[u8]) -> Content {
    if prefix.is_empty() {
        return Content::Empty;
    }
    let text = without_preamble(prefix);
    for known in &KNOWN {
        let is_markup = known.magic.starts_with(b"<");
        let from = if is_markup { text } else { prefix };
        let found = from.get(known.offset..).and_then(|rest| rest.get(..known.magic.len()));
        let same = |found: &[u8]| {
            if is_markup { found.eq_ignore_ascii_case(known.magic) } else { found == known.magic }
        };
        if found.is_some_and(same) {
            return Content::Known(known);
        }
    }
    if is_erf(prefix) {
        return Content::Erf;
    }
    let printable = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace() || *byte == 0x1b;
    if prefix.iter().all(printable) && std::str::from_utf8(cut_to_utf8(prefix)).is_ok() {
        return Content::Text;
    }
    Content::Unknown
}

/// `prefix` without a UTF-8 byte-order mark and leading white space.
fn without_preamble(prefix: &[u8]) -> &[u8] {
    prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix).trim_ascii_start()
}

/// `prefix` without the up to three bytes of a character that its end may have cut.
fn cut_to_utf8(prefix: &[u8]) -> &[u8] {
    match std::str::from_utf8(prefix) {
        Err(error) if error.error_len().is_none() => prefix.get(..error.valid_up_to()).unwrap_or_default(),
        _ => prefix,
    }
}

/// Whether an ERF record begins here, and another one (or nothing) behind it. Its header: timestamp
/// (64 bits, little-endian, seconds above), type, flags, record length, loss counter, wire length
/// (the last three big-endian).
fn is_erf(prefix: &[u8]) -> bool {
    let record = |at: usize| -> Option<usize> {
        let head = prefix.get(at..at.checked_add(16)?)?;
        let seconds = u32::from_le_bytes(head.get(4..8)?.try_into().ok()?);
        let kind = head.get(8)? & 0x7f;
        let length = usize::from(crate::bytes::u16_at(head, 10)?);
        // Between 1990 and 2100, a type that Endace has given out, room for the header.
        let plausible = (631_152_000..4_102_444_800_u64).contains(&u64::from(seconds))
            && (1..=27).contains(&kind)
            && length >= 16;
        plausible.then_some(length)
    };
    let Some(first) = record(0) else { return false };
    first == prefix.len() || record(first).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(prefix: &[u8]) -> String {
        match sniff(prefix) {
            Sniffed::Other(content) => content.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn captures_and_compressions_are_told_by_their_magic() {
        for magic in [0xa1b2_c3d4_u32, 0xa1b2_3c4d, 0xa1b2_cd34] {
            assert_eq!(sniff(&magic.to_le_bytes()), Sniffed::Pcap);
            assert_eq!(sniff(&magic.to_be_bytes()), Sniffed::Pcap);
        }
        assert_eq!(sniff(&[0x0a, 0x0d, 0x0d, 0x0a]), Sniffed::Pcapng);
        assert_eq!(sniff(&[0x1f, 0x8b, 8, 0]), Sniffed::Compressed(Compression::Gzip));
        assert_eq!(sniff(&[0x28, 0xb5, 0x2f, 0xfd]), Sniffed::Compressed(Compression::Zstd));
        assert_eq!(sniff(&[0x04, 0x22, 0x4d, 0x18]), Sniffed::Compressed(Compression::Lz4));
        assert_eq!(sniff(b"\xfd7zXZ\0"), Sniffed::Compressed(Compression::Xz));
    }

    #[test]
    fn other_files_are_named() {
        assert_eq!(text(b""), "the file is empty");
        assert_eq!(text(b"snoop\0\0\0\0\0\0\x02"), "not a capture but a Sun snoop capture");
        assert_eq!(text(b"PK\x03\x04...."), "not a capture but a zip archive");
        assert_eq!(text(b"\n <!doctype HTML><html>"), "not a capture but an HTML page");
        assert_eq!(text("Grüße\n".as_bytes()), "not a capture but text");
        assert_eq!(text(&"Grüße".as_bytes()[..4]), "not a capture but text");
        assert_eq!(text(b"\x00\x01\x02\x03\x04"), "not a capture but an unknown format");
        let mut tar = vec![0; 300];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(text(&tar), "not a capture but a tar archive");
    }

    #[test]
    fn erf_is_told_by_two_plausible_records() {
        let mut record = vec![0; 32];
        record[4..8].copy_from_slice(&1_700_000_000_u32.to_le_bytes());
        record[8] = 2;
        record[10..12].copy_from_slice(&32_u16.to_be_bytes());
        assert_eq!(sniff(&record), Sniffed::Other(Content::Erf));
        let mut two = record.repeat(2);
        assert_eq!(sniff(&two), Sniffed::Other(Content::Erf));
        two[40] = 0;
        assert_eq!(sniff(&two), Sniffed::Other(Content::Unknown));
    }
}
