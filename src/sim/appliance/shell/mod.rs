//! A small POSIX shell: as much of XCU chapter 2 as administrators and programs send over SSH.
//!
//! Its own parser: a command line that Zerfaux quotes wrongly must break here as it would break on a host.

mod expand;
mod lex;
mod parse;
mod run;

pub(crate) use run::{Input, Io, Output, Shell};
