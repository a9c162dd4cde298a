//! Rows of tables: cells with commas or tabs between them, and the header that names the columns.

use std::borrow::Cow;
use std::net::IpAddr;

use super::super::model::{Kind, Match};
use super::super::value::{Refusal, Value};

/// The lines among which a header is looked for.
pub(super) const HEADER_LINES: usize = 32;

/// The lines of `text` that say something, without byte order mark, blanks, and the mark of a comment: a
/// feed's header may stand in a comment.
pub(super) fn saying_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(header_text).filter(|line| !line.is_empty())
}

/// The line without byte order mark, blanks, and the mark of a comment.
pub(super) fn header_text(line: &str) -> &str {
    line.trim_start_matches('\u{feff}').trim().trim_start_matches(['#', ';']).trim()
}

/// A row's cells: separated by commas, quoted where need be (RFC 4180), blanks before a quotation mark
/// allowed. A quotation mark that is never closed reaches to the row's end.
pub(super) fn cells(row: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let text = rest?;
        let start = text.trim_start();
        let Some(quoted) = start.strip_prefix('"') else {
            let (cell, after) =
                text.split_once(',').map_or((text, None), |(cell, after)| (cell, Some(after)));
            rest = after;
            return Some(Cow::Borrowed(cell.trim()));
        };
        let end = end_of_quoted(quoted);
        let (cell, after) = quoted.split_at(end.unwrap_or(quoted.len()));
        rest = after.split_once(',').map(|(_, after)| after);
        Some(if cell.contains('"') { Cow::Owned(cell.replace("\"\"", "\"")) } else { Cow::Borrowed(cell) })
    })
}

/// What a cell says; `None` when it is one of the ways in which feeds write that they do not know.
pub(super) fn stated(cell: &str) -> Option<&str> {
    let cell = cell.trim();
    (!matches!(cell, "" | "-" | "None" | "none" | "null" | "NULL")).then_some(cell)
}

/// The address or else the name that a cell writes; `matching` says how a name is meant.
///
/// # Errors
/// When it is neither, or too much to be listed.
pub(super) fn host(cell: &str, matching: Match) -> Result<Value<'_>, Refusal> {
    match cell.trim().parse::<IpAddr>() {
        Ok(_) => Value::of_kind(Kind::Address, cell, None),
        Err(_) => Value::of_kind(Kind::Domain, cell, Some(matching)),
    }
}

/// The names of the columns, when `line` is a header of which `is_header` holds: lower case, no blanks around.
pub(super) fn header(line: &str, is_header: impl Fn(&[String]) -> bool) -> Option<Vec<String>> {
    let columns: Vec<_> = cells(line).map(|cell| cell.trim().to_ascii_lowercase()).collect();
    is_header(&columns).then_some(columns)
}

/// Where the quotation mark stands that closes `quoted`; two in a row are one of the cell's own.
fn end_of_quoted(quoted: &str) -> Option<usize> {
    let mut marks = quoted.match_indices('"').map(|(at, _)| at).peekable();
    while let Some(at) = marks.next() {
        if marks.next_if_eq(&(at + 1)).is_none() {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_quoted_cells() {
        let split = |row: &'static str| cells(row).map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!(split("a, \"b,\"\"c\"\"\" ,,d"), ["a", "b,\"c\"", "", "d"]);
        assert_eq!(split("\"open, never closed"), ["open, never closed"]);
        assert_eq!(split("\"\"\"\""), ["\""]);
        assert_eq!(split(""), [""]);
    }
}
