//! How the small parts of a compiled file are written: numbers little-endian, texts with their length.

use std::sync::Arc;

/// Writes values one behind the other.
#[derive(Debug, Default)]
pub(super) struct Encoder(pub(super) Vec<u8>);

impl Encoder {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A text that there need not be.
    pub(super) fn optional(&mut self, text: Option<&str>) {
        self.u8(u8::from(text.is_some()));
        text.into_iter().for_each(|text| self.text(text));
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.u64(items.len() as u64);
        items.iter().for_each(|one| item(self, one));
    }
}

/// Reads what an [`Encoder`] wrote. Every read gives `None` where the bytes are not such.
#[derive(Debug)]
pub(super) struct Decoder<'a>(pub(super) &'a [u8]);

impl<'a> Decoder<'a> {
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.u64()?).ok()
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.size()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn shared(&mut self) -> Option<Arc<str>> {
        self.text().map(Arc::from)
    }

    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Some(None) }
    }

    /// A list; it makes no room before its items are read, because its length may be anything.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.u64()?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let mut encoder = Encoder::default();
        encoder.u8(7);
        encoder.u32(70_000);
        encoder.u64(1 << 40);
        encoder.text("a\u{fc}b");
        encoder.optional(None);
        encoder.optional(Some("x"));
        encoder.list(&["p", "q"], |encoder, text| encoder.text(text));
        let bytes = encoder.0;
        let read = |bytes: &[u8]| {
            let mut decoder = Decoder(bytes);
            let numbers = (decoder.u8()?, decoder.u32()?, decoder.u64()?);
            let text = decoder.text()?.to_owned();
            let optional = (decoder.optional(Decoder::shared)?, decoder.optional(Decoder::shared)?);
            Some((numbers, text, optional, decoder.list(Decoder::shared)?, decoder.0.len()))
        };
        let list = vec![Arc::from("p"), Arc::from("q")];
        let expected = ((7, 70_000, 1 << 40), "a\u{fc}b".to_owned(), (None, Some(Arc::from("x"))), list, 0);
        assert_eq!(read(&bytes), Some(expected));
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(Decoder(&[0xff; 16]).list(Decoder::u8), None, "a length beyond all bounds");
        assert_eq!(Decoder(&[2]).bool(), None);
    }
}
