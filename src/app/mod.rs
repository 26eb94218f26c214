//! Use cases, one file per noun: what the command line (and later the pages and the API) may ask for.
//!
//! In: permission, audit, one transaction, perhaps a job. Out: drawing, parsing, commands on hosts.

pub mod secrets;
