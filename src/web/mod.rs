//! The pages an operator sees: router, pages, screens and what they are drawn with.
//!
//! Draws and parses; holds no rules. The only room that names askama.

mod assets;
pub mod carried;
mod confirm;
pub mod cookies;
mod cx;
pub mod errors;
mod pages;
mod routes;
pub mod screens;
mod site;
pub mod view;

pub use routes::router;
pub use site::{Answer, Caller, RequestId, Site, Trouble};
