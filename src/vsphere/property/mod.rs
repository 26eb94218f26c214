//! The property collector: what is read, how it is read in pages, and how changes are followed.

mod retrieve;
mod spec;
mod updates;

pub use retrieve::ObjectContent;
pub use spec::{PropertySet, Scope};
pub use updates::{Change, ObjectUpdate, UpdateStream, Updates};
