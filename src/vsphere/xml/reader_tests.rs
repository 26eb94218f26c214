use super::*;
use crate::domain::moref::ManagedRef;

fn read(text: &str) -> Result<Node, XmlError> {
    parse(text.as_bytes(), Limits::USUAL, None, |_| ())
}

#[test]
fn types_are_found_whatever_the_prefix_is_called() {
    for prefix in ["xsi", "XMLSchema-instance", "_XMLSchema-instance", "a"] {
        let text = format!(
            r#"<v xmlns:{prefix}="http://www.w3.org/2001/XMLSchema-instance" {prefix}:type="x:VirtualDisk"/>"#
        );
        assert_eq!(read(&text).unwrap().kind(), "VirtualDisk", "{prefix}");
    }
    let other = r#"<v xmlns:xsi="http://example.org" xsi:type="VirtualDisk" type="Task">task-1</v>"#;
    let node = read(other).unwrap();
    assert_eq!((node.kind(), node.reference()), ("", Some(ManagedRef::new("Task", "task-1"))));
}

#[test]
fn text_is_unescaped_once_and_blanks_between_elements_are_dropped() {
    let node =
        read("<?xml version='1.0'?>\n<a>\n <b>1 &lt; 2 &amp;amp; &#x41;<![CDATA[<c>]]></b>\n <d/>\n</a>")
            .unwrap();
    assert_eq!(node.text_at("b"), Some("1 < 2 &amp; A<c>"));
    assert_eq!(node.text(), "");
    assert_eq!(node.text_at("d"), None);
}

#[test]
fn document_types_and_entities_are_refused() {
    let bomb = r#"<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>"#;
    assert!(matches!(read(bomb), Err(XmlError::Forbidden("a document type"))));
    assert!(matches!(read("<a>&c;</a>"), Err(XmlError::Forbidden("an entity of its own"))));
}

#[test]
fn depth_elements_and_text_are_bounded() {
    let deep = "<a>".repeat(100);
    assert!(matches!(read(&deep), Err(XmlError::TooLarge(_))));
    let wide = format!("<a>{}</a>", "<b/>".repeat(300_001));
    assert!(matches!(read(&wide), Err(XmlError::TooLarge(_))));
    let limits = Limits { text: 100, ..Limits::USUAL };
    let long = format!("<a>{}</a>", "x".repeat(101));
    assert!(matches!(parse(long.as_bytes(), limits, None, |_| ()), Err(XmlError::TooLarge(_))));
}

#[test]
fn an_answer_that_is_cut_short_is_told_from_one_that_is_no_xml() {
    for text in ["", "<a>", "<a><b>x</b>", "<a><b", "<a><!-- "] {
        assert!(matches!(read(text), Err(XmlError::Cut(_))), "{text:?}: {:?}", read(text));
    }
    for text in ["<a></b>", "<a b=1/>"] {
        assert!(matches!(read(text), Err(XmlError::Malformed(_))), "{text:?}: {:?}", read(text));
    }
}

#[test]
fn streamed_elements_are_handed_out_and_do_not_count_together() {
    let limits = Limits { nodes: 10, ..Limits::USUAL };
    let text = format!("<a><r>{}<token>t</token></r></a>", "<o><x>1</x><y>2</y></o>".repeat(1000));
    let mut seen = 0;
    let root = parse(text.as_bytes(), limits, Some(StreamAt { depth: 3, name: "o" }), |node| {
        assert_eq!(node.children().len(), 2);
        seen += 1;
    });
    assert_eq!((seen, root.unwrap().text_at("r.token")), (1000, Some("t")));
}
