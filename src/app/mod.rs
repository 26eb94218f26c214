//! Use cases, one file per noun: what the command line (and later the pages and the API) may ask for.
//!
//! In: permission, audit, one transaction, perhaps a job. Out: drawing, parsing, commands on hosts. The
//! types that a use case takes and gives are named here again, so that who draws needs no other room.

pub mod backups;
pub mod error;
pub mod inventory;
pub mod jobs;
pub mod replications;
pub mod secrets;
pub mod vcenters;

use std::sync::Arc;

use crate::engine::Engine;
use crate::jobs::hosts::Hosts;
use crate::store::Store;

pub use error::AppError;

/// Everything that can be asked for, over one database and one engine. Cheap to clone.
#[derive(Clone)]
pub struct App {
    store: Store,
    engine: Engine,
    hosts: Arc<Hosts>,
    vcenters: Option<vcenters::VcenterCases>,
}

impl App {
    /// Puts the parts together; `boot` makes them.
    pub fn new(store: Store, engine: Engine, hosts: Arc<Hosts>) -> Self {
        Self { store, engine, hosts, vcenters: None }
    }

    /// The same with connections to vCenters.
    #[must_use]
    pub fn with_vcenters(mut self, vcenters: vcenters::VcenterCases) -> Self {
        self.vcenters = Some(vcenters);
        self
    }
}
