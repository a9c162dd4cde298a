//! Messages for tests, built from their parts.

/// A ClientHello under construction: its extensions in order.
pub(crate) struct HelloBuilder {
    extensions: Vec<u8>,
}

impl HelloBuilder {
    /// The sixteen extensions of JA4's published example, with `sni` as the name.
    pub(crate) fn browser(sni: &[u8]) -> Self {
        let mut builder = Self { extensions: Vec::new() };
        let length = sni.len() as u16;
        let entry = [&[0][..], &length.to_be_bytes(), sni].concat();
        let names = [&(length + 3).to_be_bytes()[..], &entry].concat();
        builder.extension(0x1a1a, &[]);
        builder.extension(0x001b, &[2, 0, 2]);
        builder.extension(0x0000, &names);
        builder.extension(0x0033, &[0, 0]);
        builder.extension(0x0010, b"\0\x0c\x02h2\x08http/1.1");
        for kind in [0x4469, 0x0017, 0x002d] {
            builder.extension(kind, &[]);
        }
        builder.extension(0x000d, b"\0\x10\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01");
        for kind in [0x0005, 0x0023, 0x0012] {
            builder.extension(kind, &[]);
        }
        builder.extension(0x002b, &[6, 0xba, 0xba, 3, 4, 3, 3]);
        builder.extension(0xff01, &[0]);
        builder.extension(0x000b, &[1, 0]);
        builder.extension(0x000a, &[0, 4, 0, 29, 0, 23]);
        builder.extension(0x0015, &[]);
        builder
    }

    /// Adds an extension at the end.
    pub(crate) fn extension(&mut self, kind: u16, data: &[u8]) -> &mut Self {
        self.extensions.extend_from_slice(&kind.to_be_bytes());
        self.extensions.extend_from_slice(&(data.len() as u16).to_be_bytes());
        self.extensions.extend_from_slice(data);
        self
    }

    /// The ClientHello's body.
    pub(crate) fn body(&self) -> Vec<u8> {
        const CIPHERS: &[u8] =
            b"\x0a\x0a\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\
            \xc0\x13\xc0\x14\x00\x9c\x00\x9d\x00\x2f\x00\x35";
        [
            &[3, 3][..],
            &[0x55; 32],
            &[0],
            &(CIPHERS.len() as u16).to_be_bytes(),
            CIPHERS,
            &[1, 0],
            &(self.extensions.len() as u16).to_be_bytes(),
            &self.extensions,
        ]
        .concat()
    }

    /// The handshake message.
    pub(crate) fn message(&self) -> Vec<u8> {
        message(1, &self.body())
    }
}

/// Where the extensions' length stands in a body of [`HelloBuilder`].
pub(crate) fn offset_of_extensions(body: &[u8]) -> usize {
    37 + usize::from(body[36]) + 2
}

/// A handshake message with its header.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// A TLS record.
pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// A ServerHello's body.
pub(crate) fn server_hello(version: u16, cipher: u16, extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = [&version.to_be_bytes()[..], &[9; 32], &[0], &cipher.to_be_bytes(), &[0]].concat();
    let mut block = HelloBuilder { extensions: Vec::new() };
    for (kind, data) in extensions {
        block.extension(*kind, data);
    }
    body.extend_from_slice(&(block.extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&block.extensions);
    body
}

/// A Certificate message's body.
pub(crate) fn certificate_list(certificates: &[Vec<u8>]) -> Vec<u8> {
    let length = |count: usize| (count as u32).to_be_bytes()[1..].to_vec();
    let entries: Vec<u8> =
        certificates.iter().flat_map(|der| [length(der.len()), der.clone()].concat()).collect();
    [length(entries.len()), entries].concat()
}

/// A certificate for `runner.example`; its key and signature are filler.
pub(crate) fn certificate() -> Vec<u8> {
    certificate_of(b"runner.example")
}

/// The same with another common name.
pub(crate) fn certificate_of(subject: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &[&[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
    let attribute = |kind: u8, text: &[u8]| {
        let pair = der(0x30, &[&[0x06, 3, 0x55, 4, kind], &der(0x0c, &[text])]);
        der(0x31, &[&pair])
    };
    let (country, organisation, common_name) = (6, 10, 3);
    let issuer =
        der(0x30, &[&attribute(organisation, b"Example Works"), &attribute(common_name, b"Example CA")]);
    let subject = der(
        0x30,
        &[
            &attribute(country, b"US"),
            &attribute(organisation, b"Example Works"),
            &attribute(common_name, subject),
        ],
    );
    let validity = der(0x30, &[&der(0x17, &[b"260330000000Z"]), &der(0x17, &[b"270330000000Z"])]);
    let key = der(0x30, &[&algorithm, &der(0x03, &[&[0], &[0x5a; 65]])]);
    let names = der(
        0x30,
        &[
            &der(0x82, &[b"runner.example"]),
            &der(0x82, &[b"*.runner.example"]),
            &der(0x81, &[b"someone@runner.example"]),
            &der(0x87, &[&[192, 0, 2, 7]]),
            &der(0x87, &[&[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]),
        ],
    );
    let extension = der(0x30, &[&[0x06, 3, 0x55, 0x1d, 0x11], &der(0x04, &[&names])]);
    let version = der(0xa0, &[&[2, 1, 2]]);
    let serial = der(0x02, &[&[0, 0xc0, 0xff, 0xee]]);
    let extensions = der(0xa3, &[&der(0x30, &[&extension])]);
    let body = der(0x30, &[&version, &serial, &algorithm, &issuer, &validity, &subject, &key, &extensions]);
    der(0x30, &[&body, &algorithm, &der(0x03, &[&[0], &[0xa5; 70]])])
}

/// A DER element.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match content.len() {
        length @ 0..=0x7f => element.push(length as u8),
        length @ 0x80..=0xff => element.extend([0x81, length as u8]),
        length => element.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    element.extend(content);
    element
}
