//! XML as vSphere speaks it: a writer that escapes, and a reader that is bounded.

mod chunks;
mod node;
mod reader;
mod writer;

pub(crate) use chunks::Chunks;
pub use node::Node;
pub use reader::XmlError;
pub(crate) use reader::{Limits, StreamAt, parse};
pub use writer::Xml;
