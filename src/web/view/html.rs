//! Text that is already HTML, and the escaping of text that is not.

use std::fmt;

/// Markup that a template puts on the page as it stands. Everything in it that came from outside has been
/// through [`escape`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Html(pub(crate) String);

impl Html {
    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}

/// Plain text as markup.
pub fn text(text: &str) -> Html {
    Html(escape(text).to_string())
}

/// Writes text so that it can mean nothing but itself, in an element or in a quoted attribute.
pub fn escape(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// See [`escape`].
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_leave_its_place() {
        assert_eq!(escape(r#"<b a="x">'&é"#).to_string(), "&lt;b a=&quot;x&quot;&gt;&#39;&amp;é");
        assert_eq!(escape("plain").to_string(), "plain");
    }
}
