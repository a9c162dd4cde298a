//! Entries for fuzzing, and the invariants that hold for any bytes.

use super::{
    HelloOutline, TlsEvent, TlsStream, Transport, identify, parse_certificate, parse_certificates,
    parse_client_hello, parse_server_hello,
};
use crate::flow::Direction;
use crate::limits::{CERTIFICATE_NAMES, CERTIFICATES, MESSAGE_BYTES, TEXT_BYTES, TLS_ALPN};
use crate::protocol::{Need, Verdict};

/// One side of a connection: one push and any cutting into pushes give the same events. The first
/// byte tells the side and the length of the pieces.
pub fn fuzz_tls_stream(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let direction = if seed & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
    let whole = events(direction, bytes, bytes.len().max(1));
    assert_eq!(events(direction, bytes, usize::from(seed >> 1) + 1), whole);
    // TLS that was told by its first bytes is told by all of them.
    let prefix = bytes.get(..usize::from(seed)).unwrap_or(bytes);
    assert!(identify(prefix) != Verdict::No || identify(bytes) == Verdict::No);
}

fn events(direction: Direction, bytes: &[u8], piece: usize) -> Vec<TlsEvent> {
    let (mut stream, mut out) = (TlsStream::new(), Vec::new());
    let mut ended = false;
    for piece in bytes.chunks(piece) {
        let before = out.len();
        let need = stream.push(direction, piece, &mut out);
        assert!(!ended || (need == Need::Nothing && out.len() == before));
        ended = need == Need::Nothing;
        // A vector that grows may hold twice what is in it.
        assert!(stream.held() <= 2 * MESSAGE_BYTES);
        assert!(!ended || stream.held() == 0);
    }
    stream.finish(&mut out);
    assert!(stream.held() == 0 && out.len() <= bytes.len());
    out
}

/// Both hellos. What a prefix shows, the whole shows too.
pub fn fuzz_client_hello(data: &[u8]) {
    let _ = parse_server_hello(data);
    let outline = HelloOutline::of(data);
    let Some(hello) = parse_client_hello(data, Transport::Tcp) else { return assert!(outline.is_none()) };
    assert_eq!(outline, Some(HelloOutline { sni: hello.sni.as_deref(), ech: hello.ech }));
    assert!(hello.alpn.len() <= TLS_ALPN && hello.ja3_text().len() <= TEXT_BYTES);
    assert!(hello.sni.as_ref().is_none_or(|sni| sni.len() <= TEXT_BYTES));
    assert_eq!(hello.cut, hello.ja4().is_empty());
    assert!(hello.cut || (hello.ja3().len() == 32 && hello.ja4().len() == 36));
    let prefix = data.get(..data.len() * 2 / 3).unwrap_or_default();
    if let Some(part) = parse_client_hello(prefix, Transport::Tcp) {
        assert!(part.sni.is_none() || part.sni == hello.sni);
        assert!(part.alpn.is_empty() || part.alpn == hello.alpn);
    }
}

/// A certificate, alone and as a list.
pub fn fuzz_certificate(data: &[u8]) {
    let certificate = parse_certificate(data);
    for text in [&certificate.subject, &certificate.issuer, &certificate.serial] {
        assert!(text.len() <= TEXT_BYTES && (!certificate.damaged || text.is_empty()));
    }
    assert!(certificate.names.len() <= CERTIFICATE_NAMES);
    assert!(certificate.names.iter().all(|name| name.len() <= TEXT_BYTES));
    assert!(parse_certificates(data).len() <= CERTIFICATES);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::samples::{HelloBuilder, certificate, certificate_list, message, record, server_hello};
    use super::*;

    /// Runs `entry` on `cases` damaged forms of the seeds: bytes changed, cut out, doubled, cut off.
    pub(crate) fn mutate(seeds: &[Vec<u8>], cases: usize, entry: fn(&[u8])) {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % bound.max(1)
        };
        for case in 0..cases {
            let mut bytes = seeds[case % seeds.len()].clone();
            for _ in 0..next(6) {
                let at = next(bytes.len());
                match next(4) {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.drain(at..(at + next(9)).min(bytes.len()))),
                    2 => bytes.extend_from_within(at..),
                    _ => bytes.iter_mut().skip(at).take(1 + next(3)).for_each(|byte| *byte = next(256) as u8),
                }
            }
            entry(&bytes);
        }
    }

    #[test]
    fn streams() {
        let hello = HelloBuilder::browser(b"runner.example").message();
        let torn: Vec<u8> = hello.chunks(50).flat_map(|piece| record(22, piece)).collect();
        let answer = message(2, &server_hello(0x0303, 0xc02f, &[(16, b"\0\x03\x02h2")]));
        let flight = [answer, message(11, &certificate_list(&[certificate()]))].concat();
        let seeds = [
            [&[0x20][..], &record(22, &hello)].concat(),
            [&[0x06][..], &torn].concat(),
            [&[0x83][..], &record(22, &flight), &record(20, &[1])].concat(),
            b"\x04\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x350123456789abcdef".to_vec(),
        ];
        mutate(&seeds, 4000, fuzz_tls_stream);
    }

    #[test]
    fn hellos() {
        let seeds = [
            HelloBuilder::browser(b"runner.example").message(),
            message(2, &server_hello(0x0303, 0x1301, &[(43, &[3, 4])])),
        ];
        mutate(&seeds, 6000, fuzz_client_hello);
    }

    #[test]
    fn certificates() {
        let seeds = [certificate(), message(11, &certificate_list(&[certificate(), certificate()]))];
        mutate(&seeds, 3000, fuzz_certificate);
    }
}
