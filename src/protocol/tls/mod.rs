//! TLS: what both hellos and, up to TLS 1.2, the server's certificates say (RFC 8446, RFC 5246).

/// A ClientHello, over TCP or QUIC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// `legacy_version` of the hello.
    pub legacy_version: u16,
    /// The highest version offered, GREASE left out (`supported_versions`, else `legacy_version`).
    pub version: u16,
    /// The server name, exactly the bytes of the first `host_name` entry; `None` without the extension.
    pub sni: Option<Vec<u8>>,
    /// Application protocols in the client's order.
    pub alpn: Vec<Vec<u8>>,
    /// Whether the hello offers Encrypted Client Hello: then `sni` is the outer name.
    pub ech: bool,
    /// JA3's text; its hash is [`ClientHello::ja3`].
    pub ja3_text: String,
    /// MD5 of `ja3_text`, lower-case hex.
    pub ja3: String,
    /// JA4.
    pub ja4: String,
    /// The hello's bytes ended before its fields did; what came before is here.
    pub cut: bool,
}

/// A ServerHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The version chosen (`supported_versions`, else `legacy_version`).
    pub version: u16,
    /// The cipher suite chosen.
    pub cipher: u16,
    /// The application protocol chosen, where it is in clear (TLS 1.2 and older).
    pub alpn: Option<Vec<u8>>,
    /// JA3S's text.
    pub ja3s_text: String,
    /// MD5 of `ja3s_text`, lower-case hex.
    pub ja3s: String,
    /// Whether this is a HelloRetryRequest (RFC 8446 section 4.1.3).
    pub retry: bool,
}

/// An X.509 certificate as the server sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1 of the DER bytes.
    pub sha1: [u8; 20],
    /// SHA-256 of the DER bytes.
    pub sha256: [u8; 32],
    /// Serial number, lower-case hex; empty when the certificate could not be read.
    pub serial: String,
    /// Subject in one line, `C=US, O=Example, CN=host`.
    pub subject: String,
    /// Issuer in one line.
    pub issuer: String,
    /// Subject alternative names: DNS names and addresses as text.
    pub names: Vec<String>,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// Whether the DER could not be read: only the hashes are known then.
    pub damaged: bool,
}
