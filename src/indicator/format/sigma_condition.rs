//! Sigma's conditions, `selection and not 1 of filter_*`, and the alternatives that they come to.
//!
//! | operator, least binding first | meaning |
//! |---|---|
//! | `or`, `and`, `not` | as everywhere |
//! | `1 of PATTERN`, `any of PATTERN` | one of the selections whose names fit; `*` stands for any characters |
//! | `all of PATTERN` | all of them |
//! | `them` | every selection whose name does not begin with `_` |

use std::borrow::Cow;

/// Alternatives of one rule; with more, it is not taken.
const ALTERNATIVES: usize = 32;
/// Conditions of one alternative.
const LITERALS: usize = 64;
/// Words and parentheses of one condition.
const TOKENS: usize = 512;

/// An expression over leaves, which are conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// The condition of that number.
    Leaf(usize),
    /// The selection of that number.
    Selection(usize),
    /// The contrary.
    Not(Box<Expression>),
    /// All of them; of none, always.
    All(Vec<Expression>),
    /// One of them; of none, never.
    Any(Vec<Expression>),
}

/// A leaf, and whether it must not hold.
pub(super) type Literal = (usize, bool);

/// Parses `condition` over selections of these names.
///
/// # Errors
/// When it is not understood, in a few words.
pub(super) fn parse(condition: &str, names: &[&str]) -> Result<Expression, Cow<'static, str>> {
    if condition.contains('|') {
        return Err("counts or correlates events over time".into());
    }
    let spaced = condition.replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().take(TOKENS + 1).collect();
    if tokens.len() > TOKENS {
        return Err("its condition is too long".into());
    }
    let mut parser = Parser { tokens: &tokens, names };
    let expression = parser.any()?;
    match parser.tokens {
        [] => Ok(expression),
        [token, ..] => Err(format!("its condition is not understood at {token:?}").into()),
    }
}

/// The alternatives of `expression`: one of them must hold, each of which is a list of leaves that must hold, or
/// must not.
///
/// # Errors
/// When there are too many.
pub(super) fn alternatives(
    expression: &Expression,
    selections: &[Expression],
) -> Result<Vec<Vec<Literal>>, &'static str> {
    Normal { selections }.of(expression, false)
}

struct Parser<'t, 'n> {
    tokens: &'t [&'t str],
    names: &'n [&'n str],
}

impl Parser<'_, '_> {
    fn any(&mut self) -> Result<Expression, Cow<'static, str>> {
        let mut parts = vec![self.all()?];
        while self.take("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Cow<'static, str>> {
        let mut parts = vec![self.one()?];
        while self.take("and") {
            parts.push(self.one()?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn one(&mut self) -> Result<Expression, Cow<'static, str>> {
        if self.take("not") {
            return Ok(Expression::Not(Box::new(self.one()?)));
        }
        if self.take("(") {
            let inner = self.any()?;
            return if self.take(")") { Ok(inner) } else { Err("its condition lacks a )".into()) };
        }
        match self.tokens {
            [count, of, pattern, rest @ ..] if of.eq_ignore_ascii_case("of") => {
                self.tokens = rest;
                let fitting = self.fitting(pattern)?;
                match count.to_ascii_lowercase().as_str() {
                    "1" | "any" => Ok(Expression::Any(fitting)),
                    "all" => Ok(Expression::All(fitting)),
                    _ => Err(format!("counts selections ({count} of)").into()),
                }
            }
            [name, rest @ ..] => {
                let place = self.names.iter().position(|known| known == name);
                self.tokens = rest;
                place
                    .map(Expression::Selection)
                    .ok_or_else(|| format!("there is no selection {name:?}").into())
            }
            [] => Err("its condition ends too soon".into()),
        }
    }

    /// The selections whose names fit.
    fn fitting(&self, pattern: &str) -> Result<Vec<Expression>, Cow<'static, str>> {
        let fits = |name: &str| match pattern {
            "them" => !name.starts_with('_'),
            _ => wildcard(pattern, name),
        };
        let names = self.names.iter().enumerate().filter(|(_, name)| fits(name));
        let fitting: Vec<_> = names.map(|(place, _)| Expression::Selection(place)).collect();
        if fitting.is_empty() { Err(format!("no selection fits {pattern:?}").into()) } else { Ok(fitting) }
    }

    fn take(&mut self, word: &str) -> bool {
        match self.tokens {
            [token, rest @ ..] if token.eq_ignore_ascii_case(word) => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => many(parts),
    }
}

/// Whether `name` fits `pattern`, in which `*` stands for any characters.
fn wildcard(pattern: &str, name: &str) -> bool {
    let Some((first, pattern)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let (inner, last) = pattern.rsplit_once('*').unwrap_or(("", pattern));
    for piece in inner.split('*') {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Makes the disjunctive normal form.
struct Normal<'s> {
    selections: &'s [Expression],
}

impl Normal<'_> {
    fn of(&self, expression: &Expression, negated: bool) -> Result<Vec<Vec<Literal>>, &'static str> {
        match expression {
            Expression::Leaf(leaf) => Ok(vec![vec![(*leaf, negated)]]),
            Expression::Selection(place) => match self.selections.get(*place) {
                Some(selection) => self.of(selection, negated),
                None => Ok(Vec::new()),
            },
            Expression::Not(inner) => self.of(inner, !negated),
            Expression::All(parts) if negated => self.union(parts, negated),
            Expression::Any(parts) if !negated => self.union(parts, negated),
            Expression::All(parts) | Expression::Any(parts) => self.product(parts, negated),
        }
    }

    fn union(&self, parts: &[Expression], negated: bool) -> Result<Vec<Vec<Literal>>, &'static str> {
        let mut all = Vec::new();
        for part in parts {
            for alternative in self.of(part, negated)? {
                if !all.contains(&alternative) {
                    all.push(alternative);
                }
            }
            if all.len() > ALTERNATIVES {
                return Err("has too many alternatives");
            }
        }
        Ok(all)
    }

    fn product(&self, parts: &[Expression], negated: bool) -> Result<Vec<Vec<Literal>>, &'static str> {
        let mut all = vec![Vec::new()];
        for part in parts {
            let more = self.of(part, negated)?;
            if all.len() * more.len() > ALTERNATIVES {
                return Err("has too many alternatives");
            }
            let mut next = Vec::with_capacity(all.len() * more.len());
            for alternative in &all {
                for literals in &more {
                    let mut joined: Vec<Literal> = alternative.clone();
                    joined.extend(literals.iter().filter(|literal| !alternative.contains(literal)));
                    if joined.len() > LITERALS {
                        return Err("has too many conditions");
                    }
                    next.push(joined);
                }
            }
            all = next;
        }
        Ok(all)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NAMES: [&str; 6] =
        ["selection", "selection_a", "selection_b", "filter_main_a", "filter_main_b", "_hidden"];

    /// The alternatives, each selection being one leaf of its own number.
    fn told(condition: &str) -> Result<String, String> {
        let selections: Vec<_> = (0..NAMES.len()).map(Expression::Leaf).collect();
        let expression = parse(condition, &NAMES).map_err(Cow::into_owned)?;
        let alternatives = alternatives(&expression, &selections)?;
        let literal = |&(leaf, negated): &Literal| format!("{}{leaf}", if negated { "-" } else { "" });
        let alternative =
            |literals: &Vec<Literal>| literals.iter().map(literal).collect::<Vec<_>>().join("&");
        Ok(alternatives.iter().map(alternative).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn conditions_come_to_alternatives() {
        for (condition, alternatives) in [
            ("selection", "0"),
            ("selection and not filter_main_a", "0&-3"),
            ("selection_a or selection_b and not 1 of filter_main_*", "1 2&-3&-4"),
            ("1 of selection_*", "1 2"),
            ("any of selection*", "0 1 2"),
            ("all of selection*", "0&1&2"),
            ("1 of them", "0 1 2 3 4"),
            ("selection AND NOT all of filter_*", "0&-3 0&-4"),
            ("(selection or selection_a) and (selection_b or selection)", "0&2 0 1&2 1&0"),
            ("not (selection or not selection_a)", "-0&1"),
            ("_hidden and 1 of *_b", "5&2 5&4"),
            ("((selection))", "0"),
        ] {
            assert_eq!(told(condition).as_deref(), Ok(alternatives), "{condition}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (condition, reason) in [
            ("", "its condition ends too soon"),
            ("selection and", "its condition ends too soon"),
            ("(selection", "its condition lacks a )"),
            ("selection)", "its condition is not understood at \")\""),
            ("selection selection_a", "its condition is not understood at \"selection_a\""),
            ("nothing", "there is no selection \"nothing\""),
            ("1 of nothing*", "no selection fits \"nothing*\""),
            ("2 of selection*", "counts selections (2 of)"),
            ("selection | count() by src_ip > 10", "counts or correlates events over time"),
        ] {
            assert_eq!(told(condition).unwrap_err(), reason, "{condition}");
        }
    }

    #[test]
    fn growth_is_bounded() {
        let names: Vec<String> = (0..64).map(|n| format!("s{n}")).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let selections: Vec<_> =
            (0..64).map(|n| Expression::Any(vec![Expression::Leaf(n), Expression::Leaf(n + 64)])).collect();
        for condition in ["all of s*", "1 of s*"] {
            let expression = parse(condition, &names).unwrap();
            assert_eq!(
                alternatives(&expression, &selections),
                Err("has too many alternatives"),
                "{condition}"
            );
        }
        assert!(parse(&"( ".repeat(100_000), &names).is_err());
        assert!(parse(&"not ".repeat(500), &names).is_err());
        let long = "s1 and ".repeat(250) + "s1";
        assert!(parse(&long, &names).is_ok());
    }
}
