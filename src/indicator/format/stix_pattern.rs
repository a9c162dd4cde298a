//! The patterns of STIX 2.1 indicators (section 9 of the standard), as far as they say something plain.
//!
//! A pattern is taken apart into **alternatives**, any of which is enough: those of `OR`, inside one pair of
//! brackets and between pairs, and of `IN (...)`. Each alternative has a fate of its own: it is an
//! observable that the wire shows, or it is skipped with a reason.
//!
//! ```text
//! [domain-name:value = 'a.example']             [ipv4-addr:value ISSUBSET '198.51.100.0/24']
//! [url:value IN ('http://a.example/x', ...)]    [x509-certificate:hashes.'SHA-256' = '...']
//! [network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.7'
//!      AND network-traffic:dst_port = 8000]
//! [network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = '...']
//! ```
//!
//! What compares otherwise (`LIKE`, `MATCHES`, `!=`, `NOT` ...), what takes several observations (`AND` between
//! brackets, `FOLLOWEDBY`, `WITHIN`, `REPEATS`), and `AND` of anything but the ends of one connection is
//! skipped: half of a condition would accuse the wrong ones.

use super::stix_observable::{
    Alternative, Conjunction, MOST_COMBINATIONS, Operator, Proposition, Skip, Value, meaning,
};
use super::stix_token::{Fault, Token, Tokens};

/// The alternatives of `pattern`.
///
/// # Errors
/// When it is no pattern.
pub(super) fn alternatives(pattern: &str) -> Result<Vec<Alternative<'_>>, Fault> {
    let mut parser = Parser { tokens: Tokens::new(pattern)?, depth: 0 };
    let alternatives = parser.observations()?;
    match parser.tokens.peek() {
        Token::End => Ok(alternatives),
        _ => Err(parser.tokens.expected("the end of the pattern")),
    }
}

/// Brackets inside one another that are followed.
const DEEPEST: usize = 32;

struct Parser<'p> {
    tokens: Tokens<'p>,
    depth: usize,
}

impl<'p> Parser<'p> {
    /// Observations with `FOLLOWEDBY` between them.
    fn observations(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = self.either()?;
        while self.tokens.take_keyword("FOLLOWEDBY")? {
            self.either()?;
            all = vec![Err(Skip::unread("FOLLOWEDBY between observations"))];
        }
        Ok(all)
    }

    fn either(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = self.both()?;
        while self.tokens.take_keyword("OR")? {
            all.append(&mut self.both()?);
        }
        Ok(all)
    }

    fn both(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = self.observation()?;
        while self.tokens.take_keyword("AND")? {
            self.observation()?;
            all = vec![Err(Skip::unread("AND between observations"))];
        }
        Ok(all)
    }

    /// What stands in brackets or parentheses, with its qualifiers.
    fn observation(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = if self.tokens.take_mark("[")? {
            let conjunctions = self.deeper(Self::comparisons)?;
            self.tokens.need_mark("]")?;
            conjunctions.into_iter().flat_map(meaning).collect()
        } else if self.tokens.take_mark("(")? {
            let all = self.deeper(Self::observations)?;
            self.tokens.need_mark(")")?;
            all
        } else {
            return Err(self.tokens.expected("["));
        };
        while let Some(qualifier) = self.qualifier()? {
            all = vec![Err(Skip::unread(qualifier))];
        }
        Ok(all)
    }

    fn qualifier(&mut self) -> Result<Option<&'static str>, Fault> {
        let (name, words): (_, &[&str]) = if self.tokens.take_keyword("WITHIN")? {
            ("WITHIN", &["SECONDS"])
        } else if self.tokens.take_keyword("REPEATS")? {
            ("REPEATS", &["TIMES"])
        } else if self.tokens.take_keyword("START")? {
            ("START ... STOP", &["STOP", ""])
        } else {
            return Ok(None);
        };
        for word in words {
            self.value()?;
            if !word.is_empty() && !self.tokens.take_keyword(word)? {
                return Err(self.tokens.expected(word));
            }
        }
        Ok(Some(name))
    }

    fn comparisons(&mut self) -> Result<Vec<Conjunction<'p>>, Fault> {
        let mut all = self.conjunctions()?;
        while self.tokens.take_keyword("OR")? {
            all.append(&mut self.conjunctions()?);
        }
        Ok(all)
    }

    /// Comparisons with `AND` between them: every way of choosing one of each operand's.
    fn conjunctions(&mut self) -> Result<Vec<Conjunction<'p>>, Fault> {
        let mut all = self.comparison()?;
        while self.tokens.take_keyword("AND")? {
            let further = self.comparison()?;
            if all.len().saturating_mul(further.len()) > MOST_COMBINATIONS {
                return Err(Fault::new("AND and OR stand for more than 1024 combinations"));
            }
            let join = |one: &Conjunction<'p>| {
                let one = one.clone();
                further.iter().map(move |other| [one.as_slice(), other].concat())
            };
            all = all.iter().flat_map(join).collect();
        }
        Ok(all)
    }

    fn comparison(&mut self) -> Result<Vec<Conjunction<'p>>, Fault> {
        if self.tokens.take_mark("(")? {
            let all = self.deeper(Self::comparisons)?;
            self.tokens.need_mark(")")?;
            return Ok(all);
        }
        let exists = self.tokens.take_keyword("EXISTS")?;
        let (object, path) = self.path()?;
        let (operator, values) =
            if exists { (Operator::Other("EXISTS"), Vec::new()) } else { self.operation()? };
        Ok(vec![vec![Proposition { object, path, operator, values }]])
    }

    /// `network-traffic:dst_ref.value`.
    fn path(&mut self) -> Result<(&'p str, String), Fault> {
        let Token::Word(object) = self.tokens.peek().clone() else {
            return Err(self.tokens.expected("an object's type"));
        };
        self.tokens.advance()?;
        self.tokens.need_mark(":")?;
        let mut path = String::new();
        loop {
            match self.tokens.peek() {
                Token::Word(name) => path.push_str(name),
                Token::Text(name) => path.push_str(name),
                _ => return Err(self.tokens.expected("a property")),
            }
            self.tokens.advance()?;
            while self.tokens.take_mark("[")? {
                if !self.tokens.take_mark("*")? {
                    self.value()?;
                }
                self.tokens.need_mark("]")?;
                path.push_str("[]");
            }
            if !self.tokens.take_mark(".")? {
                return Ok((object, path));
            }
            path.push('.');
        }
    }

    fn operation(&mut self) -> Result<(Operator, Vec<Value<'p>>), Fault> {
        let negated = self.tokens.take_keyword("NOT")?;
        let operator = match self.tokens.peek().clone() {
            Token::Mark("=" | "==") => Operator::Is,
            Token::Mark(mark) if ["!=", "<>", "<", ">", "<=", ">="].contains(&mark) => Operator::Other(mark),
            Token::Word(word) => {
                const NAMES: [(&str, Operator); 5] = [
                    ("IN", Operator::Is),
                    ("ISSUBSET", Operator::Within),
                    ("ISSUPERSET", Operator::Other("ISSUPERSET")),
                    ("LIKE", Operator::Other("LIKE")),
                    ("MATCHES", Operator::Other("MATCHES")),
                ];
                let known = NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
                known.ok_or_else(|| self.tokens.expected("an operator"))?.1
            }
            _ => return Err(self.tokens.expected("an operator")),
        };
        let lists = matches!(self.tokens.peek(), Token::Word(word) if word.eq_ignore_ascii_case("IN"));
        self.tokens.advance()?;
        let values = if lists { self.set()? } else { vec![self.value()?] };
        Ok((if negated { Operator::Other("NOT") } else { operator }, values))
    }

    fn set(&mut self) -> Result<Vec<Value<'p>>, Fault> {
        let mut values = Vec::new();
        self.tokens.need_mark("(")?;
        while !self.tokens.take_mark(")")? {
            if !values.is_empty() {
                self.tokens.need_mark(",")?;
            }
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<Value<'p>, Fault> {
        let value = match self.tokens.peek().clone() {
            Token::Text(text) => Value::Text(text),
            Token::Number(number) => Value::Number(number),
            Token::Typed => Value::Other,
            Token::Word(word) if ["true", "false"].iter().any(|truth| truth.eq_ignore_ascii_case(word)) => {
                Value::Other
            }
            _ => return Err(self.tokens.expected("a value")),
        };
        self.tokens.advance()?;
        Ok(value)
    }

    fn deeper<T>(&mut self, inside: fn(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault::new("more than 32 brackets stand inside one another"));
        }
        let inside = inside(self);
        self.depth -= 1;
        inside
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "stix_pattern_tests.rs"]
mod tests;
