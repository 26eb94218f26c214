//! Reading a request: XML to a bounded tree, the tree to values by the dictionary.
//!
//! As strict as a vCenter: an element that the type does not have, one in the wrong place, a required one that is
//! absent, a wrong enum value, a document type — each is a fault, none is a panic.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use super::schema::{Field, Kind, Method, schema};
use super::value::{Data, Moref, Value, data};
use super::{ENVELOPE, Fault, INSTANCE, VIM};

/// How deep a request may be nested.
const DEEPEST: usize = 64;
/// How many elements a request may have.
const MOST_ELEMENTS: usize = 200_000;

/// An element with what is in it.
#[derive(Debug, Default)]
struct Node {
    name: String,
    namespace: String,
    /// `xsi:type` without its prefix.
    instance_type: Option<String>,
    /// The attribute `type` of a reference.
    reference_type: Option<String>,
    text: String,
    children: Vec<Node>,
}

/// A call as it came in; its arguments are read when the object that it is for is known.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Call {
    pub(in crate::sim::vcenter) method: String,
    pub(in crate::sim::vcenter) this: Moref,
    arguments: Vec<Node>,
}

/// Reads the envelope.
pub(in crate::sim::vcenter) fn read_call(xml: &str) -> Result<Call, Fault> {
    let envelope =
        tree(xml).map_err(|why| Fault::invalid_request(format!("Error parsing the request: {why}")))?;
    let body = (envelope.namespace == ENVELOPE && envelope.name == "Envelope")
        .then_some(envelope.children)
        .and_then(|parts| parts.into_iter().find(|part| part.namespace == ENVELOPE && part.name == "Body"))
        .ok_or_else(|| Fault::invalid_request("The request is no SOAP 1.1 envelope with a body."))?;
    let mut calls = body.children.into_iter();
    let (Some(call), None) = (calls.next(), calls.next()) else {
        return Err(Fault::invalid_request("The body of the request has to hold one call."));
    };
    if call.namespace != VIM {
        return Err(Fault::invalid_request(format!(
            "The method {} is in the namespace {:?}, not in {VIM}.",
            call.name, call.namespace
        )));
    }
    let mut arguments = call.children;
    if arguments.first().is_none_or(|first| first.name != "_this") {
        return Err(Fault::invalid_request(format!("The call {} does not begin with _this.", call.name)));
    }
    let this = reference(&arguments.remove(0), "ManagedObject")?;
    Ok(Call { method: call.name, this, arguments })
}

impl Call {
    /// The arguments as a data object without a type.
    pub(in crate::sim::vcenter) fn arguments(&self, method: &Method) -> Result<Data, Fault> {
        fields(&self.arguments, "", &method.parameters, &self.method)
    }
}

fn tree(xml: &str) -> Result<Node, String> {
    let mut reader = NsReader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Node> = vec![Node::default()];
    let mut elements = 0;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                elements += 1;
                if open.len() > DEEPEST || elements > MOST_ELEMENTS {
                    return Err("it is nested too deeply or has too many elements".to_owned());
                }
                open.push(node(&reader, &start)?);
            }
            Event::End(_) => {
                let Some(done) = open.pop() else {
                    return Err("an element ends that did not begin".to_owned());
                };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Err("an element ends that did not begin".to_owned()),
                }
            }
            Event::Text(text) => text_of(&mut open).push_str(&text.xml_content(XmlVersion::Implicit1_0)),
            Event::CData(text) => text_of(&mut open).push_str(&text.xml_content(XmlVersion::Implicit1_0)),
            Event::GeneralRef(name) => {
                let letter = match name.resolve_char_ref().map_err(|error| error.to_string())? {
                    Some(letter) => letter,
                    None => match &*name.xml_content(XmlVersion::Implicit1_0) {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        other => return Err(format!("the entity &{other}; is not known")),
                    },
                };
                text_of(&mut open).push(letter);
            }
            Event::DocType(_) => return Err("a document type is not taken".to_owned()),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
        }
    }
    let (Some(mut root), true) = (open.pop(), open.is_empty()) else {
        return Err("it ends before all its elements do".to_owned());
    };
    if root.children.len() != 1 {
        return Err("it has not one root element".to_owned());
    }
    Ok(root.children.remove(0))
}

fn text_of(open: &mut Vec<Node>) -> &mut String {
    if open.is_empty() {
        open.push(Node::default());
    }
    let last = open.len() - 1;
    &mut open[last].text
}

fn node(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Node, String> {
    let (namespace, local) = reader.resolver().resolve_element(start.name());
    let namespace = match namespace {
        ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(prefix) => return Err(format!("the prefix {prefix:?} is not declared")),
    };
    let mut node = Node { name: local.into_inner().to_owned(), namespace, ..Node::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        match (namespace, local.into_inner()) {
            (ResolveResult::Bound(namespace), "type") if namespace.into_inner() == INSTANCE => {
                let name = value.rsplit_once(':').map_or(&*value, |(_, name)| name);
                node.instance_type = Some(name.to_owned());
            }
            (ResolveResult::Unbound, "type") => node.reference_type = Some(value.into_owned()),
            _ => {}
        }
    }
    Ok(node)
}

fn fields(nodes: &[Node], ty: &'static str, known: &[Field], whose: &str) -> Result<Data, Fault> {
    let mut found = data(ty);
    let mut reached = 0;
    let mut list: Vec<Value> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let Some(place) = known.iter().position(|field| field.name == node.name) else {
            return Err(Fault::invalid_request(format!(
                "Unexpected element tag \"{}\" seen in {whose}.",
                node.name
            )));
        };
        let field = &known[place];
        let again = at > 0 && nodes[at - 1].name == node.name;
        if place < reached || (again && !field.array) || (!again && place == reached && at > 0) {
            return Err(Fault::invalid_request(format!(
                "Unexpected element tag \"{}\" seen in {whose}: it stands in the wrong place or twice.",
                node.name
            )));
        }
        reached = place;
        if field.is_opaque() {
            continue;
        }
        let value = value(node, field.ty)?;
        if field.array {
            list.push(value);
            if nodes.get(at + 1).is_none_or(|next| next.name != node.name) {
                found.set(field.name, std::mem::take(&mut list));
            }
        } else {
            found.set(field.name, value);
        }
    }
    let absent = known.iter().find(|field| {
        !field.optional
            && !field.array
            && !field.is_opaque()
            && !nodes.iter().any(|node| node.name == field.name)
    });
    match absent {
        Some(field) => {
            Err(Fault::invalid_request(format!("Required property {} is missing from {whose}.", field.name)))
        }
        None => Ok(found),
    }
}

fn value(node: &Node, declared: &str) -> Result<Value, Fault> {
    match declared {
        "anyType" => any(node),
        _ if schema().is_managed(declared) => Ok(Value::Ref(reference(node, declared)?)),
        _ => match schema().get(declared) {
            None if declared == "DynamicData" => any(node),
            None => primitive(node, declared),
            Some(ty) if ty.kind == Kind::Enum => {
                let word = node.text.trim();
                match ty.values.iter().find(|value| **value == word) {
                    Some(value) => Ok(Value::Text(Cow::Borrowed(value))),
                    None => {
                        Err(Fault::invalid_request(format!("{word:?} is no value of the enum {declared}.")))
                    }
                }
            }
            Some(ty) => {
                let actual = match node.instance_type.as_deref() {
                    None => ty,
                    Some(name) => {
                        schema().get(name).filter(|actual| schema().is_a(actual.name, declared)).ok_or_else(
                            || Fault::invalid_request(format!("The type {name} is no {declared}.")),
                        )?
                    }
                };
                Ok(Value::Data(fields(&node.children, actual.name, &actual.fields, actual.name)?))
            }
        },
    }
}

fn any(node: &Node) -> Result<Value, Fault> {
    let Some(name) = node.instance_type.as_deref() else {
        return Err(Fault::invalid_request(format!("The element {} does not say its type.", node.name)));
    };
    if name == "ManagedObjectReference" {
        return Ok(Value::Ref(reference(node, "ManagedObject")?));
    }
    const PRIMITIVES: [&str; 9] =
        ["string", "int", "long", "short", "byte", "boolean", "dateTime", "base64Binary", "anyURI"];
    if let Some(ty) = PRIMITIVES.iter().find(|ty| **ty == name) {
        return Ok(Value::typed(ty, primitive(node, ty)?));
    }
    match schema().get(name) {
        Some(ty) => value(node, ty.name),
        None => Err(Fault::invalid_request(format!("The type {name} is not known."))),
    }
}

fn primitive(node: &Node, ty: &str) -> Result<Value, Fault> {
    let text = node.text.trim();
    let wrong = || Fault::invalid_request(format!("{text:?} in {} is no {ty}.", node.name));
    let whole = |least: i64, most: i64| {
        text.parse().ok().filter(|number| (least..=most).contains(number)).map(Value::Int).ok_or_else(wrong)
    };
    match ty {
        "boolean" => match text {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
        "byte" => whole(i8::MIN.into(), i8::MAX.into()),
        "short" => whole(i16::MIN.into(), i16::MAX.into()),
        "int" => whole(i32::MIN.into(), i32::MAX.into()),
        "long" => whole(i64::MIN, i64::MAX),
        "dateTime" => text.parse().map(Value::Time).map_err(|_| wrong()),
        _ => Ok(Value::Text(Cow::Owned(node.text.clone()))),
    }
}

fn reference(node: &Node, declared: &str) -> Result<Moref, Fault> {
    let id = node.text.trim();
    let kind = match node.reference_type.as_deref() {
        Some(kind) => kind,
        None => return Err(Fault::invalid_request(format!("The reference {} has no type.", node.name))),
    };
    let known = schema().get(kind).filter(|ty| ty.kind == Kind::Managed && schema().is_a(ty.name, declared));
    match known {
        Some(ty) => Ok(Moref::new(ty.name, id)),
        None => Err(Fault::invalid_request(format!(
            "The reference {} has the type {kind:?}, which is no {declared}.",
            node.name
        ))),
    }
}
