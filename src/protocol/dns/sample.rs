//! Messages for tests, put together by hand.

use super::NameBuf;

/// A message under construction: header first, then entries in order.
pub(crate) struct Sample(Vec<u8>);

/// Offset of the first question's name.
pub(crate) const FIRST: u16 = 0xc00c;

impl Sample {
    /// A header with these flags and counts of questions, answers, authorities and additionals.
    pub fn new(flags: u16, counts: [u16; 4]) -> Self {
        let mut bytes = vec![0x12, 0x34];
        bytes.extend_from_slice(&flags.to_be_bytes());
        counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_be_bytes()));
        Self(bytes)
    }

    pub fn question(mut self, name: &[u8], kind: u16, class: u16) -> Self {
        self.0.extend_from_slice(name);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&class.to_be_bytes());
        self
    }

    pub fn record(mut self, name: &[u8], kind: u16, class: u16, rdata: &[u8]) -> Self {
        self = self.question(name, kind, class);
        self.0.extend_from_slice(&300_u32.to_be_bytes());
        self.0.extend_from_slice(&u16::try_from(rdata.len()).unwrap().to_be_bytes());
        self.raw(rdata)
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn build(self) -> Vec<u8> {
        self.0
    }
}

/// A name on the wire with its final zero.
pub(crate) fn wire(name: &str) -> Vec<u8> {
    let mut wire = NameBuf::from_text(name.as_bytes()).unwrap().as_name().wire().to_vec();
    wire.push(0);
    wire
}

/// A plain query.
pub(crate) fn query(name: &str, kind: u16) -> Vec<u8> {
    Sample::new(0x0100, [1, 0, 0, 0]).question(&wire(name), kind, 1).build()
}

/// A response with one record of the name asked for.
pub(crate) fn response(name: &str, kind: u16, rdata: &[u8]) -> Vec<u8> {
    Sample::new(0x8180, [1, 1, 0, 0])
        .question(&wire(name), kind, 1)
        .record(&FIRST.to_be_bytes(), kind, 1, rdata)
        .build()
}

/// Typical messages, as seeds to be changed.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let opt = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    vec![
        query("www.example.com", 1),
        response("www.example.com", 1, &[192, 0, 2, 1]),
        response(
            "example.com",
            6,
            b"\x02ns\xc0\x0c\x05admin\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05",
        ),
        response("example.com", 65, b"\0\x01\0\0\x01\0\x03\x02h2\0\x04\0\x04\xc0\0\x02\x01\0\x05\0\x02ec"),
        response("example.com", 16, b"\x05hello\x05world"),
        response("example.com", 47, b"\x01a\xc0\x0c\0\x06\x40\x01\0\0\0\x03"),
        response("example.com", 35, b"\0\x01\0\x02\x01s\x03SIP\0\x01a\xc0\x0c"),
        Sample::new(0x0120, [1, 0, 0, 1])
            .question(&wire("a.b.c.d.example"), 28, 1)
            .record(b"\0", 41, 1232, &opt)
            .build(),
        Sample::new(0x2800, [1, 1, 2, 0])
            .question(&wire("example.com"), 6, 1)
            .record(b"\x01a\xc0\x0c", 255, 254, b"")
            .record(b"\x01b\xc0\x0c", 1, 255, b"")
            .record(b"\x01c\xc0\x0c", 1, 1, &[10, 0, 0, 1])
            .build(),
        Sample::new(0x8400, [0, 2, 0, 0])
            .record(&wire("_ipp._tcp.local"), 12, 1, b"\x07printer\xc0\x0c")
            .record(b"\xc0\x27", 33, 0x8001, b"\0\0\0\0\x02\x77\x04host\xc0\x16")
            .build(),
    ]
}
