//! vim25 on the wire: values, the dictionary of types, reading requests, writing answers, faults.
//!
//! In: everything that knows XML. Out: what a vCenter holds and does; the rest of the simulator only sees
//! [`Value`], [`Data`], [`Moref`] and [`Fault`].

mod fault;
mod read;
mod schema;
mod value;
mod write;

pub(super) use fault::Fault;
pub(super) use read::{Call, read_call};
pub(super) use schema::{Field, Kind, Method, schema};
pub(super) use value::{Data, Moref, Value, data};
pub(super) use write::{answer, fault_answer};

/// The namespace of every element of the protocol.
pub(super) const VIM: &str = "urn:vim25";
/// The namespace of SOAP 1.1.
pub(super) const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of `xsi:type`.
pub(super) const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The namespace of `xsd:string` and its like.
pub(super) const XSD: &str = "http://www.w3.org/2001/XMLSchema";
