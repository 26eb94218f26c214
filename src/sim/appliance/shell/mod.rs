//! A small POSIX shell: as much of XCU chapter 2 as administrators and programs send over SSH.
//!
//! Its own parser: a command line that Zerfaux quotes wrongly must break here as it would break on a host.

mod builtins;
mod control;
mod expand;
mod io;
mod lex;
mod parse;
pub(crate) mod pipe;
pub(crate) mod process;
mod run;

pub(crate) use expand::{Collector, fits};
pub(crate) use io::{Input, Io, Output, input};
pub(crate) use run::Shell;
