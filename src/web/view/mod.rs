//! What the pages are drawn with: view models for the partials in `templates/partials`, sizes and times in the
//! words of the field, and drawings as SVG. Pure functions of their arguments: no clock, no request, no store.
//!
//! In: how something looks. Out: where the facts come from (pages/), what may be done (app), the addresses
//! themselves (they are handed in).

pub mod chart;
pub mod form;
pub mod html;
pub mod list;
pub mod navigation;
pub mod page;
pub mod plot;
pub mod progress;
pub mod site_map;
pub mod size;
pub mod status;
pub mod when;
pub mod wizard;
pub mod words;

pub use html::Html;
pub use page::Page;
pub use status::{Mark, Status};
