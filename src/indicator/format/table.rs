//! Tables under a header, as most feeds are: a reader asks for a row's cells by the names of their columns.
//!
//! The header may be a comment, and stand below a banner of comments. Rows may have fewer cells than the
//! header has columns, as older exports of a feed do.

use std::borrow::Cow;

use super::super::instant::{Edge, parse_time};
use super::row::{self, cells, header_text, stated};
use super::{Feed, Head};
use crate::time::Timestamp;

/// A table whose header `is_header` knows by the names of its columns, in lower case.
pub(super) struct Table {
    is_header: fn(&[String]) -> bool,
    columns: Vec<String>,
}

/// One row.
pub(super) struct Row<'r> {
    /// The row as it stands in its file.
    pub text: &'r str,
    columns: &'r [String],
    cells: Vec<Cow<'r, str>>,
}

impl Table {
    /// A table of which nothing has been read yet.
    pub(super) const fn new(is_header: fn(&[String]) -> bool) -> Self {
        Self { is_header, columns: Vec::new() }
    }

    /// Whether one of the first lines of a file is such a header.
    pub(super) fn begins_in(head: &Head<'_>, is_header: fn(&[String]) -> bool) -> bool {
        head.lines().any(|line| row::header(line, is_header).is_some())
    }

    /// The row in `line`; `None` where there is none, and when it stands before the header, which is told.
    pub(super) fn row<'r>(&'r mut self, number: u32, line: &'r str, feed: &mut Feed<'_>) -> Option<Row<'r>> {
        let text = line.trim_start_matches('\u{feff}').trim();
        let is_comment = text.starts_with('#');
        if (is_comment || self.columns.is_empty())
            && let Some(columns) = row::header(header_text(text), self.is_header)
        {
            self.columns = columns;
            return None;
        }
        if is_comment || text.is_empty() {
            return None;
        }
        if self.columns.is_empty() {
            feed.reject(number, text, "stands before the line that names the columns");
            return None;
        }
        Some(Row { text, columns: &self.columns, cells: cells(text).collect() })
    }
}

impl Row<'_> {
    /// What stands in the column of that name; `None` when there is no such column or it says nothing.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        let place = self.columns.iter().position(|one| one == column)?;
        self.cells.get(place).and_then(|cell| stated(cell))
    }

    /// The same of what must be there.
    ///
    /// # Errors
    /// Says which column is empty.
    pub(super) fn required(&self, column: &str) -> Result<&str, String> {
        self.get(column).ok_or_else(|| format!("has no {column}"))
    }

    /// Whether there is a column of that name at all.
    pub(super) fn has_column(&self, column: &str) -> bool {
        self.columns.iter().any(|one| one == column)
    }

    /// The address and the port that stand in two columns, as one value.
    ///
    /// # Errors
    /// When one of them is empty.
    pub(super) fn address_port(&self, address: &str, port: &str) -> Result<String, String> {
        let (address, port) = (self.required(address)?, self.required(port)?);
        Ok(at_port(address, port))
    }

    /// The date or time in that column, if there is one.
    ///
    /// # Errors
    /// When something else stands there.
    pub(super) fn date(&self, column: &str) -> Result<Option<Timestamp>, String> {
        let read = |cell| parse_time(cell, Edge::Start).ok_or_else(|| format!("{cell:?} is no date or time"));
        self.get(column).map(read).transpose()
    }
}

/// An address at a port as one value.
pub(super) fn at_port(address: &str, port: &str) -> String {
    if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::Loader;
    use super::super::super::load_report::SourceReport;
    use super::super::{Format, Parts};
    use super::*;

    fn is_header(columns: &[String]) -> bool {
        columns.iter().any(|column| column == "url")
    }

    #[test]
    fn reads_rows_under_a_header_that_may_be_a_comment() {
        let mut loader = Loader::default();
        let mut feed = Feed::new(&mut loader, SourceReport::new("a.csv".into(), Format::Urlhaus), Parts::All);
        let mut table = Table::new(is_header);
        assert!(table.row(1, "\u{feff}# a banner\r", &mut feed).is_none());
        assert!(table.row(2, "early,row", &mut feed).is_none());
        assert!(table.row(3, "# id, \"URL\" ,seen", &mut feed).is_none());
        let row = table.row(4, "\"1\", \"a, b\", \"2026-01-02 03:04:05\", more\r", &mut feed).unwrap();
        assert_eq!((row.get("id"), row.get("url"), row.get("none")), (Some("1"), Some("a, b"), None));
        assert_eq!(row.date("seen").unwrap().unwrap().rfc3339(), "2026-01-02T03:04:05.000000Z");
        let row = table.row(5, "2,None", &mut feed).unwrap();
        assert_eq!((row.get("url"), row.date("seen")), (None, Ok(None)));
        assert!(row.required("url").is_err());
        let row = table.row(6, "3,x,soon", &mut feed).unwrap();
        assert!(row.date("seen").is_err());
        // Two files in one: the second header counts from there on.
        assert!(table.row(7, "# url,id", &mut feed).is_none());
        assert_eq!(table.row(8, "x,4", &mut feed).unwrap().get("id"), Some("4"));
        assert_eq!((feed.report.rejected_count, feed.report.rejected[0].line), (1, 2));
    }
}
