//! Sigma's selections: fields, modifiers and values as conditions of ours.
//!
//! Values are compared whatever the case of their letters. A `*` at an end of a value means that anything may
//! stand there; `\*`, `\?` and, before one of these, `\\` are the characters themselves. A field or modifier
//! that is not known makes a leaf that nothing can stand for: an alternative that needs it is not taken, and the
//! other alternatives of the rule are.

use std::borrow::Cow;

use super::super::field::{Field, FieldKind};
use super::super::signature::{Place, Test};
use super::rule::{Term, network};
use super::sigma_condition::Expression;
use super::yaml::{Content, Node};
use crate::protocol::dns::type_named;

/// Conditions on one field of a selection that cannot be joined into one.
const CONDITIONS: usize = 64;

/// A condition that an expression can name, or why it is none.
pub(super) type Leaf = Result<Term, Cow<'static, str>>;

/// The leaves of a rule's selections.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// By number.
    pub all: Vec<Leaf>,
}

impl Leaves {
    /// What a selection asks. The conditions of a map must all hold; one of the items of a list must.
    pub(super) fn selection(&mut self, node: &Node<'_>) -> Expression {
        match &node.content {
            Content::Map(entries) => {
                Expression::All(entries.iter().map(|(key, value)| self.entry(key, value)).collect())
            }
            Content::List(items) if items.iter().all(|item| matches!(item.content, Content::Map(_))) => {
                Expression::Any(items.iter().map(|item| self.selection(item)).collect())
            }
            _ => self.missing("searches for words in a whole log line"),
        }
    }

    fn entry(&mut self, key: &Node<'_>, value: &Node<'_>) -> Expression {
        let mut words = key.text().unwrap_or_default().split('|');
        let name = words.next().unwrap_or_default().trim();
        if name.is_empty() {
            return self.missing("searches for words in a whole log line");
        }
        let modifiers = match Modifiers::of(words) {
            Ok(modifiers) => modifiers,
            Err(reason) => return self.missing(reason),
        };
        let expression = match Known::of(name) {
            None => self.missing(format!("needs the field {name}, which the wire does not show")),
            Some(Known::Outgoing) => match value.text() {
                Some(text) if text.eq_ignore_ascii_case("true") => Expression::All(Vec::new()),
                _ => self.missing("is about connections from outside"),
            },
            Some(known) => match modifiers.exists {
                true => self.exists(&known, value),
                false => self.values(&known, &modifiers, value),
            },
        };
        if modifiers.unequal { Expression::Not(Box::new(expression)) } else { expression }
    }

    fn exists(&mut self, known: &Known, value: &Node<'_>) -> Expression {
        let (Known::Field(field), Some(wanted)) = (known, value.text()) else {
            return self.missing("uses the modifier exists in a way that is not known");
        };
        let absent = self.leaf(Ok(Term::new(field.clone(), Test::Absent)));
        if wanted.eq_ignore_ascii_case("true") { Expression::Not(Box::new(absent)) } else { absent }
    }

    fn values(&mut self, known: &Known, modifiers: &Modifiers, value: &Node<'_>) -> Expression {
        let nodes = match &value.content {
            Content::Null => std::slice::from_ref(value),
            _ => value.items(),
        };
        let mut parts = Vec::new();
        for node in nodes {
            let asked = known.ask(modifiers, node);
            // One condition holds for a whole list, unless all of its values are wanted.
            let same = |one: &&mut Leaf| match (one, &asked) {
                (Ok(one), Ok(other)) => !modifiers.all && may_join(one, other),
                (Err(one), Err(other)) => one == other,
                _ => false,
            };
            let own = self.all.len() - parts.len();
            let other = self.all.get_mut(own..).and_then(|leaves| leaves.iter_mut().find(same));
            match (other, asked) {
                (Some(Ok(one)), Ok(other)) => join(one, other),
                (Some(_), _) => {}
                (None, _) if parts.len() == CONDITIONS => {
                    return self.missing("has too many values in one field");
                }
                (None, asked) => parts.push(self.leaf(asked)),
            }
        }
        // A log writes what is missing as nothing.
        let is_empty = |node: &Node<'_>| node.text() == Some("");
        if let Known::Field(field) = known
            && modifiers.place.is_none()
            && nodes.iter().any(is_empty)
        {
            parts.push(self.leaf(Ok(Term::new(field.clone(), Test::Absent))));
        }
        match (modifiers.all, parts.is_empty()) {
            (_, true) => self.missing("has a field without a value"),
            (true, _) => Expression::All(parts),
            (false, _) => Expression::Any(parts),
        }
    }

    fn missing(&mut self, reason: impl Into<Cow<'static, str>>) -> Expression {
        self.leaf(Err(reason.into()))
    }

    fn leaf(&mut self, leaf: Leaf) -> Expression {
        self.all.push(leaf);
        Expression::Leaf(self.all.len() - 1)
    }
}

/// Whether two conditions that one of two values meets are one condition on both.
fn may_join(one: &Term, other: &Term) -> bool {
    one.condition.field == other.condition.field
        && match (&one.condition.test, &other.condition.test) {
            (Test::Text(place, case, _), Test::Text(other, other_case, _)) => {
                (place, case) == (other, other_case)
            }
            (Test::Within(_), Test::Within(_)) | (Test::Number(_), Test::Number(_)) => true,
            _ => false,
        }
}

fn join(one: &mut Term, other: Term) {
    match (&mut one.condition.test, other.condition.test) {
        (Test::Text(_, _, texts), Test::Text(_, _, more)) => texts.extend(more),
        (Test::Within(networks), Test::Within(more)) => networks.extend(more),
        (Test::Number(numbers), Test::Number(more)) => numbers.extend(more),
        _ => {}
    }
    one.lines.extend(other.lines);
}

/// What stands behind a field's name.
#[derive(Debug, Default)]
struct Modifiers {
    place: Option<Place>,
    is_cased: bool,
    all: bool,
    exists: bool,
    unequal: bool,
    /// `lt`, `lte`, `gt` or `gte`.
    compared: Option<&'static str>,
}

impl Modifiers {
    fn of<'w>(words: impl Iterator<Item = &'w str>) -> Result<Self, Cow<'static, str>> {
        let mut found = Self::default();
        for word in words {
            match word.trim().to_ascii_lowercase().as_str() {
                "contains" => found.place = Some(Place::Anywhere),
                "startswith" => found.place = Some(Place::Start),
                "endswith" => found.place = Some(Place::End),
                "all" => found.all = true,
                "cased" => found.is_cased = true,
                "exists" => found.exists = true,
                "neq" => found.unequal = true,
                "lt" => found.compared = Some("lt"),
                "lte" => found.compared = Some("lte"),
                "gt" => found.compared = Some("gt"),
                "gte" => found.compared = Some("gte"),
                // An address field takes prefixes without it too.
                "cidr" => {}
                other => return Err(format!("needs the modifier {other}").into()),
            }
        }
        Ok(found)
    }
}

/// A field that the wire shows.
#[derive(Clone, Debug)]
enum Known {
    Field(Field),
    /// The ending of the file's name in a URL.
    Extension,
    /// What a DNS response answers: only addresses are judged there.
    Answer,
    /// Whether the machine opened the connection.
    Outgoing,
}

impl Known {
    /// The field of that name in the logs that rules are about: Sigma's own taxonomy, Sysmon, Zeek, ECS.
    fn of(name: &str) -> Option<Self> {
        Some(Self::Field(match name.to_ascii_lowercase().as_str() {
            "query" | "queryname" | "dns.question.name" => Field::QueryName,
            "record_type" | "qtype_name" | "dns.question.type" => Field::QueryType,
            "answer" | "answers" | "dns.answers.data" => return Some(Self::Answer),
            "c-uri" | "cs-uri" | "uri" | "url" | "url.original" => Field::Url,
            "c-uri-query" | "cs-uri-query" => Field::Uri,
            "c-uri-path" | "cs-uri-path" | "c-uri-stem" | "cs-uri-stem" | "url.path" => Field::Path,
            "c-uri-extension" => return Some(Self::Extension),
            "c-useragent" | "cs-user-agent" | "user_agent" | "user_agent.original" => Field::UserAgent,
            "cs-host" | "r-dns" | "host" | "url.domain" | "destinationhostname" => Field::Host,
            "cs-method" | "method" | "http.request.method" => Field::Method,
            "cs-cookie" => Field::RequestHeader("cookie".into()),
            "cs-referrer" | "cs-referer" | "referrer" => Field::RequestHeader("referer".into()),
            "sc-status" | "status_code" => Field::Status,
            "server_name" | "tls.client.server_name" => Field::Sni,
            "dst_ip" | "dest_ip" | "destinationip" | "destination.ip" | "id.resp_h" => Field::RemoteAddress,
            "dst_port" | "dest_port" | "destinationport" | "destination.port" | "id.resp_p" => {
                Field::RemotePort
            }
            "initiated" => return Some(Self::Outgoing),
            _ => return None,
        }))
    }

    /// What one value asks of the field.
    fn ask(&self, modifiers: &Modifiers, value: &Node<'_>) -> Leaf {
        let test = |test: Test, field: &Field| {
            let mut term = Term::new(field.clone(), test);
            term.lines.push(value.line);
            Ok(term)
        };
        match self {
            Self::Outgoing => Err("is about connections from outside".into()),
            Self::Field(field) => match field.kind() {
                FieldKind::Number => test(number(field, modifiers, value)?, field),
                FieldKind::Address => test(address(modifiers, value)?, field),
                _ => test(text(modifiers, value)?, field),
            },
            // Of answers only addresses are judged, as claims are.
            Self::Answer => match address(modifiers, value) {
                Ok(within) => test(within, &Field::RemoteAddress),
                Err(_) => Err("looks for texts in DNS answers".into()),
            },
            Self::Extension => match text(modifiers, value)? {
                Test::Text(Place::Whole, case, texts) if texts.iter().all(|text| !text.is_empty()) => {
                    let dotted = texts.iter().map(|text| [b".", &**text].concat().into()).collect();
                    test(Test::Text(Place::End, case, dotted), &Field::Path)
                }
                _ => Err("looks for parts of a file's ending".into()),
            },
        }
    }
}

fn text(modifiers: &Modifiers, value: &Node<'_>) -> Result<Test, Cow<'static, str>> {
    let written = match &value.content {
        Content::Null => return Ok(Test::Absent),
        Content::Scalar(written) => written,
        _ => return Err("has a value that is no text".into()),
    };
    if modifiers.compared.is_some() {
        return Err("compares a text with a number".into());
    }
    let Pattern { text, before, after } = Pattern::of(written)?;
    let (before, after) = match modifiers.place {
        None | Some(Place::Whole) => (before, after),
        Some(Place::Start) => (before, true),
        Some(Place::End) => (true, after),
        Some(Place::Anywhere) => (true, true),
    };
    let place = match (before, after) {
        (false, false) => Place::Whole,
        (false, true) => Place::Start,
        (true, false) => Place::End,
        (true, true) => Place::Anywhere,
    };
    if text.is_empty() && place != Place::Whole {
        return Err("has a value that everything meets".into());
    }
    Ok(Test::Text(place, !modifiers.is_cased, vec![text.into_bytes().into()]))
}

fn number(field: &Field, modifiers: &Modifiers, value: &Node<'_>) -> Result<Test, Cow<'static, str>> {
    let written = value.text().unwrap_or_default().trim();
    let named = if *field == Field::QueryType { type_named(written).map(u64::from) } else { None };
    let Some(number) = named.or_else(|| written.parse().ok()).filter(|_| modifiers.place.is_none()) else {
        return Err("has a value that is no number, in a field of numbers".into());
    };
    Ok(match modifiers.compared {
        None => Test::Number(vec![number]),
        Some("lt") => match number.checked_sub(1) {
            Some(most) => Test::Range(0, most),
            None => return Err("asks for a number below 0".into()),
        },
        Some("lte") => Test::Range(0, number),
        Some("gt") => Test::Range(number.saturating_add(1), u64::MAX),
        Some(_) => Test::Range(number, u64::MAX),
    })
}

fn address(modifiers: &Modifiers, value: &Node<'_>) -> Result<Test, Cow<'static, str>> {
    let written = value.text().unwrap_or_default().trim();
    match network(written) {
        Some(network) if modifiers.place.is_none() && modifiers.compared.is_none() => {
            Ok(Test::Within(vec![network.trunc()]))
        }
        _ => Err("has an address that is neither an address nor a prefix".into()),
    }
}

/// A value without its wildcards.
struct Pattern {
    text: String,
    /// Whether anything may stand before it, and behind it.
    before: bool,
    after: bool,
}

impl Pattern {
    fn of(written: &str) -> Result<Self, Cow<'static, str>> {
        let mut found = Self { text: String::new(), before: false, after: false };
        let mut characters = written.chars().peekable();
        while let Some(character) = characters.next() {
            let plain = match (character, characters.peek()) {
                // Before anything else a backslash is itself.
                ('\\', Some(&next @ ('*' | '?' | '\\'))) => {
                    characters.next();
                    next
                }
                ('?', _) => return Err("has a wildcard ? in a value".into()),
                ('*', _) => {
                    if found.text.is_empty() {
                        found.before = true;
                    } else {
                        found.after = true;
                    }
                    continue;
                }
                (plain, _) => plain,
            };
            if found.after {
                return Err("has a wildcard * inside a value".into());
            }
            found.text.push(plain);
        }
        Ok(found)
    }
}
