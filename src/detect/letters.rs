//! Whether characters are words or data.

use std::sync::LazyLock;

/// Pairs of letters that words are made of, as a bit for each second letter.
static COMMON: LazyLock<[u32; 26]> = LazyLock::new(|| {
    let mut pairs = [0; 26];
    for line in include_str!("common_pairs.txt").lines().filter(|line| !line.starts_with('#')) {
        let Some((first, rest)) = line.split_once(' ') else { continue };
        let place = first.bytes().next().and_then(letter);
        if let Some(bits) = place.and_then(|place| pairs.get_mut(place)) {
            *bits = rest.bytes().filter_map(letter).fold(0, |bits, next| bits | 1 << next);
        }
    }
    pairs
});

fn letter(byte: u8) -> Option<usize> {
    let byte = byte.to_ascii_lowercase();
    byte.is_ascii_lowercase().then(|| usize::from(byte - b'a'))
}

/// Characters of many labels, counted.
#[derive(Clone, Debug, Default)]
pub struct Letters {
    /// All characters.
    pub all: u64,
    digits: u64,
    /// Of those, what base32 as iodine writes it never has: 6 to 9.
    high_digits: u64,
    /// Digits 0 to 9 and a to f.
    hex: u64,
    /// Bytes beyond ASCII.
    high: u64,
    /// Letters in a row, and how many of those pairs words have.
    pairs: u64,
    common: u64,
}

impl Letters {
    /// Counts a label.
    pub fn add(&mut self, label: &[u8]) {
        let mut before = None;
        for &byte in label {
            self.all += 1;
            self.digits += u64::from(byte.is_ascii_digit());
            self.high_digits += u64::from((b'6'..=b'9').contains(&byte));
            self.hex += u64::from(byte.is_ascii_hexdigit());
            self.high += u64::from(byte >= 0x80);
            let now = letter(byte);
            if let (Some(before), Some(now)) = (before, now) {
                self.pairs += 1;
                let is_common = COMMON.get::<usize>(before).is_some_and(|bits| bits & 1 << now != 0);
                self.common += u64::from(is_common);
            }
            before = now;
        }
    }

    /// Whether it is data and not words, as far as enough characters tell.
    pub fn is_data(&self) -> bool {
        if self.all < 48 {
            return false;
        }
        let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
        let wordlike = if self.pairs >= 24 { share(self.common, self.pairs) } else { 0.7 };
        share(self.high, self.all) > 0.05
            || share(self.hex, self.all) > 0.97 && share(self.digits, self.all) > 0.2
            || share(self.digits, self.all) > 0.12 && wordlike < 0.75
            || wordlike < 0.62
    }

    /// Whether it is written in the base32 of iodine, a to z and 0 to 5, or beyond ASCII.
    pub fn is_base32_to_5(&self) -> bool {
        self.high * 20 > self.all || self.high_digits == 0 && self.digits * 12 > self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(labels: &[&str]) -> Letters {
        let mut letters = Letters::default();
        labels.iter().for_each(|label| letters.add(label.as_bytes()));
        letters
    }

    #[test]
    fn words_are_no_data() {
        for labels in [
            ["registry", "telemetry", "packages", "mirror", "archive", "security", "download", "production"],
            [
                "build-agents",
                "content-delivery",
                "images",
                "staging",
                "api-gateway",
                "metrics",
                "login",
                "www",
            ],
            [
                "server01",
                "worker-node-12",
                "database",
                "frontend-7",
                "monitoring",
                "backup2",
                "mail",
                "intranet",
            ],
        ] {
            assert!(!letters(&labels).is_data(), "{labels:?}");
        }
    }

    #[test]
    fn encoded_bytes_are() {
        for label in [
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "mfzwizltmvrxezluomqhi2dbobygqylzebsgc5dbebuxgidfpbtgs3dumvsa",
            "qx7vkzt0hjm3wlpn5bdcgf2rykx4vzqtjw1hmnplxkd5zrwvbgtj3qyhfkc0",
            "kqvzxjwhpfmtbgdlnrcykzqxvwjhtpmfbdglkncrzyxqvjwhkptmfbdg",
        ] {
            assert!(letters(&[label]).is_data(), "{label}");
        }
        assert!(letters(&["paayuxhq", "p0ab3dq5"]).is_base32_to_5());
    }
}
