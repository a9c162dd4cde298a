//! YAML documents as trees with the line of every node.
//!
//! What makes YAML dangerous is left out: an alias, by which a short text may mean a very long one, is a fault
//! of its document, and so is nesting deeper than rules need. A fault of one document leaves the others whole.

use std::borrow::Cow;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput};

use super::super::document::Fault;

/// How deep collections may stand in each other.
const DEPTH: usize = 32;

/// A value, and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node<'t> {
    /// Line, from 1.
    pub line: u32,
    /// What stands there.
    pub content: Content<'t>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content<'t> {
    /// Nothing, `null` or `~`.
    Null,
    /// A text, a number, a date: as it is written.
    Scalar(Cow<'t, str>),
    /// Items.
    List(Vec<Node<'t>>),
    /// Keys and values, in their order.
    Map(Vec<(Node<'t>, Node<'t>)>),
}

impl<'t> Node<'t> {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The value under `key`, where this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The keys and values of a map; of anything else none.
    pub(super) fn entries(&self) -> &[(Self, Self)] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; anything else is one item, and nothing is none.
    pub(super) fn items(&self) -> &[Self] {
        match &self.content {
            Content::Null => &[],
            Content::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The texts of a list or of one scalar; what is no text is left out.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(Self::text)
    }
}

/// The documents of a text, each as a tree, or what is wrong with it.
pub(super) struct Documents<'t> {
    parser: Parser<'t, StrInput<'t>>,
    is_over: bool,
}

impl<'t> Documents<'t> {
    /// Of `text`.
    pub(super) fn new(text: &'t str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        Self { parser: Parser::new_from_str_with_options(text, options()), is_over: false }
    }

    /// Reads on to the end of a document that has begun.
    fn read(&mut self) -> Result<Option<Node<'t>>, Fault> {
        let mut tree = Tree::default();
        loop {
            match self.parser.next() {
                None => {
                    self.is_over = true;
                    return Ok(None);
                }
                Some(Ok((Event::DocumentEnd, _))) => return tree.finish(),
                Some(Ok((event, span))) => tree.add(event, span),
                Some(Err(error)) => {
                    // What follows `---` is another document, and may be in order.
                    self.is_over = !matches!(self.parser.proceed_next_document(), Ok(true));
                    let reason = format!("not YAML: {}", error.info());
                    return Err(Fault { line: line(error.marker().line()), reason });
                }
            }
        }
    }
}

impl<'t> Iterator for Documents<'t> {
    type Item = Result<Node<'t>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            if let Some(document) = self.read().transpose() {
                return Some(document);
            }
        }
        None
    }
}

fn options() -> Options {
    granit_parser::options! {
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    }
}

fn line(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

/// A tree that is growing.
#[derive(Default)]
struct Tree<'t> {
    root: Option<Node<'t>>,
    /// The collections that are open, outermost first.
    open: Vec<Node<'t>>,
    /// Keys of the open maps that wait for their values.
    keys: Vec<Option<Node<'t>>>,
    fault: Option<Fault>,
}

impl<'t> Tree<'t> {
    fn add(&mut self, event: Event<'t>, span: Span) {
        let line = line(span.start.line());
        match event {
            Event::Scalar(text, style, ..) => {
                let is_null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                self.close(Node {
                    line,
                    content: if is_null { Content::Null } else { Content::Scalar(text) },
                });
            }
            Event::SequenceStart(..) => self.begin(Node { line, content: Content::List(Vec::new()) }),
            Event::MappingStart(..) => self.begin(Node { line, content: Content::Map(Vec::new()) }),
            Event::SequenceEnd | Event::MappingEnd => {
                self.keys.pop();
                if let Some(node) = self.open.pop() {
                    self.close(node);
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let reason = "uses a YAML alias: write the value out".to_owned();
                self.fault.get_or_insert(Fault { line, reason });
                self.close(Node { line, content: Content::Null });
            }
            _ => {}
        }
    }

    fn begin(&mut self, node: Node<'t>) {
        self.open.push(node);
        self.keys.push(None);
    }

    /// Puts a complete node where it belongs.
    fn close(&mut self, node: Node<'t>) {
        let (Some(parent), Some(key)) = (self.open.last_mut(), self.keys.last_mut()) else {
            self.root = Some(node);
            return;
        };
        match &mut parent.content {
            Content::List(items) => items.push(node),
            Content::Map(entries) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
            Content::Null | Content::Scalar(_) => {}
        }
    }

    fn finish(self) -> Result<Option<Node<'t>>, Fault> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.root),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Node<'_>, Fault>> {
        Documents::new(text).collect()
    }

    #[test]
    fn reads_documents_with_lines() {
        let text = "\u{feff}# a remark\r\ntitle: 'it''s'\r\nlist:\r\n  - a\r\n  - \"b\\x41\"\r\nmore: {x: [1, 2], y: null}\r\n\
            ---\r\ntext: >\r\n  one\r\n  two\r\n---\r\n";
        let documents = read(text);
        let first = documents[0].as_ref().unwrap();
        assert_eq!(first.get("title").unwrap().text(), Some("it's"));
        let list = first.get("list").unwrap();
        assert_eq!(list.texts().collect::<Vec<_>>(), ["a", "bA"]);
        assert_eq!(list.items().iter().map(|item| item.line).collect::<Vec<_>>(), [4, 5]);
        let more = first.get("more").unwrap();
        assert_eq!(
            (more.get("x").unwrap().items().len(), &more.get("y").unwrap().content),
            (2, &Content::Null)
        );
        let second = documents[1].as_ref().unwrap();
        assert_eq!(second.get("text").unwrap().text(), Some("one two\n"));
        assert_eq!(second.entries()[0].0.line, 8);
        assert!(read("").is_empty() && read("# nothing\n").is_empty());
    }

    #[test]
    fn a_fault_of_one_document_leaves_the_others() {
        let text = "a: 1\n---\nb: [1\n---\nc: &x 2\nd: *x\n---\ne: 3\n";
        let documents = read(text);
        let told: Vec<_> = documents
            .iter()
            .map(|document| match document {
                Ok(node) => node.entries()[0].0.text().unwrap().to_owned(),
                Err(fault) => format!("{}: {}", fault.line, fault.reason.split(':').next().unwrap()),
            })
            .collect();
        assert_eq!(told, ["a", "3: not YAML", "6: uses a YAML alias", "e"]);
    }

    #[test]
    fn hostile_texts_end_soon() {
        let laughs =
            format!("a: &a [x]\n{}", (0..40).map(|n| format!("b{n}: &b{n} [*a,*a]\n")).collect::<String>());
        for text in [
            "[".repeat(200_000),
            "- ".repeat(200_000),
            "? ".repeat(200_000),
            "{a: ".repeat(200_000),
            "---\n[\n".repeat(20_000),
            laughs,
            format!("a: {}", "&a ".repeat(50_000)),
        ] {
            assert!(read(&text).iter().any(Result::is_err));
        }
        assert!(read(&"- a\n".repeat(200_000))[0].as_ref().unwrap().items().len() == 200_000);
    }
}
