//! Writes XML. Text is escaped here and nowhere else, so nothing that is written can break out of its place.

use std::fmt::Write as _;

use crate::domain::moref::ManagedRef;

/// A piece of XML that grows. Elements are in vSphere's namespace, which the envelope declares.
#[derive(Debug, Default)]
pub struct Xml {
    text: String,
}

impl Xml {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    pub fn into_string(self) -> String {
        self.text
    }

    /// An element with what `inside` writes.
    pub fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.text, "<{name}>");
        inside(self);
        let _ = write!(self.text, "</{name}>");
        self
    }

    /// An element that says which type it is: where the schema allows several.
    pub fn typed(&mut self, name: &str, kind: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.text, r#"<{name} xsi:type="{kind}">"#);
        inside(self);
        let _ = write!(self.text, "</{name}>");
        self
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        let value = escaped(value.as_ref());
        let _ = write!(self.text, "<{name}>{value}</{name}>");
        self
    }

    /// An element with text whose type must be said to be a string, as the values of options.
    pub fn string(&mut self, name: &str, value: &str) -> &mut Self {
        let value = escaped(value);
        let _ = write!(self.text, r#"<{name} xsi:type="xsd:string">{value}</{name}>"#);
        self
    }

    /// An element with text, if there is any.
    pub fn maybe(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// An element with a number.
    pub fn number(&mut self, name: &str, value: impl Into<i128>) -> &mut Self {
        let _ = write!(self.text, "<{name}>{}</{name}>", value.into());
        self
    }

    /// An element with `true` or `false`.
    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        let _ = write!(self.text, "<{name}>{value}</{name}>");
        self
    }

    /// An element that refers to a managed object.
    pub fn reference(&mut self, name: &str, to: impl Into<ManagedRef>) -> &mut Self {
        let to = to.into();
        let (kind, id) = (escaped(&to.kind), escaped(&to.id));
        let _ = write!(self.text, r#"<{name} type="{kind}">{id}</{name}>"#);
        self
    }
}

/// Text as it may stand in an element or in an attribute. What XML 1.0 has no way to write becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A parser would turn these into a blank or a line feed.
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_in_its_place() {
        let mut xml = Xml::new();
        xml.text("name", "</name><evil a=\"1\" b='2'/>&amp;\u{0}\r\n");
        xml.reference("obj", ManagedRef::new("Data\"store", "/tmp/a&b@folder-5"));
        assert_eq!(
            xml.into_string(),
            "<name>&lt;/name&gt;&lt;evil a=&quot;1&quot; b=&apos;2&apos;/&gt;&amp;amp;\u{fffd}&#13;&#10;</name>\
             <obj type=\"Data&quot;store\">/tmp/a&amp;b@folder-5</obj>"
        );
    }
}
