//! The dictionary of vim25: which types there are, their fields in the order of the wire, their methods.
//!
//! It is read once from two tables beside this file. The reader refuses by it, the writer takes order and
//! `xsi:type` from it, and the property collector knows by it which property paths exist.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What sort of type it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::vcenter) enum Kind {
    Managed,
    Data,
    Fault,
    Enum,
}

/// A field of a type, a parameter of a method, or what a method returns.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::vcenter) struct Field {
    pub(in crate::sim::vcenter) name: &'static str,
    pub(in crate::sim::vcenter) ty: &'static str,
    pub(in crate::sim::vcenter) optional: bool,
    pub(in crate::sim::vcenter) array: bool,
}

impl Field {
    fn parse(word: &'static str) -> Option<Self> {
        let (name, ty) = word.split_once(':')?;
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        let (ty, array) = array(ty);
        Some(Self { name, ty, optional, array })
    }

    /// Whether nothing can ever stand in it, because its type is not simulated.
    pub(in crate::sim::vcenter) fn is_opaque(&self) -> bool {
        self.ty == "?"
    }
}

/// Takes `[]` off a type.
fn array(ty: &'static str) -> (&'static str, bool) {
    ty.strip_suffix("[]").map_or((ty, false), |ty| (ty, true))
}

/// A type by its name on the wire.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Type {
    pub(in crate::sim::vcenter) name: &'static str,
    pub(in crate::sim::vcenter) kind: Kind,
    parent: Option<&'static str>,
    /// Inherited fields first: that is their order on the wire.
    pub(in crate::sim::vcenter) fields: Vec<Field>,
    /// The values of an enum.
    pub(in crate::sim::vcenter) values: Vec<&'static str>,
}

impl Type {
    pub(in crate::sim::vcenter) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A method of a managed type.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Method {
    pub(in crate::sim::vcenter) on: &'static str,
    pub(in crate::sim::vcenter) name: &'static str,
    /// What the caller has to be allowed on the object; None where the arguments decide.
    pub(in crate::sim::vcenter) privilege: Option<&'static str>,
    pub(in crate::sim::vcenter) parameters: Vec<Field>,
    pub(in crate::sim::vcenter) returns: Field,
}

/// All of it.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Schema {
    types: HashMap<&'static str, Type>,
    methods: HashMap<&'static str, Vec<Method>>,
}

/// The dictionary.
pub(in crate::sim::vcenter) fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        Schema::parse(include_str!("../schema/types.txt"), include_str!("../schema/methods.txt"))
    });
    &SCHEMA
}

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

impl Schema {
    fn parse(types: &'static str, methods: &'static str) -> Self {
        let own: HashMap<_, _> = lines(types).filter_map(parse_type).map(|ty| (ty.name, ty)).collect();
        let mut whole = HashMap::with_capacity(own.len());
        for (name, ty) in &own {
            let mut fields = ty.fields.clone();
            let mut above = ty.parent;
            while let Some(parent) = above.and_then(|parent| own.get(parent)) {
                fields.splice(0..0, parent.fields.iter().copied());
                above = parent.parent;
            }
            let ty = Type { fields, values: ty.values.clone(), ..*ty };
            whole.insert(*name, ty);
        }
        let mut by_name: HashMap<_, Vec<Method>> = HashMap::new();
        for method in lines(methods).filter_map(parse_method) {
            by_name.entry(method.name).or_default().push(method);
        }
        Self { types: whole, methods: by_name }
    }

    pub(in crate::sim::vcenter) fn get(&self, name: &str) -> Option<&'static Type> {
        // There is one schema, and it lives as long as the program.
        schema_type(self, name)
    }

    /// A method of this managed type or of one that it inherits from.
    pub(in crate::sim::vcenter) fn method(&self, kind: &str, name: &str) -> Option<&Method> {
        self.methods.get(name)?.iter().find(|method| self.is_a(kind, method.on))
    }

    /// Whether any type has a method of this name.
    pub(in crate::sim::vcenter) fn has_method(&self, name: &str) -> bool {
        self.methods.contains_key(name)
    }

    /// Whether the first type is the second or inherits from it.
    pub(in crate::sim::vcenter) fn is_a(&self, name: &str, ancestor: &str) -> bool {
        if name == ancestor {
            return true;
        }
        let Some(ty) = self.types.get(name) else { return false };
        match (ty.kind, ancestor) {
            (Kind::Managed, "ManagedObject") | (Kind::Data, "DynamicData") => true,
            _ => ty.parent.is_some_and(|parent| self.is_a(parent, ancestor)),
        }
    }

    pub(in crate::sim::vcenter) fn is_managed(&self, name: &str) -> bool {
        name == "ManagedObject" || self.types.get(name).is_some_and(|ty| ty.kind == Kind::Managed)
    }

    /// Every type, in no order.
    #[cfg(test)]
    pub(in crate::sim::vcenter) fn types(&self) -> impl Iterator<Item = &Type> {
        self.types.values()
    }

    /// Every method, in no order.
    pub(in crate::sim::vcenter) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.values().flatten()
    }
}

fn schema_type(_: &Schema, name: &str) -> Option<&'static Type> {
    schema().types.get(name)
}

fn parse_type(line: &'static str) -> Option<Type> {
    let mut words = line.split(' ');
    let kind = match words.next()? {
        "managed" => Kind::Managed,
        "data" => Kind::Data,
        "fault" => Kind::Fault,
        _ => Kind::Enum,
    };
    let name = words.next()?;
    let parent = words.next().filter(|parent| *parent != "-");
    let (mut fields, mut values) = (Vec::new(), Vec::new());
    match kind {
        Kind::Enum => values.extend(words),
        _ => fields.extend(words.filter_map(Field::parse)),
    }
    Some(Type { name, kind, parent, fields, values })
}

fn parse_method(line: &'static str) -> Option<Method> {
    let (head, returns) = line.strip_prefix("method ")?.split_once("-> ")?;
    let mut words = head.split_whitespace();
    let (on, name) = words.next()?.split_once('.')?;
    let privilege = words.next().filter(|privilege| *privilege != "-");
    let (ty, is_array) = array(returns);
    let returns = Field { name: "returnval", ty, optional: true, array: is_array };
    Some(Method { on, name, privilege, parameters: words.filter_map(Field::parse).collect(), returns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_a_field_or_a_method_names_is_in_the_dictionary() {
        let primitive = [
            "string",
            "int",
            "long",
            "short",
            "byte",
            "boolean",
            "float",
            "double",
            "dateTime",
            "anyURI",
            "anyType",
            "base64Binary",
            "ManagedObject",
            "DynamicData",
            "void",
            "?",
        ];
        let known = |ty: &str| primitive.contains(&ty) || schema().get(ty).is_some();
        for ty in schema().types() {
            assert!(
                ty.parent.is_none_or(|parent| schema().get(parent).is_some()),
                "{} inherits from nothing",
                ty.name
            );
            for field in &ty.fields {
                assert!(known(field.ty), "{}.{} is a {}", ty.name, field.name, field.ty);
            }
        }
        for method in schema().methods() {
            assert!(schema().is_managed(method.on), "{}", method.on);
            for field in method.parameters.iter().chain([&method.returns]) {
                assert!(known(field.ty), "{} has a {}", method.name, field.ty);
            }
        }
        assert!(schema().types().count() > 400 && schema().methods().count() > 100);
    }

    #[test]
    fn inherited_fields_stand_first() {
        let disk = schema().get("VirtualDisk").unwrap();
        let at = |name: &str| disk.fields.iter().position(|field| field.name == name).unwrap();
        assert!(at("key") < at("backing") && at("backing") < at("capacityInKB"));
        assert!(
            schema().is_a("VirtualDisk", "VirtualDevice") && !schema().is_a("VirtualDevice", "VirtualDisk")
        );
        assert!(schema().is_a("ClusterComputeResource", "ManagedEntity"));
    }
}
