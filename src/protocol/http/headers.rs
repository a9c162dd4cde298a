//! The fields of a message, in one piece of memory.

/// A message's fields in order, names as sent, values without the space around them.
///
/// A name and a value of their own for each field would be the most of what reading a head costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Names and values, one behind the other.
    bytes: Vec<u8>,
    /// Where each field's name ends in `bytes`, and its value.
    ends: Vec<(u32, u32)>,
}

impl Headers {
    /// None yet, and room for an ordinary head of `length` bytes.
    pub(super) fn with_room(length: usize) -> Self {
        // A field is seldom shorter than this.
        const FIELD_BYTES: usize = 24;
        let fields = length.div_ceil(FIELD_BYTES).min(crate::limits::HTTP_FIELDS);
        Self { bytes: Vec::with_capacity(length), ends: Vec::with_capacity(fields) }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, value_end)| {
            let (name_end, value_end) = (name_end as usize, value_end as usize);
            let field = (self.bytes.get(start..name_end), self.bytes.get(name_end..value_end));
            start = value_end;
            (field.0.unwrap_or_default(), field.1.unwrap_or_default())
        })
    }

    /// The value of the first field of this name, whatever its letter case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Bytes of all names and values.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a field. The caller keeps them below 4 GiB.
    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(name);
        let name_end = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        self.ends.push((name_end, self.bytes.len() as u32));
    }

    /// Continues the last field's value on another line, which reads as a space (RFC 9112 section 5.2);
    /// answers whether there is such a field.
    pub(super) fn unfold(&mut self, more: &[u8]) -> bool {
        let Some((name_end, value_end)) = self.ends.last_mut() else { return false };
        if name_end != value_end {
            self.bytes.push(b' ');
        }
        self.bytes.extend_from_slice(more);
        *value_end = self.bytes.len() as u32;
        true
    }
}

impl<'a> FromIterator<(&'a [u8], &'a [u8])> for Headers {
    fn from_iter<T: IntoIterator<Item = (&'a [u8], &'a [u8])>>(fields: T) -> Self {
        let mut headers = Self::default();
        fields.into_iter().for_each(|(name, value)| headers.push(name, value));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_apart_and_in_order() {
        let mut headers = Headers::from_iter([(&b"A"[..], &b"1"[..]), (b"", b""), (b"a", b"22")]);
        assert!(headers.unfold(b"3 4") && headers.len() == 3 && !headers.is_empty());
        let fields: Vec<_> = headers.iter().collect();
        assert_eq!(fields, [(&b"A"[..], &b"1"[..]), (b"", b""), (b"a", b"22 3 4")]);
        assert_eq!((headers.get("a"), headers.get("b")), (Some(&b"1"[..]), None));
        assert_eq!(headers.bytes(), 9);
    }

    #[test]
    fn an_empty_value_goes_on_without_a_space() {
        let mut headers = Headers::default();
        assert!(!headers.unfold(b"x"));
        headers.push(b"n", b"");
        assert!(headers.unfold(b"x"));
        assert_eq!(headers.get("N"), Some(&b"x"[..]));
    }
}
