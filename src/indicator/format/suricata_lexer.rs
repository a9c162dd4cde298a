//! Suricata rules taken apart: the words of the header, the options, the bytes of a content. What they mean is
//! not asked here.
//!
//! ```text
//! alert dns $HOME_NET any -> any any (msg:"..."; dns.query; content:"evil|2e|example"; sid:1;)
//! action protocol source port arrow destination port (keyword:value; keyword; ...)
//! ```

/// A rule taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'r> {
    pub action: &'r str,
    pub protocol: &'r str,
    pub source: &'r str,
    pub source_port: &'r str,
    /// Whether either end may be the source (`<>`).
    pub is_both_ways: bool,
    pub destination: &'r str,
    pub destination_port: &'r str,
    /// What stands in the parentheses.
    pub options: &'r str,
}

/// The actions that a rule can begin with.
pub(super) const ACTIONS: [&str; 8] =
    ["alert", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "pass", "config"];

impl<'r> Parts<'r> {
    /// Takes `rule` apart.
    ///
    /// # Errors
    /// When it is no rule, in a few words.
    pub(super) fn of(rule: &'r str) -> Result<Self, &'static str> {
        let (header, options) = rule.split_once('(').ok_or("has no options in parentheses")?;
        let options = options.trim_end().strip_suffix(')').ok_or("lacks the closing parenthesis")?;
        let mut words = Words(header);
        let mut word = || words.next().ok_or("has too few words before its parentheses");
        let (action, protocol) = (word()?, word()?);
        let (source, source_port) = (word()?, word()?);
        let is_both_ways = match word()? {
            "->" | "=>" => false,
            "<>" => true,
            _ => return Err("has no arrow (-> or <>) where one belongs"),
        };
        let (destination, destination_port) = (word()?, word()?);
        if !ACTIONS.contains(&action) {
            return Err("does not begin with an action (alert, drop ...)");
        }
        if words.next().is_some() {
            return Err("has too many words before its parentheses");
        }
        Ok(Self {
            action,
            protocol,
            source,
            source_port,
            is_both_ways,
            destination,
            destination_port,
            options,
        })
    }

    /// The options: keyword and value, both without blanks around them.
    pub(super) fn options(&self) -> impl Iterator<Item = (&'r str, Option<&'r str>)> {
        let mut rest = self.options;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let option;
                (option, rest) = split_option(rest);
                let option = option.trim();
                if !option.is_empty() {
                    let (keyword, value) = option
                        .split_once(':')
                        .map_or((option, None), |(keyword, value)| (keyword, Some(value)));
                    return Some((keyword.trim_end(), value.map(str::trim)));
                }
            }
            None
        })
    }
}

/// Whether `line` looks like the beginning of a rule: an action, a protocol, and an arrow in its place, unless the
/// line ends before that.
pub(super) fn begins_rule(line: &str) -> bool {
    let is_protocol = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let mut words = Words(line);
    words.next().is_some_and(|action| ACTIONS.contains(&action))
        && words.next().is_some_and(is_protocol)
        && match words.nth(2) {
            Some(arrow) => matches!(arrow, "->" | "<>" | "=>"),
            None => line.ends_with('\\'),
        }
}

/// The next option and what follows its semicolon. One behind a backslash does not end an option, and quotation
/// marks protect nothing, as Suricata reads it.
fn split_option(text: &str) -> (&str, &str) {
    let ends = |&(at, _): &(usize, &str)| at == 0 || text.as_bytes().get(at - 1) != Some(&b'\\');
    match text.match_indices(';').find(ends) {
        Some((at, _)) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, ""),
    }
}

/// The words of a header; blanks inside of brackets divide none.
struct Words<'r>(&'r str);

impl<'r> Iterator for Words<'r> {
    type Item = &'r str;

    fn next(&mut self) -> Option<&'r str> {
        let text = self.0.trim_start();
        let mut depth = 0_usize;
        let end = text.bytes().enumerate().find_map(|(at, byte)| {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                b' ' | b'\t' if depth == 0 && !text.get(..at).unwrap_or_default().ends_with('!') => {
                    return Some(at);
                }
                _ => {}
            }
            None
        });
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

/// The text of a value in quotation marks, and whether a `!` stands before it.
pub(super) fn quoted(value: &str) -> Option<(bool, &str)> {
    let (negated, value) = value.strip_prefix('!').map_or((false, value), |rest| (true, rest.trim_start()));
    Some((negated, value.strip_prefix('"')?.strip_suffix('"')?))
}

/// `text` without the backslashes before what must be escaped.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(&next @ ('"' | ';' | ':' | '\\'))) => {
                characters.next();
                out.push(next);
            }
            _ => out.push(character),
        }
    }
    out
}

/// The bytes of a content: text with escapes, and hexadecimal numbers between bars.
pub(super) fn content(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let Some((plain, numbers)) = rest.split_once('|') else {
            bytes.extend(unescaped(rest).into_bytes());
            return Some(bytes);
        };
        bytes.extend(unescaped(plain).into_bytes());
        let (numbers, after) = numbers.split_once('|')?;
        let mut digits = numbers.chars().filter(|character| !character.is_whitespace());
        while let Some(high) = digits.next() {
            let byte = high.to_digit(16)? << 4 | digits.next()?.to_digit(16)?;
            bytes.push(u8::try_from(byte).ok()?);
        }
        rest = after;
    }
}

/// The items of a list, `[a,!b,[c,d]]` or one alone, each with whether it is excluded. The lists inside of it
/// are taken apart too, `depth` levels of them.
///
/// # Errors
/// When brackets do not match, or stand deeper.
pub(super) fn items<'r>(
    text: &'r str,
    excluded: bool,
    depth: usize,
    found: &mut Vec<(bool, &'r str)>,
) -> Result<(), &'static str> {
    let text = text.trim();
    let (excluded, text) = match text.strip_prefix('!') {
        Some(rest) => (!excluded, rest.trim_start()),
        None => (excluded, text),
    };
    let Some(inner) = text.strip_prefix('[') else {
        found.push((excluded, text));
        return Ok(());
    };
    let inner = inner.strip_suffix(']').ok_or("has a list without its closing bracket")?;
    let depth = depth.checked_sub(1).ok_or("has lists too deep in each other")?;
    let (mut open, mut start) = (0_usize, 0);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'[' => open += 1,
            b']' => open = open.checked_sub(1).ok_or("has a bracket too many")?,
            b',' if open == 0 => {
                items(inner.get(start..at).unwrap_or_default(), excluded, depth, found)?;
                start = at + 1;
            }
            _ => {}
        }
    }
    items(inner.get(start..).unwrap_or_default(), excluded, depth, found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn takes_rules_apart() {
        let rule = "alert  tcp $HOME_NET any -> [192.0.2.1, ! 192.0.2.2] ! 80 (msg:\"a\\; (b)\"; nocase; content : \"x:y\";)  ";
        let parts = Parts::of(rule).unwrap();
        assert_eq!(
            (parts.action, parts.protocol, parts.source, parts.source_port),
            ("alert", "tcp", "$HOME_NET", "any")
        );
        assert_eq!((parts.destination, parts.destination_port), ("[192.0.2.1, ! 192.0.2.2]", "! 80"));
        let options: Vec<_> = parts.options().collect();
        assert_eq!(options, [("msg", Some("\"a\\; (b)\"")), ("nocase", None), ("content", Some("\"x:y\""))]);
        for (rule, reason) in [
            ("alert dns any any -> any any", "has no options"),
            ("alert dns any any -> any any (msg:\"a\";", "lacks the closing"),
            ("alert dns any any -> any (msg:\"a\";)", "has too few"),
            ("alert dns any any <- any any (msg:\"a\";)", "has no arrow"),
            ("alert dns any any -> any any any (msg:\"a\";)", "has too many"),
            ("alarm dns any any -> any any (msg:\"a\";)", "does not begin"),
        ] {
            assert!(Parts::of(rule).unwrap_err().starts_with(reason), "{rule}");
        }
    }

    #[test]
    fn reads_contents() {
        for (text, bytes) in [
            ("evil|2e|example", &b"evil.example"[..]),
            ("|65 76 69 6C|x|0D0a|", b"evilx\r\n"),
            ("a\\\"b\\;c\\\\d\\:e\\f", b"a\"b;c\\d:e\\f"),
            ("", b""),
        ] {
            assert_eq!(content(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["|2", "|2|", "|zz|", "a|2e"] {
            assert_eq!(content(text), None, "{text}");
        }
        assert_eq!(quoted("! \"a\""), Some((true, "a")));
        assert_eq!((quoted("\"a\", nocase"), quoted("a"), quoted("\"")), (None, None, None));
    }

    #[test]
    fn reads_lists() {
        let list = |text: &'static str| {
            let mut found = Vec::new();
            items(text, false, 4, &mut found).map(|()| found)
        };
        assert_eq!(list("any").unwrap(), [(false, "any")]);
        assert_eq!(
            list("[a, !b,![c,!d ],[e]]").unwrap(),
            [(false, "a"), (true, "b"), (true, "c"), (false, "d"), (false, "e")]
        );
        assert!(list("[a").is_err() && list("[a]]").is_err() && list("[[[[[a]]]]]").is_err());
    }

    #[test]
    fn a_rule_is_known_by_its_beginning() {
        for line in [
            "alert dns any any -> any any (",
            "drop tcp-pkt [192.0.2.1, 192.0.2.2] any <> any any \\",
            "alert ip \\",
        ] {
            assert!(begins_rule(line), "{line}");
        }
        for line in [
            "alert",
            "alert.example",
            "alert: a -> b (c)",
            "passed dns any -> any (",
            "alert a b c d -> (",
            "0.0.0.0 alert.example",
        ] {
            assert!(!begins_rule(line), "{line}");
        }
    }
}
