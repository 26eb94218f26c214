//! The property collector: which objects a filter selects, what their properties are, and what has changed.

mod filter;
mod path;
mod retrieve;
mod select;

pub(super) use filter::{Collector, Filter};
pub(super) use retrieve::{Paging, next_page};
pub(super) use select::Selection;
