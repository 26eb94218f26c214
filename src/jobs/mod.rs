//! One file (or folder) per kind of job: its steps, what each does, how it is undone.

pub mod hosts;
pub mod replicate;

mod failure;

use std::sync::Arc;

use crate::engine::Definition;

/// The names of all kinds of jobs. `tests/laws.rs` holds every one of them to the laws.
pub fn kinds() -> Vec<&'static str> {
    vec![replicate::KIND]
}

/// The definitions of all kinds of jobs.
pub fn definitions(hosts: &Arc<hosts::Hosts>) -> Vec<Definition> {
    vec![replicate::definition(Arc::clone(hosts))]
}
