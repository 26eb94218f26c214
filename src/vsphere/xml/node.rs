//! One element of an answer, with ways to ask it that never fail on what is missing or unknown.

use std::str::FromStr;

use crate::domain::moref::ManagedRef;

/// An element: its local name, its type, its text or its children. Namespaces were resolved on reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    pub(super) name: Box<str>,
    pub(super) xsi_type: Option<Box<str>>,
    pub(super) ref_type: Option<Box<str>>,
    pub(super) text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// Its name without namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type it says it is (`xsi:type`, however that was prefixed), without namespace; empty if it says none.
    pub fn kind(&self) -> &str {
        self.xsi_type.as_deref().unwrap_or_default()
    }

    /// Its text; empty if it has children.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its children.
    pub fn children(&self) -> &[Node] {
        &self.children
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| &*child.name == name)
    }

    /// All children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| &*child.name == name)
    }

    /// Takes out all children of this name.
    pub(crate) fn take(&mut self, name: &str) -> Vec<Node> {
        let (taken, rest) =
            std::mem::take(&mut self.children).into_iter().partition(|one| &*one.name == name);
        self.children = rest;
        taken
    }

    /// What lies at a path of names, such as `backing.fileName`.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, name| node.child(name))
    }

    /// The text at a path; none if it is missing or empty.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path).map(Node::text).filter(|text| !text.is_empty())
    }

    /// The same as a string of its own.
    pub fn string_at(&self, path: &str) -> Option<String> {
        self.text_at(path).map(str::to_owned)
    }

    /// What the text at a path reads as, if it does.
    pub fn parse_at<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text_at(path)?.trim().parse().ok()
    }

    /// Whether the text at a path is a yes. Missing or unknown is none.
    pub fn flag_at(&self, path: &str) -> Option<bool> {
        self.text_at(path).and_then(yes_or_no)
    }

    /// Its text as a yes or a no.
    pub fn flag(&self) -> Option<bool> {
        yes_or_no(&self.text)
    }

    /// The managed object that it refers to. None if it is empty, as some servers answer.
    pub fn reference(&self) -> Option<ManagedRef> {
        // In a value of any type the object's type stands in `type`, beside `xsi:type`.
        let kind = self.ref_type.as_deref().filter(|kind| !kind.is_empty())?;
        (!self.text.is_empty()).then(|| ManagedRef::new(kind, self.text.as_str()))
    }

    /// The reference at a path.
    pub fn reference_at(&self, path: &str) -> Option<ManagedRef> {
        self.at(path)?.reference()
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
