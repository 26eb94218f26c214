//! Values of vim25, of which only the writer and the reader know how they look in XML.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// A managed object reference: its managed type and an id that means nothing to anybody else.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::sim::vcenter) struct Moref {
    pub(in crate::sim::vcenter) kind: &'static str,
    pub(in crate::sim::vcenter) id: Arc<str>,
}

impl Moref {
    pub(in crate::sim::vcenter) fn new(kind: &'static str, id: impl Into<Arc<str>>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl fmt::Debug for Moref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// One value. Which primitive type a number has on the wire is said by the field that it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::sim::vcenter) enum Value {
    Bool(bool),
    Int(i64),
    /// Text, and what is written like text: enums, URIs, base64.
    Text(Cow<'static, str>),
    Time(Timestamp),
    Ref(Moref),
    Data(Data),
    List(Vec<Value>),
    /// A value that says its own type, for fields that take any.
    Typed(&'static str, Box<Value>),
}

impl Value {
    /// A value with its type, for a field of `anyType`. `[]` behind the type for a list of it.
    pub(in crate::sim::vcenter) fn typed(ty: &'static str, value: impl Into<Value>) -> Self {
        Self::Typed(ty, Box::new(value.into()))
    }

    pub(in crate::sim::vcenter) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Typed(_, value) => value.text(),
            _ => None,
        }
    }

    pub(in crate::sim::vcenter) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Typed(_, value) => value.int(),
            _ => None,
        }
    }

    pub(in crate::sim::vcenter) fn moref(&self) -> Option<&Moref> {
        match self {
            Self::Ref(moref) => Some(moref),
            _ => None,
        }
    }

    pub(in crate::sim::vcenter) fn data(&self) -> Option<&Data> {
        match self {
            Self::Data(data) => Some(data),
            Self::Typed(_, value) => value.data(),
            _ => None,
        }
    }

    pub(in crate::sim::vcenter) fn list(&self) -> &[Value] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }
}

macro_rules! value_from {
    ($($from:ty => |$x:ident| $make:expr),+ $(,)?) => {
        $(impl From<$from> for Value { fn from($x: $from) -> Self { $make } })+
    };
}

value_from! {
    bool => |x| Self::Bool(x),
    i32 => |x| Self::Int(x.into()),
    i64 => |x| Self::Int(x),
    u32 => |x| Self::Int(x.into()),
    u64 => |x| Self::Int(i64::try_from(x).unwrap_or(i64::MAX)),
    usize => |x| Self::Int(i64::try_from(x).unwrap_or(i64::MAX)),
    &'static str => |x| Self::Text(Cow::Borrowed(x)),
    String => |x| Self::Text(Cow::Owned(x)),
    &String => |x| Self::Text(Cow::Owned(x.clone())),
    Timestamp => |x| Self::Time(x),
    Moref => |x| Self::Ref(x),
    &Moref => |x| Self::Ref(x.clone()),
    Data => |x| Self::Data(x),
    Vec<Value> => |x| Self::List(x),
    Vec<Moref> => |x| Self::List(x.into_iter().map(Value::Ref).collect()),
    Vec<Data> => |x| Self::List(x.into_iter().map(Value::Data).collect()),
    Vec<String> => |x| Self::List(x.into_iter().map(Value::from).collect()),
}

/// A data object: its type, and the fields that are set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::sim::vcenter) struct Data {
    pub(in crate::sim::vcenter) ty: &'static str,
    fields: Vec<(&'static str, Value)>,
}

/// An empty data object of this type.
pub(in crate::sim::vcenter) fn data(ty: &'static str) -> Data {
    Data { ty, fields: Vec::new() }
}

impl Data {
    /// The same with this field.
    pub(in crate::sim::vcenter) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// The same with this field, if there is something to put there.
    pub(in crate::sim::vcenter) fn maybe(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(in crate::sim::vcenter) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.fields.iter_mut().find(|(field, _)| *field == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name, value)),
        }
    }

    pub(in crate::sim::vcenter) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    pub(in crate::sim::vcenter) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.fields.iter().position(|(field, _)| *field == name)?;
        Some(self.fields.swap_remove(at).1)
    }

    pub(in crate::sim::vcenter) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.fields.iter_mut().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    pub(in crate::sim::vcenter) fn fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }

    pub(in crate::sim::vcenter) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    pub(in crate::sim::vcenter) fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.int()
    }

    pub(in crate::sim::vcenter) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(in crate::sim::vcenter) fn moref(&self, name: &str) -> Option<&Moref> {
        self.get(name)?.moref()
    }

    pub(in crate::sim::vcenter) fn data(&self, name: &str) -> Option<&Data> {
        self.get(name)?.data()
    }

    pub(in crate::sim::vcenter) fn list(&self, name: &str) -> &[Value] {
        self.get(name).map_or(&[], Value::list)
    }
}
