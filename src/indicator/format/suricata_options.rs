//! The options of a Suricata rule: what it says of itself, and what it asks of which buffer.
//!
//! | buffer | field |
//! |---|---|
//! | `dns.query`, `dns_query` | `dns.query` |
//! | `tls.sni`, `tls_sni` | `tls.sni` |
//! | `http.host`, `http.host.raw`, `http_host`, `http_raw_host` | `http.host` |
//! | `http.uri`, `http.uri.raw`, `http_uri`, `http_raw_uri` | `http.uri`, as sent: Suricata decodes `%2e` in `http.uri` first |
//! | `http.user_agent`, `http_user_agent` | `http.user_agent` |
//! | `http.method`, `http_method` | `http.method` |
//!
//! A content is asked with `nocase`, `startswith`, `endswith` and what means the same (`depth` of its length,
//! `isdataat:!1,relative`, `bsize` of its length). `dotprefix` and `endswith` with `.name` mean the name and what
//! stands below it. Names are compared whatever their case. Any other keyword is another condition, which we
//! do not have: the rule is not taken.

use std::borrow::Cow;

use super::super::field::{Field, FieldKind};
use super::super::signature::{Place, Test};
use super::rule::Term;
use super::suricata_header::Looks;
use super::suricata_lexer::{Parts, content, quoted, unescaped};

/// Buffers, and contents, of one rule.
const CONDITIONS: usize = 64;

/// What the options of a rule say.
#[derive(Debug, Default)]
pub(super) struct Options<'r> {
    /// Texts of `msg`, `sid`, `gid`, `rev`, `classtype`, `priority`.
    pub msg: String,
    pub sid: Option<&'r str>,
    pub gid: Option<&'r str>,
    pub rev: Option<&'r str>,
    pub classtype: Option<&'r str>,
    pub priority: Option<&'r str>,
    /// The first `reference:url`.
    pub url: Option<&'r str>,
    /// Keys and values of `metadata`.
    pub metadata: Vec<(&'r str, &'r str)>,
    buffers: Vec<Buffer>,
    contents: Vec<Content>,
    /// The buffer that contents are asked of.
    current: Option<usize>,
    /// Why the rule cannot be taken.
    other: Option<Cow<'static, str>>,
    to_server: bool,
    to_client: bool,
    /// Whether it asks for the packet that opens a connection.
    is_opening: bool,
}

/// A buffer that is asked.
#[derive(Debug)]
struct Buffer {
    field: Field,
    has_dot: bool,
    ignores_case: bool,
    size: Option<usize>,
}

/// A content, and how it is asked.
#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    negated: bool,
    ignores_case: bool,
    at_start: bool,
    at_end: bool,
    offset: usize,
    depth: Option<usize>,
    buffer: Option<usize>,
}

/// Why the options cannot be taken.
pub(super) type Reason = Cow<'static, str>;

impl<'r> Options<'r> {
    /// Reads the options of a rule.
    ///
    /// # Errors
    /// When one of them is wrong.
    pub(super) fn of(parts: &Parts<'r>) -> Result<Self, Reason> {
        let mut found = Self::default();
        for (keyword, value) in parts.options() {
            found.option(keyword, value)?;
        }
        Ok(found)
    }

    /// The value of a key of `metadata`.
    pub(super) fn metadata(&self, key: &str) -> Option<&'r str> {
        self.metadata.iter().find(|(known, _)| *known == key).map(|&(_, value)| value)
    }

    /// How the rule looks at the traffic, or why it is nothing for us.
    pub(super) fn looks(&self) -> Result<Looks, Reason> {
        if let Some(reason) = &self.other {
            return Err(reason.clone());
        }
        if self.contents.iter().any(|content| content.buffer.is_none()) {
            return Err("has other conditions: content of the payload".into());
        }
        let asked = |place: usize| self.contents.iter().any(|content| content.buffer == Some(place));
        let buffers = self.buffers.iter().enumerate().filter(|&(place, _)| asked(place));
        let at = buffers.filter_map(|(_, buffer)| buffer.field.moment()).max();
        match at {
            Some(_) if self.to_client => Err(other("flow to the client")),
            Some(_) if self.is_opening => Err(other("flags")),
            _ => Ok(Looks { at, to_server: self.to_server || self.is_opening }),
        }
    }

    /// What must hold and what must not, or why that is nothing for us.
    pub(super) fn terms(&self) -> Result<(Vec<Term>, Vec<Term>), Reason> {
        let (mut all, mut none) = (Vec::new(), Vec::new());
        for (place, buffer) in self.buffers.iter().enumerate() {
            let contents = || self.contents.iter().filter(|content| content.buffer == Some(place));
            let is_whole = |content: &Content| !content.negated && buffer.size == Some(content.bytes.len());
            if buffer.size.is_some() && !contents().any(is_whole) {
                return Err(other("bsize"));
            }
            for content in contents() {
                let test = content.test(buffer, is_whole(content))?;
                let term = Term::new(buffer.field.clone(), test);
                if content.negated { &mut none } else { &mut all }.push(term);
            }
            // Of a buffer that is not there Suricata says nothing, not even that it lacks a text.
            if contents().next().is_some() && contents().all(|content| content.negated) {
                none.push(Term::new(buffer.field.clone(), Test::Absent));
            }
        }
        Ok((all, none))
    }

    fn option(&mut self, keyword: &'r str, value: Option<&'r str>) -> Result<(), Reason> {
        if let Some((field, is_sticky)) = buffer(keyword) {
            self.buffer(field, is_sticky);
            return Ok(());
        }
        match (keyword, value) {
            ("msg", Some(value)) => {
                let (_, text) = quoted(value).ok_or("has a msg without quotation marks")?;
                self.msg = unescaped(text);
            }
            ("sid", value) => self.sid = value,
            ("gid", value) => self.gid = value,
            ("rev", value) => self.rev = value,
            ("classtype", value) => self.classtype = value,
            ("priority", value) => self.priority = value,
            ("reference", Some(value)) => {
                let url =
                    value.split_once(',').filter(|(kind, _)| kind.trim() == "url").map(|(_, url)| url.trim());
                self.url = self.url.or(url);
            }
            ("metadata", Some(value)) => {
                let pairs = value.split(',').map(str::trim);
                self.metadata.extend(pairs.filter_map(|pair| pair.split_once(char::is_whitespace)));
            }
            ("content" | "uricontent", Some(value)) => self.content(keyword, value)?,
            ("flow", Some(value)) => self.flow(value),
            ("flags", Some(value)) if value.split(',').next().is_some_and(|flags| flags.trim() == "S") => {
                self.is_opening = true;
            }
            ("flowbits" | "xbits" | "hostbits", Some(value)) => {
                let action = value.split(',').next().unwrap_or_default().trim();
                self.note(match action {
                    "set" | "unset" | "toggle" => None,
                    "noalert" => Some("does not alert".into()),
                    _ => Some(other(&format!("{keyword}:{action}"))),
                });
            }
            ("noalert", _) => self.note(Some("does not alert".into())),
            // Of many alerts one is told, which changes nothing in what is looked for.
            ("threshold", Some(value)) if is_limit(value) => {}
            ("target" | "requires" | "fast_pattern" | "rawbytes" | "prefilter" | "tag" | "bypass", _) => {}
            ("ssl_state", Some("client_hello")) => {}
            _ => self.modifier(keyword, value)?,
        }
        Ok(())
    }

    /// A buffer's name: of a sticky one what follows is asked, of another one the content before it.
    fn buffer(&mut self, field: Field, is_sticky: bool) {
        if self.buffers.len() == CONDITIONS {
            return self.note(Some("has too many conditions".into()));
        }
        if is_sticky {
            self.buffers.push(Buffer { field, has_dot: false, ignores_case: false, size: None });
            self.current = Some(self.buffers.len() - 1);
            return;
        }
        let known = self.buffers.iter().position(|buffer| buffer.field == field);
        let place = known.unwrap_or_else(|| {
            self.buffers.push(Buffer { field, has_dot: false, ignores_case: false, size: None });
            self.buffers.len() - 1
        });
        if let Some(content) = self.contents.last_mut() {
            content.buffer = Some(place);
        }
    }

    fn content(&mut self, keyword: &str, value: &str) -> Result<(), Reason> {
        let (negated, text) = quoted(value).ok_or("has a content without quotation marks around it")?;
        let bytes = content(text).ok_or("has a content with damaged hexadecimal numbers")?;
        if bytes.is_empty() {
            return Err("has an empty content".into());
        }
        if self.contents.len() == CONDITIONS {
            self.note(Some("has too many conditions".into()));
            return Ok(());
        }
        self.contents.push(Content { bytes, negated, buffer: self.current, ..Content::default() });
        if keyword == "uricontent" {
            self.buffer(Field::Uri, false);
        }
        Ok(())
    }

    fn flow(&mut self, value: &str) {
        for word in value.split(',').map(str::trim) {
            match word {
                "to_server" | "from_client" => self.to_server = true,
                "to_client" | "from_server" => self.to_client = true,
                "established" | "stateless" | "only_stream" | "no_stream" => {}
                _ => self.note(Some(other("flow"))),
            }
        }
    }

    /// A keyword that changes how the last content or the current buffer is asked.
    fn modifier(&mut self, keyword: &str, value: Option<&str>) -> Result<(), Reason> {
        let number = || value.and_then(|value| value.parse::<usize>().ok());
        let current = self.current.and_then(|place| self.buffers.get_mut(place));
        match (keyword, current, self.contents.last_mut()) {
            ("dotprefix", Some(buffer), _) if buffer.field.kind() == FieldKind::Name => buffer.has_dot = true,
            ("to_lowercase", Some(buffer), _) => buffer.ignores_case = true,
            ("bsize", Some(buffer), _) if number().is_some() => buffer.size = number(),
            ("nocase", _, Some(content)) => content.ignores_case = true,
            ("startswith", _, Some(content)) => content.at_start = true,
            ("endswith", _, Some(content)) => content.at_end = true,
            ("isdataat", _, Some(content)) if value.is_some_and(is_end) => content.at_end = true,
            ("depth", _, Some(content)) if number().is_some() => content.depth = number(),
            ("offset", _, Some(content)) if number().is_some() => {
                content.offset = number().unwrap_or_default()
            }
            ("nocase" | "startswith" | "endswith" | "depth" | "offset" | "distance" | "within", _, None) => {
                return Err(format!("has {keyword} without a content before it").into());
            }
            _ => self.note(Some(other(keyword))),
        }
        Ok(())
    }

    fn note(&mut self, reason: Option<Reason>) {
        if self.other.is_none() {
            self.other = reason;
        }
    }
}

impl Content {
    fn test(&self, buffer: &Buffer, is_whole: bool) -> Result<Test, Reason> {
        let length = self.bytes.len();
        let at_start = match (self.offset, self.depth) {
            (0, None) => self.at_start,
            (0, Some(depth)) if depth == length => true,
            (0, Some(_)) => return Err(other("depth")),
            _ => return Err(other("offset")),
        };
        let (at_start, at_end) = (at_start || is_whole, self.at_end || is_whole);
        let is_name = buffer.field.kind() == FieldKind::Name;
        let mut bytes = &self.bytes[..];
        if buffer.has_dot {
            match bytes.strip_prefix(b".") {
                Some(name) if at_end && !at_start => {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    return Ok(Test::Below(vec![name.into()]));
                }
                // The dot is the one that was put there.
                Some(name) if at_start => bytes = name,
                Some(_) => return Err(other("dotprefix without endswith")),
                None if at_start => return Err(other("dotprefix without a dot")),
                None => {}
            }
        }
        // A name on the wire ends without its dot, and so does what is compared.
        if is_name
            && at_end
            && let Some(name) = bytes.strip_suffix(b".")
        {
            bytes = name;
        }
        if bytes.is_empty() {
            return Err(other("a content that everything meets"));
        }
        let place = match (at_start, at_end) {
            (true, true) => Place::Whole,
            (true, false) => Place::Start,
            (false, true) => Place::End,
            (false, false) => Place::Anywhere,
        };
        let ignores_case = is_name || self.ignores_case || buffer.ignores_case;
        Ok(Test::Text(place, ignores_case, vec![bytes.into()]))
    }
}

/// The field of a buffer, and whether the keyword is about what follows it.
fn buffer(keyword: &str) -> Option<(Field, bool)> {
    Some(match keyword {
        "dns.query" | "dns_query" => (Field::QueryName, true),
        "tls.sni" | "tls_sni" => (Field::Sni, true),
        "http.host" | "http.host.raw" => (Field::Host, true),
        "http.uri" | "http.uri.raw" => (Field::Uri, true),
        "http.user_agent" => (Field::UserAgent, true),
        "http.method" => (Field::Method, true),
        "http_host" | "http_raw_host" => (Field::Host, false),
        "http_uri" | "http_raw_uri" => (Field::Uri, false),
        "http_user_agent" => (Field::UserAgent, false),
        "http_method" => (Field::Method, false),
        _ => return None,
    })
}

/// The reason that names what a rule asks besides.
fn other(keyword: &str) -> Reason {
    let keyword: String = keyword.chars().take(32).collect();
    format!("has other conditions: {keyword}").into()
}

/// Whether a threshold only limits how often is alerted.
fn is_limit(value: &str) -> bool {
    value
        .split(',')
        .map(str::trim)
        .any(|part| part.strip_prefix("type").is_some_and(|kind| kind.trim() == "limit"))
}

/// Whether `isdataat` says that nothing follows the content.
fn is_end(value: &str) -> bool {
    let mut parts = value.split(',').map(str::trim);
    parts.next() == Some("!1") && parts.next() == Some("relative") && parts.next().is_none()
}
