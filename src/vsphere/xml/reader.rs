//! Reads XML from a server that need not be a friend: namespaces are resolved, document types and entities
//! are refused, depth and what is kept are bounded.

use std::io::{self, BufRead, Read};

use quick_xml::errors::{Error as QuickError, IllFormedError, SyntaxError};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::node::Node;

const INSTANCE: Namespace<'static> = Namespace("http://www.w3.org/2001/XMLSchema-instance");

/// How much of an answer is kept at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Elements within each other.
    pub(crate) depth: usize,
    /// Elements kept at one time.
    pub(crate) nodes: usize,
    /// Bytes of names and text kept at one time.
    pub(crate) text: usize,
}

impl Limits {
    /// Far above anything that a server sends, and below what hurts.
    pub(crate) const USUAL: Limits = Limits { depth: 64, nodes: 300_000, text: 24 << 20 };
}

/// Elements that are handed out one by one instead of being kept: those of this name at this depth, where
/// the envelope is at 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamAt {
    /// How deep they lie.
    pub(crate) depth: usize,
    /// What they are called.
    pub(crate) name: &'static str,
}

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    /// The connection ended, or broke, before the answer did.
    #[error("the answer ended too early")]
    Cut(#[source] Option<io::Error>),
    /// It is larger than anything that is expected.
    #[error("the answer is larger than allowed: {0}")]
    TooLarge(&'static str),
    /// It has a document type or an entity of its own, which no vSphere server sends.
    #[error("the answer has {0}, which is refused")]
    Forbidden(&'static str),
    /// It is no XML.
    #[error("the answer is no XML: {0}")]
    Malformed(String),
}

/// Reads one document and returns its root. Each element at `stream` goes to `each` and is not in the result.
pub(crate) fn parse(
    input: impl BufRead,
    limits: Limits,
    stream: Option<StreamAt>,
    mut each: impl FnMut(Node),
) -> Result<Node, XmlError> {
    let mut reader = NsReader::from_reader(Bounded { inner: input, since_event: 0, limit: limits.text });
    let mut open: Vec<Node> = Vec::new();
    let mut kept = Kept::default();
    // What was kept before the element that is being handed out began.
    let mut before = kept;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        reader.get_mut().since_event = 0;
        let event = reader.read_event_into(&mut buffer).map_err(unreadable)?;
        match event {
            Event::Start(_) | Event::Empty(_) => {
                let (Event::Start(ref tag) | Event::Empty(ref tag)) = event else { continue };
                if open.len() >= limits.depth {
                    return Err(XmlError::TooLarge("too many elements within each other"));
                }
                let node = element(&reader, tag)?;
                if stream.is_some_and(|at| at.depth == open.len() + 1 && at.name == &*node.name) {
                    before = kept;
                }
                kept.nodes += 1;
                kept.text += node.name.len() + node.xsi_type.as_deref().map_or(0, str::len);
                kept.check(limits)?;
                open.push(node);
                if matches!(event, Event::Empty(_))
                    && let Some(root) = close(&mut open, stream, &mut each, &mut kept, before)
                {
                    return Ok(root);
                }
            }
            Event::End(_) => {
                if let Some(root) = close(&mut open, stream, &mut each, &mut kept, before) {
                    return Ok(root);
                }
            }
            Event::Text(text) => append(&mut open, &text.xml10_content(), &mut kept, limits)?,
            Event::CData(text) => append(&mut open, &text.xml10_content(), &mut kept, limits)?,
            Event::GeneralRef(name) => {
                let character = match &*name {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => name
                        .resolve_char_ref()
                        .map_err(|error| XmlError::Malformed(error.to_string()))?
                        .ok_or(XmlError::Forbidden("an entity of its own"))?,
                };
                append(&mut open, character.encode_utf8(&mut [0; 4]), &mut kept, limits)?;
            }
            Event::DocType(_) => return Err(XmlError::Forbidden("a document type")),
            Event::Eof => return Err(XmlError::Cut(None)),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Kept {
    nodes: usize,
    text: usize,
}

impl Kept {
    fn check(self, limits: Limits) -> Result<(), XmlError> {
        if self.nodes > limits.nodes {
            return Err(XmlError::TooLarge("too many elements"));
        }
        if self.text > limits.text {
            return Err(XmlError::TooLarge("too much text"));
        }
        Ok(())
    }
}

fn close(
    open: &mut Vec<Node>,
    stream: Option<StreamAt>,
    each: &mut impl FnMut(Node),
    kept: &mut Kept,
    before: Kept,
) -> Option<Node> {
    let depth = open.len();
    let mut node = open.pop()?;
    if !node.children.is_empty() {
        // Blanks between elements.
        node.text = String::new();
    }
    if stream.is_some_and(|at| at.depth == depth && at.name == &*node.name) {
        each(node);
        *kept = before;
        return None;
    }
    match open.last_mut() {
        Some(parent) => {
            parent.children.push(node);
            None
        }
        None => Some(node),
    }
}

fn append(open: &mut [Node], text: &str, kept: &mut Kept, limits: Limits) -> Result<(), XmlError> {
    let Some(node) = open.last_mut() else { return Ok(()) };
    kept.text += text.len();
    kept.check(limits)?;
    node.text.push_str(text);
    Ok(())
}

fn element<R>(reader: &NsReader<R>, tag: &BytesStart<'_>) -> Result<Node, XmlError> {
    let mut node = Node { name: tag.local_name().into_inner().into(), ..Node::default() };
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| XmlError::Malformed(error.to_string()))?;
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        if local.into_inner() != "type" {
            continue;
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| XmlError::Malformed(error.to_string()))?;
        match namespace {
            ResolveResult::Bound(bound) if bound == INSTANCE => {
                // A qualified name: only what it is called matters, all types are vSphere's or the schema's.
                node.xsi_type = Some(value.rsplit(':').next().unwrap_or_default().into());
            }
            ResolveResult::Unbound => node.ref_type = Some(value.into()),
            ResolveResult::Bound(_) | ResolveResult::Unknown(_) => {}
        }
    }
    Ok(node)
}

fn unreadable(error: QuickError) -> XmlError {
    match error {
        QuickError::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => {
            XmlError::TooLarge("one piece of it has too many bytes")
        }
        QuickError::Io(source) => XmlError::Cut(Some(io::Error::new(source.kind(), source.to_string()))),
        QuickError::Syntax(SyntaxError::InvalidBangMarkup) => {
            XmlError::Malformed("something begins with <! that is neither comment nor text".to_owned())
        }
        QuickError::Syntax(_) | QuickError::IllFormed(IllFormedError::MissingEndTag(_)) => {
            XmlError::Cut(None)
        }
        other => XmlError::Malformed(other.to_string()),
    }
}

/// Lets no single tag or piece of text grow without bound, which the parser would keep as a whole.
struct Bounded<R> {
    inner: R,
    since_event: usize,
    limit: usize,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.since_event += read;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since_event > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.since_event += amount;
        self.inner.consume(amount);
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
