//! The hashes of the tables and of the compiled file.
//!
//! They are our own, because a compiled file holds what they gave: a dependency's next version must not
//! change them. They have no seed and no cryptographic strength. Whoever provokes equal hashes makes
//! look-ups slower, never wrong: what a table finds is always compared with the value itself.

/// Odd, with about as many ones as zeros: the fractional part of the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of the product: every bit of the result depends on every bit of `hash` and `word`.
#[inline]
pub(super) const fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word) as u128 * MULTIPLIER as u128;
    product as u64 ^ (product >> 64) as u64
}

/// Goes on from `hash` with `all[start..end]`, ASCII letters in lower case, and how long that is. What is
/// out of bounds counts as nothing.
#[inline]
pub fn folded(hash: u64, all: &[u8], start: usize, end: usize) -> u64 {
    let mut hash = hash ^ ((end.wrapping_sub(start) as u64) << 56);
    let mut at = start;
    while at + 8 <= end {
        hash = mix(hash, lower(word_at(all, at)));
        at += 8;
    }
    if at < end {
        hash = mix(hash, lower(rest(all, at, end)));
    }
    hash
}

/// Goes on from `hash` with `bytes` as they are, and how many there are.
pub(super) fn exact(hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = mix(hash, bytes.len() as u64);
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    if rest.is_empty() { hash } else { mix(hash, short(rest)) }
}

/// Of a section of a compiled file: four strands, because one would wait for its multiplications.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let mut strands = [1_u64, 2, 3, 4];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (strand, word) in strands.iter_mut().zip(words) {
            *strand = mix(*strand, u64::from_le_bytes(*word));
        }
    }
    let hash = strands.into_iter().fold(bytes.len() as u64, |hash, strand| mix(hash.rotate_left(17), strand));
    exact(hash, rest)
}

/// The eight bytes at `at`; 0 when there are fewer.
#[inline]
fn word_at(all: &[u8], at: usize) -> u64 {
    all.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}

/// The one to eight bytes before `end` that begin at `start`, as the low bytes of a word.
#[inline]
fn rest(all: &[u8], start: usize, end: usize) -> u64 {
    match all.get(..end).and_then(<[u8]>::last_chunk::<8>) {
        // One load that begins too early, and a shift, in place of a loop.
        Some(word) => u64::from_le_bytes(*word) >> (64 - 8 * (end - start).clamp(1, 8)),
        None => all.get(start..end).map_or(0, short),
    }
}

/// At most eight bytes as the low bytes of a word.
fn short(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// Eight bytes with their ASCII letters in lower case.
#[inline]
const fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * EACH);
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let beyond_z = low + (0x7f - b'Z' as u64) * EACH;
    let capital = (from_a ^ beyond_z) & !word & (0x80 * EACH);
    word | capital >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_folded_and_nothing_else() {
        for byte in 0..=255_u8 {
            let word = u64::from_le_bytes([b'a', byte, b'Z', byte, 0xff, byte, b'@', byte]);
            let folded = byte.to_ascii_lowercase();
            let expected = [b'a', folded, b'z', folded, 0xff, folded, b'@', folded];
            assert_eq!(lower(word).to_le_bytes(), expected, "{byte}");
        }
    }

    #[test]
    fn a_piece_hashes_the_same_wherever_it_stands() {
        for length in 0..40 {
            let piece: Vec<u8> = (0..length).map(|n| b'a' + n % 26).collect();
            let alone = folded(7, &piece, 0, piece.len());
            for before in 0..10 {
                let mut all = vec![b'#'; before];
                all.extend(piece.to_ascii_uppercase());
                assert_eq!(folded(7, &all, before, all.len()), alone);
                all.extend([0xee; 20]);
                assert_eq!(folded(7, &all, before, before + piece.len()), alone);
            }
        }
        assert_ne!(folded(7, b"a\0", 0, 2), folded(7, b"a", 0, 1), "length counts");
        assert_ne!(exact(7, b"a\0"), exact(7, b"a"), "length counts");
    }

    /// A compiled file holds places that follow from these: who changes one raises the file's version.
    #[test]
    fn the_hashes_are_those_of_the_files_version() {
        let text = b"The quick brown fox jumps over the lazy dog, twice";
        let found = [mix(1, 2), folded(3, text, 4, 40), exact(5, text), checksum(text)];
        assert_eq!(
            (super::super::compiled::VERSION, found),
            (2, [15755400384260043838, 10811181910094263381, 17139263697810660046, 10711007919831922621])
        );
    }

    #[test]
    fn a_checksum_sees_every_bit_and_the_length() {
        let bytes = [0x5a_u8; 77];
        let whole = checksum(&bytes);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&changed), whole, "bit {bit}");
        }
        assert_ne!(checksum(&bytes[..76]), whole);
        assert_ne!(checksum(&[0; 32]), checksum(&[0; 64]));
    }
}
