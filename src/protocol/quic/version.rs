//! QUIC versions: what an observer has to know of each to open its Initial packets.

use std::borrow::Cow;

/// RFC 9000.
pub(super) const V1: u32 = 1;
/// RFC 9369.
pub(super) const V2: u32 = 0x6b33_43cf;

/// What a version derives its Initial keys from (RFC 9001 section 5.2, RFC 9369 section 3.3).
pub(super) struct Derivation {
    pub salt: [u8; 20],
    pub key: &'static [u8],
    pub iv: &'static [u8],
    pub hp: &'static [u8],
}

const fn with_salt(salt: [u8; 20]) -> Derivation {
    Derivation { salt, key: b"quic key", iv: b"quic iv", hp: b"quic hp" }
}

/// Version 1, and the drafts 33 and 34.
static FINAL: Derivation = with_salt([
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
]);

/// The drafts 29 to 32.
static DRAFT_29: Derivation = with_salt([
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43,
    0x90, 0xa8, 0x99,
]);

/// The drafts 23 to 28.
static DRAFT_23: Derivation = with_salt([
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe,
    0xf9, 0xf5, 0x02,
]);

static SECOND: Derivation = Derivation {
    salt: [
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
        0xbd, 0x2e, 0xd9,
    ],
    key: b"quicv2 key",
    iv: b"quicv2 iv",
    hp: b"quicv2 hp",
};

/// How `version` derives its Initial keys; `None` for one whose packets cannot be opened.
pub(super) fn derivation(version: u32) -> Option<&'static Derivation> {
    match version {
        V1 | 0xff00_0021..=0xff00_0022 => Some(&FINAL),
        V2 => Some(&SECOND),
        0xff00_001d..=0xff00_0020 => Some(&DRAFT_29),
        0xff00_0017..=0xff00_001c => Some(&DRAFT_23),
        _ => None,
    }
}

/// Whether `version` is Google's QUIC from before the IETF's: `Q` or `T` and three digits.
pub(super) fn is_google(version: u32) -> bool {
    let [letter, digits @ ..] = version.to_be_bytes();
    matches!(letter, b'Q' | b'T') && digits.iter().all(u8::is_ascii_digit)
}

/// Whether `version` is one that keeps version negotiation working (RFC 9000 section 15).
const fn is_reserved(version: u32) -> bool {
    version & 0x0f0f_0f0f == 0x0a0a_0a0a
}

/// Whether `version` is one that a QUIC endpoint is known to offer.
pub(super) fn is_known(version: u32) -> bool {
    derivation(version).is_some() || is_google(version) || is_reserved(version)
}

/// The name of a QUIC version as EVE writes it: `Q046` for Google's, else hex without a prefix.
pub fn version_name(version: u32) -> Cow<'static, str> {
    if version == V1 {
        return Cow::Borrowed("1");
    }
    Cow::Owned(if is_google(version) {
        version.to_be_bytes().map(char::from).iter().collect()
    } else {
        format!("{version:x}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_versions_as_eve_does() {
        assert_eq!(version_name(1), "1");
        assert_eq!(version_name(0x5130_3436), "Q046");
        assert_eq!(version_name(V2), "6b3343cf");
        assert_eq!(version_name(0xff00_001d), "ff00001d");
    }
}
