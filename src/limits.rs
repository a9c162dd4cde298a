//! Every cap on state that the network can fill, and on work that one input can cause.
//!
//! Each table that a stranger's packets can grow has its limit here, an eviction rule where it
//! lives, and a counter in the statistics. The documents quote these figures; the flood tests in
//! `tests/it/floods.rs` reach them.

// ---- decode ------------------------------------------------------------------------------------

/// Tunnels inside tunnels that are opened; deeper ones are counted and left closed.
pub const TUNNEL_DEPTH: u8 = 4;
/// VLAN tags that are kept; deeper ones are read over and flagged.
pub const VLAN_TAGS: usize = 3;
/// Header layers of one frame (tags, labels, extension headers): a bound on the work.
pub const LAYERS: u8 = 32;

// ---- flow --------------------------------------------------------------------------------------

/// Flows that are followed at once, over all workers' tables together.
pub const FLOWS: usize = 160_000;
/// Datagrams under reassembly at once.
pub const FRAGMENT_DATAGRAMS: usize = 1024;
/// Bytes of fragments held, all datagrams together.
pub const FRAGMENT_BYTES: usize = 4 << 20;
/// Fragments of one datagram.
pub const FRAGMENTS_PER_DATAGRAM: usize = 128;
/// Seconds of packet time after which an incomplete datagram is given up (RFC 791 asks for 15 to 120).
pub const FRAGMENT_TIMEOUT_SECONDS: i64 = 30;
/// Out-of-order bytes held for one side of one connection.
pub const REASSEMBLY_SIDE_BYTES: usize = 64 << 10;
/// Out-of-order bytes held for all connections together.
pub const REASSEMBLY_BYTES: usize = 32 << 20;
/// Out-of-order pieces held for one side of one connection.
pub const REASSEMBLY_SIDE_PIECES: usize = 64;
/// First bytes of each side in which a protocol is looked for, also after another one (STARTTLS, CONNECT).
pub const IDENTIFY_BYTES: u64 = 16 << 10;

// ---- protocol ----------------------------------------------------------------------------------

/// Bytes of one side's unfinished message that a protocol reader holds.
pub const MESSAGE_BYTES: usize = 64 << 10;
/// Bytes of unfinished messages that the protocol readers of all connections hold together; beyond, the
/// connection that has held longest is read no further.
pub const INSPECTION_BYTES: usize = 64 << 20;
/// Compression pointers followed when a DNS message is checked, all its names together, beyond four for each
/// name; names after that are not checked, but can still be read.
pub const DNS_POINTER_HOPS: usize = 512;
/// Compression pointers followed in one DNS name. A name has at most 127 labels (RFC 1035 section 2.3.4),
/// and a pointer without a label of its own before it serves nobody.
pub const DNS_NAME_POINTER_HOPS: usize = 128;
/// Questions, and as many records, that are read from one DNS message.
pub const DNS_RECORDS: usize = 512;
/// Bytes of a DNS name on the wire (RFC 1035 section 2.3.4).
pub const DNS_NAME_BYTES: usize = 255;
/// Bytes of an HTTP message's head.
pub const HTTP_HEAD_BYTES: usize = 64 << 10;
/// Fields of an HTTP message's head that are kept.
pub const HTTP_FIELDS: usize = 512;
/// First bytes of an HTTP body that signatures may read.
pub const HTTP_BODY_BYTES: usize = 4 << 10;
/// Requests of one connection that wait for their response.
pub const HTTP_PENDING_REQUESTS: usize = 64;
/// Bytes of the requests of one connection that wait for their response; further ones are not given with it.
pub const HTTP_PENDING_BYTES: usize = 64 << 10;
/// Bytes of one side in which the next HTTP message is looked for after the thread was lost.
pub const HTTP_RESYNC_BYTES: u64 = 1 << 20;
/// Bytes of a QUIC client's CRYPTO stream that are collected for its ClientHello.
pub const QUIC_CRYPTO_BYTES: usize = 16 << 10;
/// Packets of one QUIC connection that are opened in search of its ClientHello.
pub const QUIC_OPENED_PACKETS: u8 = 32;
/// Stretches of a QUIC client's CRYPTO stream that are held apart from each other.
pub const QUIC_CRYPTO_STRETCHES: usize = 64;
/// Application protocols of one ClientHello that are kept.
pub const TLS_ALPN: usize = 64;
/// Bytes of a hello's lists that are kept for its fingerprints; those of a longer one are made at once.
pub const TLS_OFFER_BYTES: usize = 1 << 10;
/// Bytes of any text from the wire in an event; longer ones are cut and marked.
pub const TEXT_BYTES: usize = 2 << 10;
/// Bytes of a whole event line.
pub const EVENT_BYTES: usize = 64 << 10;
/// Certificates of one server's chain that are read.
pub const CERTIFICATES: usize = 8;
/// Subject alternative names of one certificate that are kept.
pub const CERTIFICATE_NAMES: usize = 256;

// ---- indicators --------------------------------------------------------------------------------

/// Entries of an indicator file from which on a reload is refused that brings less than half of them: a feed that
/// shrinks so is more likely broken than meant.
pub const FEED_ENTRIES: usize = 100;
/// What became of reloads that nobody has told of yet, because no packet came; older ones are counted only.
pub const UNTOLD_RELOADS: usize = 16;

// ---- detection ---------------------------------------------------------------------------------

/// (client, address) pairs whose name is remembered.
pub const NAMES: usize = 1 << 18;
/// Incidents that are open at once, and closed ones that the summary lists.
pub const INCIDENTS: usize = 1 << 14;
/// Lines of evidence kept for each rung of one incident, besides that of a rhythm.
pub const EVIDENCE_LINES: usize = 8;
/// Connections whose TLS or HTTP messages wait for the rest of their record (`--records`).
pub const RECORD_FLOWS: usize = 1 << 16;
/// Alerts of one indicator on one asset in an hour of packet time; further ones are counted as suppressed.
pub const ALERTS_PER_HOUR: u32 = 1000;

// ---- detection by DNS names --------------------------------------------------------------------

/// Bits by which it is known that a machine has asked for a name; at a quarter of them all is forgotten.
pub const NEW_NAME_BITS: usize = 1 << 20;
/// Counters of new names, which several askers may share; halved when they were raised half as often.
pub const NEW_NAME_COUNTS: usize = 1 << 18;
/// Endings of two labels that are remembered as public suffixes.
pub const SHARED_ENDINGS: usize = 1 << 13;
/// (asset, registered domain) pairs whose questions are counted exactly.
pub const TUNNEL_DOMAINS: usize = 1 << 11;
/// Names of one such pair of which it is known that they were asked for.
pub const TUNNEL_NAMES: usize = 512;
/// Assets whose failing names are counted.
pub const FAILING_ASSETS: usize = 1 << 11;
/// Failing domains that are known of each.
pub const FAILING_DOMAINS: usize = 512;
/// Assets, and as many servers, of which it is known who asks whom.
pub const RESOLVER_CLIENTS: usize = 1 << 14;
/// Servers of one asset that are told apart; who asks more is a resolver itself.
pub const RESOLVERS_OF_CLIENT: usize = 8;

// ---- source ------------------------------------------------------------------------------------

/// Bytes of one frame; a record that claims more is taken for damage (libpcap's MAXIMUM_SNAPLEN).
pub const FRAME_BYTES: u32 = 262_144;
/// Frames handed on together.
pub const BATCH_FRAMES: usize = 2048;
/// Frames within which a capture that is out of order is put in order.
pub const REORDER_FRAMES: usize = 4096;
/// Bytes of the frames among which a capture is put in order: fewer frames wait when they are large.
pub const REORDER_BYTES: u64 = 16 << 20;
/// Records that are read, over all files together, to learn when each file begins.
pub const PEEK_RECORDS: usize = 1 << 20;
/// Bytes of a pcapng block that must be read whole (libpcap's limit); unknown blocks may be longer.
pub const BLOCK_BYTES: u32 = 16 << 20;
/// Decoded chunks of one compressed input that frames in waiting may hold; beyond, their bytes are copied.
pub const HELD_CHUNKS: usize = 24;
/// Memory that one zstd or xz stream may ask for to be decoded.
pub const DECODER_BYTES: u64 = 128 << 20;
/// Files of a directory that are skipped with a line of their own; further ones are counted.
pub const SKIP_NOTICES: usize = 20;
/// Capture files of one timeline that are open at once; more that overlap in time are an error.
pub const OPEN_FILES: usize = 512;
/// Interfaces of one pcapng section.
pub const INTERFACES: usize = 4096;

// ---- flow timeouts, seconds of packet time ------------------------------------------------------

/// A TCP connection whose handshake is not complete.
pub const TCP_OPENING_TIMEOUT: i64 = 60;
/// An established TCP connection without a packet.
pub const TCP_ESTABLISHED_TIMEOUT: i64 = 3600;
/// A TCP connection after its end: strays, retransmissions and proof that a reset was forged.
pub const TCP_CLOSED_TIMEOUT: i64 = 10;
/// A UDP flow.
pub const UDP_TIMEOUT: i64 = 120;
/// A flow of any other protocol.
pub const OTHER_TIMEOUT: i64 = 60;
/// First datagrams of a UDP flow in which a protocol is looked for.
pub const IDENTIFY_DATAGRAMS: u64 = 8;

// ---- what was seen of our own machines ---------------------------------------------------------

/// Machines of ours of which it is remembered what was seen.
pub const MACHINES: usize = 3 << 14;
/// (flow, campaign) pairs for which the highest rung told is remembered.
pub const FLOW_RUNGS: usize = 1 << 16;
/// (asset, indicator) pairs whose alerts are counted.
pub const ALERT_RATES: usize = 1 << 16;
/// (asset, signature) pairs whose sightings are remembered.
pub const RECURRENCES: usize = 1 << 14;
