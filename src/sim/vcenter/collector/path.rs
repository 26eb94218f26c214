//! Property paths: `config.hardware.device[4000].backing`.

use crate::sim::vcenter::soap::{Fault, Field, Kind, Value, schema};

/// A part of a path: a field, and perhaps the key of one element of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    key: Option<String>,
}

/// A path that is known to exist on a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::vcenter) struct Path {
    pub(in crate::sim::vcenter) text: String,
    parts: Vec<Part>,
    pub(in crate::sim::vcenter) leads_to: Resolved,
}

/// What stands at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::vcenter) struct Resolved {
    pub(in crate::sim::vcenter) ty: &'static str,
}

fn parts(text: &str) -> Option<Vec<Part>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let mut key = None;
        if let Some(inner) = rest.strip_prefix('[') {
            let close = inner.find(']')?;
            key = Some(inner[..close].trim_matches('"').to_owned());
            rest = &inner[close + 1..];
        }
        if name.is_empty() {
            return None;
        }
        found.push(Part { name, key });
        match rest.strip_prefix('.') {
            Some("") => return None,
            Some(after) => rest = after,
            None if rest.is_empty() => {}
            None => return None,
        }
    }
    (!found.is_empty()).then_some(found)
}

impl Path {
    /// Reads a path on a managed type; one that does not exist there is a fault, as on a vCenter.
    pub(in crate::sim::vcenter) fn parse(kind: &str, text: &str) -> Result<Self, Fault> {
        let invalid = || Fault::invalid_property(text);
        let parts = parts(text).ok_or_else(invalid)?;
        let mut ty = schema().get(kind).ok_or_else(invalid)?;
        let mut at: Option<Field> = None;
        for (index, part) in parts.iter().enumerate() {
            let field = *ty.field(&part.name).ok_or_else(invalid)?;
            let last = index + 1 == parts.len();
            if part.key.is_some() && !field.array || field.array && part.key.is_none() && !last {
                return Err(invalid());
            }
            at = Some(field);
            if last || field.is_opaque() {
                break;
            }
            ty = schema()
                .get(field.ty)
                .filter(|ty| matches!(ty.kind, Kind::Data | Kind::Fault))
                .ok_or_else(invalid)?;
        }
        let ty = at.ok_or_else(invalid)?.ty;
        Ok(Self { text: text.to_owned(), parts, leads_to: Resolved { ty } })
    }

    /// All paths of one part that a type has.
    pub(in crate::sim::vcenter) fn all(kind: &str) -> Vec<Self> {
        let fields = schema().get(kind).map_or(&[][..], |ty| &ty.fields[..]);
        fields
            .iter()
            .filter(|field| !field.is_opaque())
            .filter_map(|field| Self::parse(kind, field.name).ok())
            .collect()
    }

    /// The property that it begins with.
    pub(in crate::sim::vcenter) fn root(&self) -> &str {
        self.parts.first().map_or("", |part| &part.name)
    }

    /// What stands there, given the value of the first property.
    pub(in crate::sim::vcenter) fn walk<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        let mut at = Some(root);
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                at = at?.data()?.get(&part.name);
            }
            if let Some(key) = &part.key {
                at = at?.list().iter().find(|item| has_key(item, key));
            }
        }
        at
    }
}

fn has_key(item: &Value, key: &str) -> bool {
    let Some(data) = item.data() else { return false };
    match data.get("key") {
        Some(Value::Int(number)) => number.to_string() == key,
        Some(Value::Text(text)) => text == key,
        Some(Value::Ref(moref)) => &*moref.id == key,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::vcenter::soap::data;

    #[test]
    fn a_path_that_the_type_does_not_have_is_refused_by_its_name() {
        for (kind, text) in [
            ("VirtualMachine", "config.nonsense"),
            ("VirtualMachine", "nonsense"),
            ("VirtualMachine", ""),
            ("VirtualMachine", "config."),
            ("VirtualMachine", "config.hardware.device.backing"),
            ("VirtualMachine", "config[3]"),
            ("VirtualMachine", "name.length"),
            ("Datastore", "info.nas"),
        ] {
            let fault = Path::parse(kind, text).unwrap_err();
            assert_eq!((fault.ty(), fault.data.text("name")), ("InvalidProperty", Some(text)));
        }
    }

    #[test]
    fn an_element_of_a_list_is_found_by_its_key() {
        let path = Path::parse("VirtualMachine", "config.hardware.device[2000].key").unwrap();
        assert_eq!((path.root(), path.leads_to.ty), ("config", "int"));
        let devices = vec![data("VirtualDisk").with("key", 2000)];
        let config = data("VirtualMachineConfigInfo")
            .with("hardware", data("VirtualHardware").with("device", devices));
        assert_eq!(path.walk(&config.into()), Some(&Value::Int(2000)));
        let extra = Path::parse("VirtualMachine", "config.extraConfig[\"disk.EnableUUID\"].value").unwrap();
        assert_eq!(extra.leads_to.ty, "anyType");
    }
}
