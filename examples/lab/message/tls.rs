//! TLS handshakes (RFC 8446, RFC 5246): real hellos, and filler where a real peer would encrypt.

use crate::random::Random;

/// Which program's hello to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// curl with OpenSSL 3.
    Curl,
    /// Node with its own OpenSSL.
    Node,
    /// Go's crypto/tls.
    Go,
    /// .NET on Linux, which is what the GitHub runner is.
    Dotnet,
    /// A Chromium browser, with GREASE.
    Browser,
}

/// What a client offers beside its program's habits.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// Whose habits.
    pub client: Client,
    /// Server name, if one is sent.
    pub server_name: Option<&'a str>,
    /// Application protocols.
    pub protocols: &'a [String],
    /// Offer TLS 1.2 at most.
    pub only_1_2: bool,
    /// Offer Encrypted Client Hello, with filler for the inner one.
    pub encrypted_hello: bool,
    /// Offer a post-quantum key share of 1216 bytes, which makes the hello longer than one packet.
    pub post_quantum: bool,
    /// QUIC transport parameters (RFC 9001 section 8.2), for a hello inside QUIC.
    pub transport_parameters: Option<&'a [u8]>,
}

const GREASE_CIPHER: u16 = 0x8a8a;
const GREASE_EXTENSION: u16 = 0xdada;
const GREASE_GROUP: u16 = 0x2a2a;

const CIPHERS_1_3: [u16; 3] = [0x1302, 0x1303, 0x1301];
const CIPHERS_OPENSSL: [u16; 27] = [
    0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x009e, 0xc024, 0xc028, 0x006b, 0xc023,
    0xc027, 0x0067, 0xc00a, 0xc014, 0x0039, 0xc009, 0xc013, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035,
    0x002f,
];
const CIPHERS_GO: [u16; 10] =
    [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014];
const CIPHERS_BROWSER: [u16; 12] =
    [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035];
const SIGNATURES: [u16; 11] =
    [0x0403, 0x0503, 0x0603, 0x0807, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805, 0x0806, 0x0401];

/// The record type of handshake messages, and the others.
const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

/// The cipher that the lab's servers choose.
const CHOSEN_1_3: u16 = 0x1301;
const CHOSEN_1_2: u16 = 0xc02f;

/// A ClientHello as a handshake message.
pub fn client_hello(offer: &Offer<'_>, random: &mut Random) -> Vec<u8> {
    let grease = offer.client == Client::Browser;
    let mut ciphers = Vec::new();
    if grease {
        ciphers.push(GREASE_CIPHER);
    }
    if !offer.only_1_2 {
        ciphers.extend(CIPHERS_1_3);
    }
    if offer.transport_parameters.is_none() {
        ciphers.extend_from_slice(match offer.client {
            Client::Curl | Client::Node | Client::Dotnet => &CIPHERS_OPENSSL,
            Client::Go => &CIPHERS_GO,
            Client::Browser => &CIPHERS_BROWSER,
        });
        if matches!(offer.client, Client::Curl | Client::Node | Client::Dotnet) {
            // TLS_EMPTY_RENEGOTIATION_INFO_SCSV.
            ciphers.push(0x00ff);
        }
    }
    let mut body = vec![0x03, 0x03];
    body.extend(random.bytes(32));
    // QUIC has no session id (RFC 9001 section 8.4).
    let session = if offer.transport_parameters.is_some() { Vec::new() } else { random.bytes(32) };
    body.extend(vector(1, &session));
    body.extend(vector(2, &words(&ciphers)));
    body.extend_from_slice(&[1, 0]);
    body.extend(vector(2, &client_extensions(offer, grease, random)));
    handshake(1, &body)
}

fn client_extensions(offer: &Offer<'_>, grease: bool, random: &mut Random) -> Vec<u8> {
    let mut list = Vec::new();
    let mut add = |kind: u16, data: Vec<u8>| list.push((kind, data));
    if grease {
        add(GREASE_EXTENSION, Vec::new());
    }
    if let Some(server_name) = offer.server_name {
        let mut entry = vec![0];
        entry.extend(vector(2, server_name.as_bytes()));
        add(0, vector(2, &entry));
    }
    add(11, vec![1, 0]);
    let mut groups = vec![0x001d, 0x0017, 0x0018];
    if offer.post_quantum {
        groups.insert(0, 0x11ec);
    }
    if grease {
        groups.insert(0, GREASE_GROUP);
    }
    add(10, vector(2, &words(&groups)));
    if offer.transport_parameters.is_none() {
        match offer.client {
            Client::Browser | Client::Go => add(0xff01, vec![0]),
            _ => add(22, Vec::new()),
        }
        add(35, Vec::new());
        add(23, Vec::new());
    }
    if !offer.protocols.is_empty() {
        let names: Vec<u8> = offer.protocols.iter().flat_map(|name| vector(1, name.as_bytes())).collect();
        add(16, vector(2, &names));
    }
    add(13, vector(2, &words(&SIGNATURES)));
    if !offer.only_1_2 {
        let mut versions =
            if offer.transport_parameters.is_some() { vec![0x0304] } else { vec![0x0304, 0x0303] };
        if grease {
            versions.insert(0, GREASE_GROUP);
        }
        add(43, vector(1, &words(&versions)));
        add(45, vec![1, 1]);
        let mut shares = Vec::new();
        if offer.post_quantum {
            // X25519MLKEM768: 1184 bytes of encapsulation key and 32 of X25519.
            shares.extend_from_slice(&0x11ec_u16.to_be_bytes());
            shares.extend(vector(2, &random.bytes(1216)));
        }
        shares.extend_from_slice(&0x001d_u16.to_be_bytes());
        shares.extend(vector(2, &random.bytes(32)));
        add(51, vector(2, &shares));
    }
    if offer.encrypted_hello {
        // Outer hello, HKDF-SHA256 with AES-128-GCM, configuration 7, key of 32 bytes, filler.
        let mut data = vec![0, 0, 1, 0, 1, 7];
        data.extend(vector(2, &random.bytes(32)));
        data.extend(vector(2, &random.bytes(144)));
        add(0xfe0d, data);
    }
    if let Some(parameters) = offer.transport_parameters {
        add(57, parameters.to_vec());
    }
    extensions(&list)
}

/// A ServerHello as a handshake message; TLS 1.2 shows the protocol that it chose.
pub fn server_hello(only_1_2: bool, protocol: Option<&str>, random: &mut Random) -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend(random.bytes(32));
    body.extend(vector(1, &random.bytes(32)));
    let mut list = Vec::new();
    if only_1_2 {
        body.extend_from_slice(&CHOSEN_1_2.to_be_bytes());
        list.push((0xff01, vec![0]));
        list.push((23, Vec::new()));
        if let Some(protocol) = protocol {
            list.push((16, vector(2, &vector(1, protocol.as_bytes()))));
        }
    } else {
        body.extend_from_slice(&CHOSEN_1_3.to_be_bytes());
        list.push((43, vec![0x03, 0x04]));
        let mut share = 0x001d_u16.to_be_bytes().to_vec();
        share.extend(vector(2, &random.bytes(32)));
        list.push((51, share));
    }
    body.push(0);
    body.extend(vector(2, &extensions(&list)));
    handshake(2, &body)
}

/// The client's first flight: its hello in a record.
pub fn hello_record(hello: &[u8]) -> Vec<u8> {
    // The first record says TLS 1.0 for the sake of old middle boxes (RFC 8446 section 5.1).
    record(HANDSHAKE, 0x0301, hello)
}

/// The hello cut into records of `size` bytes of message each.
pub fn hello_in_records(hello: &[u8], size: usize) -> Vec<u8> {
    hello.chunks(size.max(1)).flat_map(|part| record(HANDSHAKE, 0x0301, part)).collect()
}

/// The server's first flight of TLS 1.3: its hello, then what only the client can read.
pub fn server_flight_1_3(random: &mut Random) -> Vec<u8> {
    let mut bytes = record(HANDSHAKE, 0x0303, &server_hello(false, None, random));
    bytes.extend(record(CHANGE_CIPHER_SPEC, 0x0303, &[1]));
    // Encrypted extensions, certificate, verification and finished: about what a short chain weighs.
    for length in [27, 1500, 281, 69] {
        bytes.extend(record(APPLICATION_DATA, 0x0303, &random.bytes(length)));
    }
    bytes
}

/// The client's second flight of TLS 1.3: finished.
pub fn client_finished_1_3(random: &mut Random) -> Vec<u8> {
    let mut bytes = record(CHANGE_CIPHER_SPEC, 0x0303, &[1]);
    bytes.extend(record(APPLICATION_DATA, 0x0303, &random.bytes(53)));
    bytes
}

/// The server's first flight of TLS 1.2: hello, certificates, key exchange, done.
pub fn server_flight_1_2(certificates: &[Vec<u8>], protocol: Option<&str>, random: &mut Random) -> Vec<u8> {
    let mut bytes = record(HANDSHAKE, 0x0303, &server_hello(true, protocol, random));
    let chain: Vec<u8> = certificates.iter().flat_map(|der| vector(3, der)).collect();
    bytes.extend(record(HANDSHAKE, 0x0303, &handshake(11, &vector(3, &chain))));
    // Named curve X25519, its public key, and a signature of the length of RSA-2048.
    let mut exchange = vec![3, 0, 0x1d];
    exchange.extend(vector(1, &random.bytes(32)));
    exchange.extend_from_slice(&[0x08, 0x04]);
    exchange.extend(vector(2, &random.bytes(256)));
    bytes.extend(record(HANDSHAKE, 0x0303, &handshake(12, &exchange)));
    bytes.extend(record(HANDSHAKE, 0x0303, &handshake(14, &[])));
    bytes
}

/// The client's second flight of TLS 1.2: key exchange, change of cipher, finished.
pub fn client_finished_1_2(random: &mut Random) -> Vec<u8> {
    let mut bytes = record(HANDSHAKE, 0x0303, &handshake(16, &vector(1, &random.bytes(32))));
    bytes.extend(finished_1_2(random));
    bytes
}

/// The server's last flight of TLS 1.2.
pub fn finished_1_2(random: &mut Random) -> Vec<u8> {
    let mut bytes = record(CHANGE_CIPHER_SPEC, 0x0303, &[1]);
    bytes.extend(record(HANDSHAKE, 0x0303, &random.bytes(40)));
    bytes
}

/// `count` bytes of application data that means nothing, in records of at most 16 KiB.
pub fn application_data(count: usize, random: &mut Random) -> Vec<u8> {
    const LARGEST: usize = 16_384;
    let mut bytes = Vec::new();
    let mut left = count;
    while left > 0 {
        // Content type and tag come on top of what is said.
        let part = left.min(LARGEST - 17);
        bytes.extend(record(APPLICATION_DATA, 0x0303, &random.bytes(part + 17)));
        left -= part;
    }
    bytes
}

fn record(kind: u8, version: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend(vector(2, data));
    bytes
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(vector(3, body));
    bytes
}

fn extensions(list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, data) in list {
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend(vector(2, data));
    }
    bytes
}

/// Data behind its length in `width` bytes.
fn vector(width: usize, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u32).to_be_bytes();
    let mut bytes = length[4 - width..].to_vec();
    bytes.extend_from_slice(data);
    bytes
}

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}
