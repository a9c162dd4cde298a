//! QUIC versions: what an observer has to know of each to open its Initial packets.

use std::borrow::Cow;

/// RFC 9000.
pub(super) const V1: u32 = 1;
/// RFC 9369.
pub(super) const V2: u32 = 0x6b33_43cf;

/// The only versions of Google's that carry TLS.
const T050: u32 = u32::from_be_bytes(*b"T050");
const T051: u32 = u32::from_be_bytes(*b"T051");

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
const FINAL: Derivation = with_salt([
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
]);

/// The drafts 29 to 32.
const DRAFT_29: Derivation = with_salt([
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43,
    0x90, 0xa8, 0x99,
]);

/// The drafts 23 to 28, and Facebook's versions after the draft 27.
const DRAFT_23: Derivation = with_salt([
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe,
    0xf9, 0xf5, 0x02,
]);

/// The draft 22, and Facebook's version after it.
const DRAFT_22: Derivation = with_salt([
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a,
    0x02, 0x64, 0x4a,
]);

/// Google's T050.
const GOOGLE_T050: Derivation = with_salt([
    0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60,
    0x48, 0x83, 0x10,
]);

/// Google's T051.
const GOOGLE_T051: Derivation = with_salt([
    0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda,
    0x6e, 0x03, 0x3d,
]);

const SECOND: Derivation = Derivation {
    salt: [
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
        0xbd, 0x2e, 0xd9,
    ],
    key: b"quicv2 key",
    iv: b"quicv2 iv",
    hp: b"quicv2 hp",
};

/// How `version` derives its Initial keys; nothing for one whose packets cannot be opened.
///
/// A client that offers a reserved version, to be sent the list of real ones, must derive its keys
/// somehow: with what is then the newest it knows.
pub(super) fn derivations(version: u32) -> &'static [&'static Derivation] {
    match version {
        V1 | 0xff00_0021..=0xff00_0022 => &[&FINAL],
        V2 => &[&SECOND],
        0xff00_001d..=0xff00_0020 => &[&DRAFT_29],
        0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e => &[&DRAFT_23],
        0xff00_0016 | 0xface_b001 => &[&DRAFT_22],
        T050 => &[&GOOGLE_T050],
        T051 => &[&GOOGLE_T051],
        _ if is_reserved(version) => &[&FINAL, &DRAFT_29],
        _ => &[],
    }
}

/// Whether packets of `version` may be opened.
pub(super) fn can_be_opened(version: u32) -> bool {
    !derivations(version).is_empty()
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
    can_be_opened(version) || is_google(version)
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

    #[test]
    fn derives_keys_as_each_version_does() {
        let salts = |version| derivations(version).iter().map(|keys| keys.salt[0]).collect::<Vec<_>>();
        assert_eq!(salts(0xff00_0022), salts(V1));
        assert_eq!(salts(0xface_b001), salts(0xff00_0016));
        assert_eq!(salts(0xface_b002), salts(0xff00_001c));
        assert_eq!(salts(u32::from_be_bytes(*b"T051")), [0x7a]);
        assert_eq!(salts(0x1a2a_3a4a), [salts(V1), salts(0xff00_001d)].concat());
        // What Google did before TLS, and what nobody has named.
        for unknown in [u32::from_be_bytes(*b"Q050"), 0xff00_0015, 0x0b0b_0b0b, 0] {
            assert!(salts(unknown).is_empty(), "{unknown:08x}");
        }
    }
}
