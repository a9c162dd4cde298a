//! Text on a terminal: wrapped, aligned, coloured only where that is wanted; numbers and times for people.

use crate::{
    event::text::safe_within,
    time::{Nanos, SECOND, Timestamp},
};

/// How text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to write colours; only for a terminal, and not where `NO_COLOR` is set.
    pub colour: bool,
    /// Columns of a line; at least 40 are used.
    pub width: usize,
}

impl Default for Style {
    /// No colours, 100 columns.
    fn default() -> Self {
        Self { colour: false, width: 100 }
    }
}

/// What a piece of text means, for those who can see colours; the words say it as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Heading,
    Alarm,
    Warning,
}

impl Tone {
    /// The SGR parameters of ECMA-48 that show it.
    const fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Alarm => Some("1;31"),
            Self::Warning => Some("1;33"),
        }
    }
}

/// Lines of text that grow from top to bottom.
#[derive(Debug)]
pub(super) struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    /// The whole text; every line ends in a line feed.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A paragraph: `first` before its first line, as many blanks before the others (at least two), wrapped.
    ///
    /// Lines break at blanks only: a URL that is too long for its line stays in one piece, so that it can
    /// be copied. Only what is ours begins in the first column, so that no text from elsewhere, however it
    /// wraps, looks like a line of ours. `first` and `words` are safe text.
    pub(super) fn paragraph(&mut self, first: &str, words: &str, tone: Tone) {
        let hanging = first.chars().count().max(2);
        let width = self.style.width.max(40).max(hanging + 20);
        let mut line = first.to_owned();
        let mut indent = first.chars().count();
        let mut column = indent;
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if column > indent && column + 1 + length > width {
                self.line(&line, indent, tone);
                line = " ".repeat(hanging);
                (indent, column) = (hanging, hanging);
            }
            if column > indent {
                line.push(' ');
                column += 1;
            }
            line.push_str(word);
            column += length;
        }
        self.line(&line, indent, tone);
    }

    /// One line, of which everything behind the first `indent` characters has the tone.
    fn line(&mut self, line: &str, indent: usize, tone: Tone) {
        let line = line.trim_end();
        let split = line.char_indices().nth(indent).map_or(line.len(), |(at, _)| at);
        let (before, toned) = line.split_at(split);
        self.text.push_str(before);
        match tone.parameters().filter(|_| self.style.colour && !toned.is_empty()) {
            Some(parameters) => {
                self.text.push_str("\x1b[");
                self.text.push_str(parameters);
                self.text.push('m');
                self.text.push_str(toned);
                self.text.push_str("\x1b[0m");
            }
            None => self.text.push_str(toned),
        }
        self.text.push('\n');
    }
}

/// Bytes of one text from the wire or a feed in a summary, which is for reading: events have all of it.
const TEXT: usize = 400;

/// Text from the wire or a feed as it may stand on a terminal.
pub(super) fn shown(text: &str) -> String {
    safe_within(text.as_bytes(), TEXT).into_owned()
}

/// A number with its digits in groups: `1,234,567`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and its noun: `1 packet`, `2 packets`.
pub(super) fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(value), if value == 1 { "" } else { "s" })
}

/// A number of bytes in decimal units, as disks and networks count: `999 B`, `1.2 kB`, `34.5 GB`.
pub(super) fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if value < 1000 {
        return format!("{value} B");
    }
    let mut scaled = value as f64 / 1000.0;
    let mut unit = 0;
    while scaled >= 999.95 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// A time to the second: `2026-03-31 00:25:11`, UTC.
pub(super) fn time(time: Timestamp) -> String {
    let (year, month, day, hour, minute, second) = time.civil();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// A time as it is told beside another one: without the date when that is the same.
pub(super) fn time_after(time_told: Timestamp, before: Timestamp) -> String {
    let (full, earlier) = (time(time_told), time(before));
    match full.rsplit_once(' ') {
        Some((date, time_of_day)) if earlier.starts_with(date) => time_of_day.to_owned(),
        _ => full,
    }
}

/// A span: `0.4 s`, `51 s`, `15 min 3 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn span(span: Nanos) -> String {
    let seconds = span.max(0) / SECOND;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        0..10 => format!("{:.1} s", span.max(0) as f64 / SECOND as f64),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "packet"), "1 packet");
        assert_eq!(counted(0, "packet"), "0 packets");
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 kB");
        assert_eq!(bytes(999_949), "999.9 kB");
        assert_eq!(bytes(999_950), "1.0 MB");
        assert_eq!(bytes(34_512_345_678), "34.5 GB");
        assert_eq!(bytes(u64::MAX), "18.4 EB");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let shown = |seconds| span(seconds * SECOND);
        assert_eq!(span(430_000_000), "0.4 s");
        assert_eq!(span(-1), "0.0 s");
        assert_eq!(shown(51), "51 s");
        assert_eq!(shown(903), "15 min 3 s");
        assert_eq!(shown(7_500), "2 h 5 min");
        assert_eq!(shown(273_600), "3 d 4 h");
    }

    #[test]
    fn a_time_of_the_same_day_needs_no_date() {
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        assert_eq!(time_after(at(86_399), at(0)), "23:59:59");
        assert_eq!(time_after(at(86_400), at(0)), "1970-01-02 00:00:00");
    }

    #[test]
    fn paragraphs_wrap_under_their_first_word_and_keep_long_words_whole() {
        let mut page = Page::new(Style { colour: false, width: 40 });
        let url = format!("http://x.example/{}", "a".repeat(60));
        page.paragraph("  - ", &format!("one two three four five six seven eight {url} nine"), Tone::Alarm);
        assert_eq!(
            page.into_text(),
            format!("  - one two three four five six seven\n    eight\n    {url}\n    nine\n")
        );
    }

    #[test]
    fn colour_surrounds_words_and_not_the_margin() {
        let mut page = Page::new(Style { colour: true, width: 40 });
        page.paragraph("  ", "red", Tone::Alarm);
        page.paragraph("", "plain", Tone::Plain);
        assert_eq!(page.into_text(), "  \x1b[1;31mred\x1b[0m\nplain\n");
    }
}
