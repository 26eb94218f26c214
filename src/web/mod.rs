//! The pages an operator sees: router, layers, pages and what they are drawn with.
//!
//! Draws and parses; holds no rules. The only room that names askama.

pub mod screens;
pub mod view;
