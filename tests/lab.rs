//! The lab cases: on two real OpenZFS hosts, from outside, as an administrator would see it.
//!
//! Every case is marked `#[ignore]`, so that a plain `cargo test` needs no hosts and names what it left out.
//! `tests/run` runs them all and fails if one was left out; `tests/lab/lab test [FILTER]` is for work on one of them.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/lab/mod.rs"]
#[allow(dead_code, unused_imports)] // what this binary's cases do not use yet
mod lab;

#[path = "support/laws/mod.rs"]
#[allow(dead_code, unused_imports)]
mod laws;

#[path = "support/replicated.rs"]
mod replicated;

#[path = "support/zerfaux.rs"]
#[allow(dead_code)] // what this binary's cases do not use yet
mod zerfaux_cli;

#[path = "support/running.rs"]
mod running;

#[path = "support/contract.rs"]
mod contract;

#[path = "support/vcenter/mod.rs"]
#[allow(dead_code)] // what this binary's cases do not use yet
mod vcenter;

#[path = "support/served.rs"]
mod served;

#[path = "support/deploying.rs"]
mod deploying;

#[path = "lab/cases/mod.rs"]
mod cases;

/// A campaign tries every one of many points (`ZERFAUX_LAB_EVERY=1`), `tests/run` only some.
fn sample(every: usize, offset: usize) -> laws::Sample {
    laws::Sample { every: wanted().unwrap_or(every), offset }
}

/// Whether this is more than `tests/run`.
fn is_campaign() -> bool {
    wanted().is_some()
}

fn wanted() -> Option<usize> {
    std::env::var("ZERFAUX_LAB_EVERY").ok()?.parse().ok()
}
