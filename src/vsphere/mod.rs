//! vSphere's API (vim25 SOAP, 6.5 to 8): a client for vCenter and single ESXi hosts.
//!
//! ```text
//! transport   one request, one answer: HTTPS with pinning, cookie, timeouts, bounded streaming XML
//! client      a session: login, login again once, keep-alive
//! property    properties, page by page, and the stream of their changes
//! task        waiting for a task, progress, cancel
//! verbs       what is done to VMs, hosts, datastores: pure requests, and sending them
//! ```
//!
//! Lenient in what it reads: unknown elements, types and words are passed over, ids are opaque. Strict in what
//! it accepts: no document types, no entities, bounded depth and size. In: the wire. Out: what it is for.

mod certificate;
mod client;
mod error;
mod fault;
pub mod fuzz;
mod hardware;
pub mod inventory;
mod machine;
mod property;
mod request;
mod task;
mod tls;
mod trace;
mod transport;
pub mod verbs;
mod xml;

pub use certificate::fetch_certificate;
pub use client::{Client, Login, ServiceContent};
pub use error::{CertificateProblem, VsphereError};
pub use fault::{Fault, Reason};
pub use hardware::read_hardware;
pub use machine::MachineNow;
pub use property::{Change, ObjectContent, ObjectUpdate, PropertySet, Scope, UpdateStream, Updates};
pub use request::Request;
pub use task::TaskProgress;
pub use trace::Exchange;
pub use xml::{Node, Xml, XmlError};
