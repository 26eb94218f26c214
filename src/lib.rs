//! Zerfaux: disaster recovery for VMware vSphere with OpenZFS as the transport.
//!
//! ```text
//!            cli            draw and parse; no rules
//!             │
//!            app            one use case = one transaction, perhaps a job; returns at once
//!             │
//!           engine          claims jobs, runs their steps, records every event, schedules, recovers
//!             │
//!            jobs ── asks ─► plan     pure functions: facts + wish → steps, or a typed conflict
//!             │
//!   ┌─────────┴─────────┐
//!  zfs ─► host ─► ssh   store (SQLite) · vault (sealed secrets)
//! ```
//!
//! Below all of these lies `domain`: the words of the field, which imports nothing of the house.
//!
//! Arrows only run downward; `tests/architecture.rs` reads the imports and fails on a wrong one. Of `jobs`,
//! `app` takes the inputs and the previews, nothing that runs. `boot` is the composition root and the only
//! place that knows every type; `cli` calls it, and reads `config` (the settings) and `telemetry` (the log).

pub mod app;
pub mod boot;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod host;
pub mod jobs;
pub mod plan;
pub mod sim;
pub mod ssh;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod zfs;
