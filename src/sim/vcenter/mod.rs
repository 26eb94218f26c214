//! A simulated vCenter: vim25 SOAP over TLS, with an inventory that lives.
//!
//! In: what Zerfaux asks of a vCenter, and what a vCenter refuses. Out: the data of disks, performance figures,
//! alarms, licences. It shares no code with the client: what it knows of the protocol is its own dictionary in
//! `schema/`.
//!
//! Some things of a guest are steered by `extraConfig` of its machine: `sim.tools=never`, `sim.shutdown=ignore`,
//! `sim.customization=fail`, `sim.quiesce=fail`, `sim.uprooted=yes`; `sim.machine` says that something runs inside ([`crate::sim::machines`]).

mod collector;
mod company;
mod handle;
mod http;
mod methods;
mod options;
mod rules;
mod service;
mod session;
mod show;
mod soap;
mod tls;
mod world;

#[cfg(test)]
mod tests;

pub use handle::{StartError, UnderWay, Vcenter};
pub use options::{NfsDatastore, Options, User};
pub use rules::{Cut, Rule, RuleError};
