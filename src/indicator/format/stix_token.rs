//! The words, marks and values of a STIX pattern.

use std::borrow::Cow;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'p> {
    /// A bracket, a comma, an operator.
    Mark(&'static str),
    /// A keyword, an object's type, a property.
    Word(&'p str),
    /// What stands between quotation marks, without its escapes.
    Text(Cow<'p, str>),
    Number(&'p str),
    /// Bytes or a time: `h'...'`, `b'...'`, `t'...'`.
    Typed,
    End,
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a STIX pattern: {0}")]
pub(super) struct Fault(Cow<'static, str>);

impl Fault {
    /// For that reason.
    pub(super) fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

/// The marks, longer ones before those that they begin with.
const MARKS: [&str; 16] =
    ["==", "!=", "<>", "<=", ">=", "=", "<", ">", "[", "]", "(", ")", ":", ".", ",", "*"];

/// A pattern's tokens, one of which can be looked at before it is taken.
pub(super) struct Tokens<'p> {
    pattern: &'p str,
    /// What comes behind `next`.
    rest: &'p str,
    next: Token<'p>,
    /// Where `next` begins.
    at: usize,
}

impl<'p> Tokens<'p> {
    /// Of `pattern`.
    pub(super) fn new(pattern: &'p str) -> Result<Self, Fault> {
        let mut tokens = Self { pattern, rest: pattern, next: Token::End, at: 0 };
        tokens.advance()?;
        Ok(tokens)
    }

    /// The next token.
    pub(super) fn peek(&self) -> &Token<'p> {
        &self.next
    }

    /// Goes on behind the next token.
    pub(super) fn advance(&mut self) -> Result<(), Fault> {
        let text = self.rest.trim_start();
        self.at = self.pattern.len() - text.len();
        let (token, rest) = self.token(text)?;
        (self.next, self.rest) = (token, rest);
        Ok(())
    }

    /// Takes the next token if it is that mark.
    pub(super) fn take_mark(&mut self, mark: &str) -> Result<bool, Fault> {
        let is_there = matches!(self.next, Token::Mark(next) if next == mark);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    /// The same of a mark that must be there.
    pub(super) fn need_mark(&mut self, mark: &str) -> Result<(), Fault> {
        if self.take_mark(mark)? { Ok(()) } else { Err(self.expected(mark)) }
    }

    /// Takes the next token if it is that keyword, in whatever case.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> Result<bool, Fault> {
        let is_there = matches!(self.next, Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    /// The fault that `what` is not the next token.
    pub(super) fn expected(&self, what: &str) -> Fault {
        let column = self.pattern.get(..self.at).map_or(0, |before| before.chars().count()) + 1;
        Fault(format!("{what} must stand at its character {column}").into())
    }

    fn token(&self, text: &'p str) -> Result<(Token<'p>, &'p str), Fault> {
        if let Some(quoted) = text.strip_prefix('\'') {
            return self.quoted(quoted);
        }
        if let Some(mark) = MARKS.into_iter().find(|mark| text.starts_with(mark)) {
            return Ok((Token::Mark(mark), text.get(mark.len()..).unwrap_or_default()));
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        match word.as_bytes() {
            [] if text.is_empty() => Ok((Token::End, "")),
            [] => Err(self.expected("a word, a mark or a value")),
            [b'0'..=b'9' | b'-' | b'+', ..] => Ok(self.number(text, end)),
            [b't' | b'h' | b'b'] if rest.starts_with('\'') => {
                let (_, rest) = self.quoted(rest.get(1..).unwrap_or_default())?;
                Ok((Token::Typed, rest))
            }
            _ => Ok((Token::Word(word), rest)),
        }
    }

    /// A number, whose digits before a point end at `end`.
    fn number(&self, text: &'p str, end: usize) -> (Token<'p>, &'p str) {
        let fraction = text.get(end..).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at(if digits > 0 { end + 1 + digits } else { end });
        (Token::Number(number), rest)
    }

    /// The text that goes on with `quoted`, behind its first quotation mark. `\'` and `\\` are its only escapes.
    fn quoted(&self, quoted: &'p str) -> Result<(Token<'p>, &'p str), Fault> {
        let mut text = Cow::Borrowed("");
        let mut rest = quoted;
        loop {
            let end = rest.find(['\'', '\\']).ok_or_else(|| self.expected("a text that ends with '"))?;
            let (piece, after) = rest.split_at(end);
            if text.is_empty() {
                text = Cow::Borrowed(piece);
            } else {
                text.to_mut().push_str(piece);
            }
            match *after.as_bytes() {
                [b'\\', escaped @ (b'\'' | b'\\'), ..] => {
                    text.to_mut().push(char::from(escaped));
                    rest = after.get(2..).unwrap_or_default();
                }
                [b'\'', ..] => return Ok((Token::Text(text), after.get(1..).unwrap_or_default())),
                _ => return Err(self.expected("a text with no escapes but \\' and \\\\")),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn all(pattern: &str) -> Result<Vec<Token<'_>>, Fault> {
        let mut tokens = Tokens::new(pattern)?;
        let mut all = Vec::new();
        while *tokens.peek() != Token::End {
            all.push(tokens.peek().clone());
            tokens.advance()?;
        }
        Ok(all)
    }

    #[test]
    fn splits_a_pattern() {
        let text = |text: &'static str| Token::Text(text.into());
        assert_eq!(
            all("[a-b:c_d.'e-f'[*]!=  'g\\'\\\\h'\tOR x:y IN(8.5,-7,t'2026',true)]").unwrap(),
            [
                Token::Mark("["),
                Token::Word("a-b"),
                Token::Mark(":"),
                Token::Word("c_d"),
                Token::Mark("."),
                text("e-f"),
                Token::Mark("["),
                Token::Mark("*"),
                Token::Mark("]"),
                Token::Mark("!="),
                text("g'\\h"),
                Token::Word("OR"),
                Token::Word("x"),
                Token::Mark(":"),
                Token::Word("y"),
                Token::Word("IN"),
                Token::Mark("("),
                Token::Number("8.5"),
                Token::Mark(","),
                Token::Number("-7"),
                Token::Mark(","),
                Token::Typed,
                Token::Mark(","),
                Token::Word("true"),
                Token::Mark(")"),
                Token::Mark("]"),
            ]
        );
        assert_eq!(all("'' 'a'").unwrap(), [text(""), text("a")]);
    }

    #[test]
    fn says_where_it_is_none() {
        for (pattern, reason) in [
            ("[a ; b]", "a word, a mark or a value must stand at its character 4"),
            ("['\u{fc}' = 'open", "a text that ends with ' must stand at its character 8"),
            ("'\\n'", "a text with no escapes but \\' and \\\\ must stand at its character 1"),
        ] {
            assert_eq!(all(pattern).unwrap_err().to_string(), format!("not a STIX pattern: {reason}"));
        }
    }
}
