//! Normal forms: how a value from a list becomes what is matched, and which values are refused.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::model::{Kind, Match};

/// A value in normal form.
///
/// | kind | form |
/// |---|---|
/// | domain | lower case, A-labels, no final dot |
/// | address, network, address:port | as the standard library writes them; host bits cleared |
/// | URL | `scheme://host:port/path?query`, the scheme's own port left out, no fragment; scheme optional |
/// | path | from `/`, as sent |
/// | hashes, JA4 | lower case |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A name of at least two labels.
    Domain(Cow<'a, str>, Match),
    /// One address.
    Address(IpAddr),
    /// A prefix shorter than a whole address.
    Network(IpNet),
    /// An address at a port.
    AddressPort(SocketAddr),
    /// Any of [`Kind::Url`], [`Kind::Path`], [`Kind::UserAgent`], [`Kind::Ja3`], [`Kind::Ja4`],
    /// [`Kind::CertificateHash`].
    Text(Kind, Cow<'a, str>, Match),
}

/// Why a value is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("empty value")]
    Empty,
    #[error("not a domain name")]
    NotADomain,
    #[error("no address, and no name either (it ends in digits)")]
    NotAnAddress,
    #[error("a name with a port: list the name alone")]
    NameWithPort,
    #[error("a bare top-level domain would match half the Internet")]
    TopLevel,
    #[error("a public suffix: everybody's names stand below it")]
    PublicSuffix,
    #[error("not an address of the Internet (private, loopback, link-local, multicast or unspecified)")]
    NotGlobal,
    #[error("far too wide a prefix")]
    TooWide,
    #[error("not an address prefix")]
    NotANetwork,
    #[error("not an address with a port")]
    NotAnAddressPort,
    #[error("not a URL with a host")]
    NotAUrl,
    #[error("not an HTTP path (it begins with /)")]
    NotAPath,
    #[error("not a JA3 hash (32 hexadecimal digits)")]
    NotJa3,
    #[error("not a JA4 fingerprint (a_b_c of 10, 12 and 12 characters)")]
    NotJa4,
    #[error("not a certificate hash (40 digits of SHA-1 or 64 of SHA-256)")]
    NotACertificateHash,
    #[error("longer than 2048 bytes")]
    TooLong,
    #[error("control character in the value")]
    ControlCharacter,
}

impl<'a> Value<'a> {
    /// What it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Domain(..) => Kind::Domain,
            Self::Address(_) => Kind::Address,
            Self::Network(_) => Kind::Network,
            Self::AddressPort(_) => Kind::AddressPort,
            Self::Text(kind, ..) => *kind,
        }
    }

    /// How far it reaches.
    pub const fn matching(&self) -> Match {
        match self {
            Self::Domain(_, matching) | Self::Text(_, _, matching) => *matching,
            _ => Match::Exact,
        }
    }

    /// The value that `text` is in a list that does not say what it holds.
    ///
    /// A bare name means it and everything below it, as block lists mean it; so do `*.name` and
    /// `.name`. Defanged writing (`hxxp`, `[.]`, `(.)`, `[:]`) is understood.
    ///
    /// # Errors
    /// When it is nothing we know, or too much to be listed.
    pub fn guess(text: &'a str) -> Result<Self, Refusal> {
        match super::quick::guess(text) {
            Some(value) => value,
            None => match checked(text)? {
                Cow::Borrowed(text) => Self::guess_refanged(text),
                Cow::Owned(text) => Value::guess_refanged(&text).map(Value::into_owned),
            },
        }
    }

    fn guess_refanged(text: &'a str) -> Result<Self, Refusal> {
        if text.contains("://") {
            return Self::of_kind(Kind::Url, text, None);
        }
        if text.starts_with('/') {
            return Self::of_kind(Kind::Path, text, None);
        }
        if let Ok(address) = bare(text).parse::<IpAddr>() {
            return Ok(Self::Address(global(address)?));
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return address_port(socket);
        }
        // `curl/8.5.0` is a user agent.
        if let Some((host, length)) = text.split_once('/').filter(|(host, _)| host.contains(['.', ':'])) {
            let prefix = host.parse::<IpAddr>().is_ok() && length.bytes().all(|byte| byte.is_ascii_digit());
            return Self::of_kind(if prefix { Kind::Network } else { Kind::Url }, text, None);
        }
        if let Some((_, port)) = text.rsplit_once(':')
            && port.parse::<u16>().is_ok()
        {
            return Err(Refusal::NameWithPort);
        }
        Self::of_kind(Kind::Domain, text, None)
    }

    /// The value of kind `kind` that `text` writes; `matching` where the list says how it is meant.
    ///
    /// An address prefix is taken where an address is asked for, and the other way round.
    ///
    /// # Errors
    /// When `text` is not of that kind, or too much to be listed.
    pub fn of_kind(kind: Kind, text: &'a str, matching: Option<Match>) -> Result<Self, Refusal> {
        match checked(text)? {
            Cow::Borrowed(text) => Self::of_kind_refanged(kind, text, matching),
            Cow::Owned(text) => Value::of_kind_refanged(kind, &text, matching).map(Value::into_owned),
        }
    }

    fn of_kind_refanged(kind: Kind, text: &'a str, matching: Option<Match>) -> Result<Self, Refusal> {
        match kind {
            Kind::Domain => domain(text, matching),
            Kind::Address | Kind::Network => match (bare(text).parse::<IpAddr>(), text.parse::<IpNet>()) {
                (Ok(address), _) => Ok(Self::Address(global(address)?)),
                (_, Ok(network)) if network.prefix_len() == network.max_prefix_len() => {
                    Ok(Self::Address(global(network.addr())?))
                }
                (_, Ok(network)) => Ok(Self::Network(narrow(network.trunc())?)),
                _ if kind == Kind::Network => Err(Refusal::NotANetwork),
                _ => Err(Refusal::NotAnAddress),
            },
            Kind::AddressPort => {
                address_port(text.parse::<SocketAddr>().map_err(|_| Refusal::NotAnAddressPort)?)
            }
            Kind::Url => Ok(Self::Text(kind, url(text)?.into(), Match::Exact)),
            Kind::Path if text.starts_with('/') => Ok(Self::Text(kind, text.into(), Match::Exact)),
            Kind::Path => Err(Refusal::NotAPath),
            Kind::UserAgent => Ok(Self::Text(kind, text.into(), matching.unwrap_or(Match::Exact))),
            Kind::Ja3 => hash(kind, text, &[32], Refusal::NotJa3),
            Kind::CertificateHash => hash(kind, text, &[40, 64], Refusal::NotACertificateHash),
            Kind::Ja4 => ja4(text),
        }
    }

    /// The value that `text`, a public suffix, is for whoever means all that stands below it.
    ///
    /// # Errors
    /// When it is no domain name.
    pub(super) fn of_public_suffix(text: &str) -> Result<Value<'static>, Refusal> {
        let text = checked(text)?;
        let text = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(&text);
        Ok(Value::Domain(name(text)?.into(), Match::Subtree))
    }

    /// The value of a claim that is there already; `None` when `text` is not in the normal form of `kind`.
    pub(super) fn of_claim(kind: Kind, text: &'a str, matching: Match) -> Option<Self> {
        Some(match kind {
            Kind::Domain => Self::Domain(text.into(), matching),
            Kind::Address => Self::Address(text.parse().ok()?),
            Kind::Network => Self::Network(text.parse().ok()?),
            Kind::AddressPort => Self::AddressPort(text.parse().ok()?),
            _ => Self::Text(kind, text.into(), matching),
        })
    }

    /// The same, with texts of its own.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Domain(text, matching) => Value::Domain(text.into_owned().into(), matching),
            Self::Address(address) => Value::Address(address),
            Self::Network(network) => Value::Network(network),
            Self::AddressPort(socket) => Value::AddressPort(socket),
            Self::Text(kind, text, matching) => Value::Text(kind, text.into_owned().into(), matching),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(text, _) | Self::Text(_, text, _) => f.write_str(text),
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::AddressPort(socket) => socket.fmt(f),
        }
    }
}

/// A URL in normal form, taken apart. Borrowed from the form, which [`url`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UrlParts<'a> {
    /// Host, lower case.
    pub host: &'a str,
    /// The port it is asked at; 0 for any, when there is neither scheme nor port.
    pub port: u16,
    /// Path and query, from `/`.
    pub target: &'a str,
}

impl<'a> UrlParts<'a> {
    /// The parts of a normal form.
    pub(super) fn of(form: &'a str) -> Option<Self> {
        let (scheme, rest) = form.split_once("://").unwrap_or(("", form));
        let (authority, target) = rest.split_at(rest.find('/')?);
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an IPv6 address stand inside its brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, default_port(scheme)),
        };
        Some(Self { host, port, target })
    }
}

/// A scheme's own port; 0 for no scheme.
fn default_port(scheme: &str) -> u16 {
    match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "ftp" => 21,
        _ => 0,
    }
}

/// Trimmed, refanged, and of sane length.
fn checked(text: &str) -> Result<Cow<'_, str>, Refusal> {
    let text = text.trim().trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(Refusal::Empty);
    }
    if text.len() > crate::limits::TEXT_BYTES {
        return Err(Refusal::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::ControlCharacter);
    }
    Ok(refanged(text))
}

/// `hxxp://evil[.]example[:]8000` as it was before someone made it harmless.
pub(super) fn refanged(text: &str) -> Cow<'_, str> {
    let scheme = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("hxxp"));
    if !scheme && !text.contains(['[', '(', '{']) {
        return Cow::Borrowed(text);
    }
    let mut out = text.to_owned();
    for (defanged, plain) in [
        ("[.]", "."),
        ("(.)", "."),
        ("{.}", "."),
        ("[dot]", "."),
        ("(dot)", "."),
        ("[:]", ":"),
        ("[://]", "://"),
        ("[/]", "/"),
    ] {
        if out.contains(defanged) {
            out = out.replace(defanged, plain);
        }
    }
    if scheme {
        out.replace_range(..4, "http");
    }
    Cow::Owned(out)
}

/// An IPv6 address without its brackets.
fn bare(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

fn domain(text: &str, matching: Option<Match>) -> Result<Value<'_>, Refusal> {
    let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
    let name = normal_name(below.unwrap_or(text))?;
    let matching = match below {
        Some(_) => Match::Subtree,
        None => matching.unwrap_or(Match::Subtree),
    };
    if !name.contains('.') {
        return Err(Refusal::TopLevel);
    }
    if matching == Match::Subtree && is_public_suffix(&name) {
        return Err(Refusal::PublicSuffix);
    }
    Ok(Value::Domain(name, matching))
}

/// Whether everybody's names may stand below `name`.
pub(super) fn is_public_suffix(name: &str) -> bool {
    let suffix = psl::suffix(name.as_bytes());
    suffix.is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == name.as_bytes())
}

/// The one normal form of a domain name: lower case, A-labels, no final dot.
///
/// # Errors
/// When a label is empty or over 63 bytes, the whole over 253, or a byte is not of host names
/// (letters, digits, `-`, `_`); and when it ends in digits, which makes it a broken address.
pub(super) fn name(text: &str) -> Result<String, Refusal> {
    normal_name(text).map(Cow::into_owned)
}

fn normal_name(text: &str) -> Result<Cow<'_, str>, Refusal> {
    let ascii: Cow<'_, str> = match text.is_ascii() {
        true if text.bytes().any(|byte| byte.is_ascii_uppercase()) => text.to_ascii_lowercase().into(),
        true => text.into(),
        false => idna::domain_to_ascii(text).map_err(|_| Refusal::NotADomain)?.into(),
    };
    let ascii = match ascii {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_suffix('.').unwrap_or(text)),
        Cow::Owned(mut text) => {
            text.truncate(text.strip_suffix('.').unwrap_or(&text).len());
            Cow::Owned(text)
        }
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if ascii.len() > 253 || !ascii.split('.').all(label) {
        return Err(Refusal::NotADomain);
    }
    if ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Refusal::NotAnAddress);
    }
    Ok(ascii)
}

/// Prefixes in which no attacker's server stands, as seen from a network of ours.
const NOT_GLOBAL_V4: [(Ipv4Addr, u8); 8] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The same of IPv6: unspecified and loopback, unique local, link-local, multicast.
const NOT_GLOBAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::UNSPECIFIED, 127),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// The shortest prefixes that are taken. No one's network is wider, and a slip of the pen is.
const WIDEST_V4: u8 = 9;
const WIDEST_V6: u8 = 16;

pub(super) fn global(address: IpAddr) -> Result<IpAddr, Refusal> {
    let address = address.to_canonical();
    if overlaps_not_global(IpNet::from(address)) { Err(Refusal::NotGlobal) } else { Ok(address) }
}

pub(super) fn narrow(network: IpNet) -> Result<IpNet, Refusal> {
    let widest = if network.addr().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
    if network.prefix_len() < widest {
        return Err(Refusal::TooWide);
    }
    if overlaps_not_global(network) { Err(Refusal::NotGlobal) } else { Ok(network) }
}

/// Whether one of the prefixes holds the other: whether they agree in as many bits as both have.
fn overlaps_not_global(network: IpNet) -> bool {
    match network {
        IpNet::V4(network) => NOT_GLOBAL_V4.iter().any(|&(base, length)| {
            let common = u32::from(length.min(network.prefix_len()));
            let differs = base.to_bits() ^ network.addr().to_bits();
            differs.checked_shr(32 - common).unwrap_or(0) == 0
        }),
        IpNet::V6(network) => NOT_GLOBAL_V6.iter().any(|&(base, length)| {
            let common = u32::from(length.min(network.prefix_len()));
            let differs = base.to_bits() ^ network.addr().to_bits();
            differs.checked_shr(128 - common).unwrap_or(0) == 0
        }),
    }
}

fn address_port(socket: SocketAddr) -> Result<Value<'static>, Refusal> {
    if socket.port() == 0 {
        return Err(Refusal::NotAnAddressPort);
    }
    Ok(Value::AddressPort(SocketAddr::new(global(socket.ip())?, socket.port())))
}

/// The normal form of a URL: scheme optional and lower case, host normal, its own port left out, path
/// and query byte for byte, no user, no fragment.
fn url(text: &str) -> Result<String, Refusal> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), text),
    };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
        return Err(Refusal::NotAUrl);
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse::<u16>().ok().filter(|&port| port != 0).ok_or(Refusal::NotAUrl)?)
        }
        _ => (authority, default_port(&scheme)),
    };
    let host = match bare(host).parse::<IpAddr>() {
        Ok(address) => match global(address)? {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        },
        Err(_) => name(host).ok().filter(|name| name.contains('.')).ok_or(Refusal::NotAUrl)?,
    };
    let mut form = if scheme.is_empty() { host } else { format!("{scheme}://{host}") };
    if port != default_port(&scheme) {
        form.push_str(&format!(":{port}"));
    }
    if !target.starts_with('/') {
        form.push('/');
    }
    form.push_str(target);
    Ok(form)
}

fn hash(kind: Kind, text: &str, lengths: &[usize], refusal: Refusal) -> Result<Value<'static>, Refusal> {
    let text = text.replace(':', "").to_ascii_lowercase();
    if lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(Value::Text(kind, text.into(), Match::Exact))
    } else {
        Err(refusal)
    }
}

fn ja4(text: &str) -> Result<Value<'static>, Refusal> {
    let text = text.to_ascii_lowercase();
    let lengths = text.split('_').map(str::len);
    let bytes = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if bytes && lengths.eq([10, 12, 12]) {
        Ok(Value::Text(Kind::Ja4, text.into(), Match::Exact))
    } else {
        Err(Refusal::NotJa4)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn guess(text: &str) -> (Kind, String) {
        let value = Value::guess(text).unwrap();
        (value.kind(), value.to_string())
    }

    #[test]
    fn guesses_what_lists_hold() {
        for (text, kind, form) in [
            ("Evil.Example.", Kind::Domain, "evil.example"),
            ("  evil[.]example ", Kind::Domain, "evil.example"),
            ("evil(.)example", Kind::Domain, "evil.example"),
            ("*.evil.example", Kind::Domain, "evil.example"),
            (".evil.example", Kind::Domain, "evil.example"),
            ("\u{feff}b\u{fc}cher.example", Kind::Domain, "xn--bcher-kva.example"),
            ("_dmarc.evil.example", Kind::Domain, "_dmarc.evil.example"),
            ("198.51.100[.]7", Kind::Address, "198.51.100.7"),
            ("::ffff:198.51.100.7", Kind::Address, "198.51.100.7"),
            ("[2001:db8::1]", Kind::Address, "2001:db8::1"),
            ("198.51.100.7/32", Kind::Address, "198.51.100.7"),
            ("198.51.100.7/24", Kind::Network, "198.51.100.0/24"),
            ("2001:db8::/32", Kind::Network, "2001:db8::/32"),
            ("198.51.100.7:8000", Kind::AddressPort, "198.51.100.7:8000"),
            ("198[.]51.100.7[:]8000", Kind::AddressPort, "198.51.100.7:8000"),
            ("[2001:db8::1]:443", Kind::AddressPort, "[2001:db8::1]:443"),
            ("hxxp://Evil[.]Example:80/A?b#c", Kind::Url, "http://evil.example/A?b"),
            ("https://evil.example", Kind::Url, "https://evil.example/"),
            ("http://u:p@evil.example:8000/x", Kind::Url, "http://evil.example:8000/x"),
            ("http://[2001:db8::1]:8080/x", Kind::Url, "http://[2001:db8::1]:8080/x"),
            ("evil.example/x", Kind::Url, "evil.example/x"),
            ("198.51.100.7/x", Kind::Url, "198.51.100.7/x"),
            ("[2001:db8::1]/x", Kind::Url, "[2001:db8::1]/x"),
            ("/gate.php", Kind::Path, "/gate.php"),
        ] {
            assert_eq!(guess(text), (kind, form.to_owned()), "{text}");
        }
    }

    #[test]
    fn refuses_nonsense_and_too_much() {
        for (text, refusal) in [
            ("", Refusal::Empty),
            ("com", Refusal::TopLevel),
            ("*.com", Refusal::TopLevel),
            ("co.uk", Refusal::PublicSuffix),
            ("github.io", Refusal::PublicSuffix),
            ("10.1.2.3", Refusal::NotGlobal),
            ("127.0.0.1", Refusal::NotGlobal),
            ("0.0.0.0", Refusal::NotGlobal),
            ("::1", Refusal::NotGlobal),
            ("fe80::1", Refusal::NotGlobal),
            ("0.0.0.0/0", Refusal::TooWide),
            ("::/0", Refusal::TooWide),
            ("64.0.0.0/4", Refusal::TooWide),
            ("192.128.0.0/9", Refusal::NotGlobal),
            ("10.0.0.0/24", Refusal::NotGlobal),
            ("10.0.0.1:80", Refusal::NotGlobal),
            ("198.51.100.7:0", Refusal::NotAnAddressPort),
            ("198.51.100.0/33", Refusal::NotANetwork),
            ("1.2.3", Refusal::NotAnAddress),
            ("1.2.3.256", Refusal::NotAnAddress),
            ("evil..example", Refusal::NotADomain),
            ("evil example", Refusal::NotADomain),
            ("evil.example:8000", Refusal::NameWithPort),
            ("http:///x", Refusal::NotAUrl),
            ("curl/8.5.0", Refusal::NotADomain),
            ("a\u{1b}b.example", Refusal::ControlCharacter),
        ] {
            assert_eq!(Value::guess(text), Err(refusal), "{text}");
        }
        assert!(matches!(
            Value::of_kind(Kind::Domain, "github.io", Some(Match::Exact)),
            Ok(Value::Domain(_, Match::Exact))
        ));
        // Thirty-nine digits, as one vendor printed.
        let short = "2553649f2322049666871cea80a5d0d6adc700c";
        assert_eq!(Value::of_kind(Kind::CertificateHash, short, None), Err(Refusal::NotACertificateHash));
    }

    #[test]
    fn the_short_way_says_what_the_long_way_says() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % below
        };
        const PIECES: [&str; 24] = [
            "a", "evil", "example", "com", "co", "uk", "github", "io", "hxxp", "xn--", "-", "_", "1", "198",
            "256", "10", ".", ".", ".", "/", "/2", "4", "32", "0",
        ];
        let (mut quick, mut taken) = (0, 0);
        for _ in 0..200_000 {
            let text: String = (0..1 + random(9)).map(|_| PIECES[random(PIECES.len())]).collect();
            if let Some(said) = super::super::quick::guess(&text) {
                quick += 1;
                taken += usize::from(said.is_ok());
                assert_eq!(said, Value::guess_refanged(&checked(&text).unwrap()), "{text}");
            }
        }
        for text in
            ["198.51.100.7", "198.51.100.7/24", "198.51.100.7/32", "10.0.0.0/8", "198.51.100.0/8", "a.b"]
        {
            let said = super::super::quick::guess(text).unwrap();
            assert_eq!(said, Value::guess_refanged(text), "{text}");
        }
        let long = format!("{}.example", "a".repeat(64));
        assert!(super::super::quick::guess(&long).is_none() && super::super::quick::guess("").is_none());
        assert!(quick > 10_000 && taken > 10_000, "{quick} {taken}");
    }

    #[test]
    fn takes_urls_apart() {
        let parts = |form| UrlParts::of(form).map(|parts| (parts.host, parts.port, parts.target));
        assert_eq!(parts("http://a.example/x?y"), Some(("a.example", 80, "/x?y")));
        assert_eq!(parts("https://a.example:8443/"), Some(("a.example", 8443, "/")));
        assert_eq!(parts("a.example/x"), Some(("a.example", 0, "/x")));
        assert_eq!(parts("http://[2001:db8::1]/"), Some(("[2001:db8::1]", 80, "/")));
    }
}
