//! Entries for fuzzing; they assert what must hold for any bytes.

use std::net::IpAddr;

use crate::limits::{DNS_NAME_BYTES, DNS_RECORDS, TEXT_BYTES};
use crate::protocol::Verdict;

use super::{
    Answer, DnsStream, Message, NameScratch, Outline, PackedName, RData, Section, looks_like_cut_dns,
    looks_like_dns, looks_like_dns_stream, rdata_text, second_opinion,
};

/// Reads `data` as one message in every way there is.
///
/// # Panics
/// When something does not hold: names and texts keep their bounds, and a message that is cut gives a
/// prefix of what it gives whole.
pub fn fuzz_dns_message(data: &[u8]) {
    let whole = entries(data);
    assert_eq!(entries(data), whole, "reading is not repeatable");
    for length in [data.len() / 2, data.len().saturating_sub(1)] {
        let cut = entries(data.get(..length).unwrap_or_default());
        assert!(whole.starts_with(&cut), "a cut message gives what the whole one does not");
    }
    for hint in [false, true] {
        looks_like_dns(data, hint);
    }
    looks_like_dns_stream(data);
    looks_like_cut_dns(data, 2 * data.len());
    second_opinion(data);
    let Some(message) = Message::parse(data) else { return };
    if let Some(outline) = Outline::of(data) {
        compare_outline(&outline, &message);
    }
    let summary = message.summary();
    assert!(summary.read <= data.len());
    assert_eq!(usize::from(summary.questions), message.questions().count());
    assert_eq!(summary.records.map(usize::from).iter().sum::<usize>(), message.records().count());
    message.questions().for_each(|question| read_name(&question.name));
    for record in message.records() {
        read_name(&record.name);
        record.data().for_each_name(read_name);
        let mut text = String::new();
        let cut = rdata_text(&record, &mut text);
        assert!(text.len() <= TEXT_BYTES && (!cut || text.len() == TEXT_BYTES));
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "not printable: {text:?}");
    }
}

/// Asserts that an outline says what the long way over the message says.
fn compare_outline(outline: &Outline<'_>, message: &Message<'_>) {
    assert_eq!(looks_like_dns(message.bytes(), true), Verdict::Yes);
    assert_eq!(outline.is_response(), message.is_response());
    assert_eq!(message.questions().count(), 1);
    for question in message.questions() {
        assert_eq!(question.name.unpack(&mut NameScratch::new()), Ok(outline.name()));
        assert_eq!(question.kind, outline.kind());
    }
    let long =
        message.records().filter(|record| record.section == Section::Answer).filter_map(
            |record| match record.data() {
                RData::A(octets) => Some((Some(octets.into()), 0)),
                RData::Aaaa(octets) => Some((Some(octets.into()), 0)),
                RData::Cname(name) => Some((None, name.offset())),
                _ => None,
            },
        );
    let short = outline.answers().map(|answer| match answer {
        Answer::Address(address, _) => (Some(address), 0),
        Answer::Alias(name) => (None, name.offset()),
    });
    assert_eq!(short.collect::<Vec<(Option<IpAddr>, usize)>>(), long.collect::<Vec<_>>());
}

/// Reads `data` as a direction of DNS over TCP: in one push, and cut anywhere; both give the same messages.
///
/// # Panics
/// When they do not, or when a message is longer than its length can say.
pub fn fuzz_dns_stream(data: &[u8]) {
    let (&seed, bytes) = data.split_first().unwrap_or((&0, &[]));
    let at_once = messages(std::iter::once(bytes));
    assert!(at_once.iter().all(|message| !message.is_empty() && message.len() <= usize::from(u16::MAX)));
    let pieces = usize::from(seed) % 97 + 1;
    assert_eq!(messages(bytes.chunks(pieces)), at_once, "pieces of {pieces}");
    let (head, tail) = bytes.split_at(bytes.len() * usize::from(seed) / 256);
    assert_eq!(messages([head, tail].into_iter()), at_once, "cut at {}", head.len());

    let mut stream = DnsStream::new();
    let mut each = |message: &[u8]| _ = Message::parse(message).map(|message| message.summary());
    stream.push(head, &mut each);
    stream.gap(&mut each);
    stream.push(tail, &mut each);
    stream.finish(&mut each);
    assert_eq!(stream.held(), 0);
}

/// Where each entry's name stands, with its type and class.
fn entries(data: &[u8]) -> Vec<(usize, u16, u16)> {
    let Some(message) = Message::parse(data) else { return Vec::new() };
    let questions =
        message.questions().map(|question| (question.name.offset(), question.kind, question.class));
    let records = message.records().map(|record| (record.name.offset(), record.kind, record.class));
    let all: Vec<_> = questions.chain(records).collect();
    assert!(all.len() <= 2 * DNS_RECORDS);
    all
}

fn read_name(name: &PackedName<'_>) {
    let mut scratch = NameScratch::new();
    match name.unpack(&mut scratch) {
        Ok(read) => {
            assert!(read.wire().len() < DNS_NAME_BYTES);
            let labels: usize = read.labels().map(|label| label.len() + 1).sum();
            assert_eq!(labels, read.wire().len(), "a name's labels are its bytes");
            let mut room = [0; DNS_NAME_BYTES];
            assert_eq!(read.fold_into(&mut room), read);
            assert_eq!(read.suffixes().count(), read.label_count());
        }
        Err(_) => assert!(scratch.before_break().wire().len() < DNS_NAME_BYTES),
    }
}

fn messages<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut stream, mut messages) = (DnsStream::new(), Vec::new());
    let mut each = |message: &[u8]| messages.push(message.to_vec());
    pieces.for_each(|piece| stream.push(piece, &mut each));
    stream.finish(&mut each);
    messages
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// Marsaglia's xorshift: the same cases in every run.
    struct Xorshift(u64);

    impl Xorshift {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
        }

        /// One of the seeds with a few bytes changed, moved, or cut off.
        fn mutation(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
            let mut bytes = seeds[self.below(seeds.len())].clone();
            for _ in 0..=self.below(4) {
                let at = self.below(bytes.len());
                match self.below(5) {
                    0 => bytes[at] = [0, 0xc0, 0xff, 0x3f, 12, 0x40][self.below(6)],
                    1 => bytes[at] ^= 1 << self.below(8),
                    2 => bytes[at] = self.below(256).to_le_bytes()[0],
                    3 => bytes.truncate(at.max(1)),
                    _ => {
                        let piece = bytes[at..].to_vec();
                        bytes.extend(piece);
                    }
                }
            }
            bytes
        }
    }

    #[test]
    fn changed_messages_keep_what_must_hold() {
        let (seeds, mut random) = (sample::seeds(), Xorshift(0x5eed_0001));
        for _ in 0..6000 {
            fuzz_dns_message(&random.mutation(&seeds));
        }
    }

    #[test]
    fn changed_streams_keep_what_must_hold() {
        let mut streams = Vec::new();
        for seed in sample::seeds() {
            let mut stream = vec![17];
            for _ in 0..3 {
                stream.extend(u16::try_from(seed.len()).unwrap().to_be_bytes());
                stream.extend(&seed);
            }
            streams.push(stream);
        }
        let mut random = Xorshift(0x5eed_0002);
        for _ in 0..3000 {
            fuzz_dns_stream(&random.mutation(&streams));
        }
    }
}
