//! Use cases, one file per noun: what the command line (and later the pages and the API) may ask for.
//!
//! In: permission, audit, one transaction, perhaps a job. Out: drawing, parsing, commands on hosts. The
//! types that a use case takes and gives are named here again, so that who draws needs no other room.

pub mod access;
pub mod adoption;
pub mod assignable_vms;
pub mod audit;
pub mod backups;
pub mod checkpoints;
pub mod checks;
pub mod datastore_mounts;
pub mod datastores;
pub mod deployment_drafts;
pub mod deployment_form;
pub mod deployments;
pub mod dr_shell_form;
pub mod dr_shell_verbs;
pub mod dr_shells;
mod drafts;
pub mod error;
pub mod failovers;
mod fields;
pub mod follow;
pub mod group_drafts;
pub mod group_keys;
pub mod group_obstacles;
pub mod group_preflights;
pub mod group_sides;
pub mod group_states;
pub mod inventory;
pub mod job_notices;
mod job_start;
pub mod jobs;
pub mod protected_vms;
pub mod protection_group_form;
pub mod protection_groups;
pub mod protection_plans;
mod recovery_grounds;
pub mod recovery_plans;
pub mod recovery_prompts;
pub mod recovery_runs;
pub mod recovery_states;
pub mod replicas;
pub mod replications;
pub mod requests;
pub mod rights;
pub mod rollbacks;
pub mod schedules;
pub mod secrets;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod ssh_key_rotation;
pub mod ssh_keys;
pub mod target_form;
pub mod target_health;
pub mod targets;
pub mod template_form;
pub mod templates;
pub mod test_failovers;
pub mod tokens;
pub mod users;
pub mod vcenter_contacts;
pub mod vcenter_drafts;
pub mod vcenter_streams;
pub mod vcenters;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::auth::password::Passwords;
use crate::engine::reconcile::Reconcilers;
use crate::engine::{Clock, Engine, SystemClock};
use crate::jobs::hosts::Hosts;
use crate::store::Store;

pub use crate::auth::Principal;
pub use crate::engine::reconcile::Status;
pub use error::{AppError, FieldError, Pending};

use secrets::Secrets;

/// Everything that can be asked for, over one database and one engine. Cheap to clone.
#[derive(Clone)]
pub struct App {
    store: Store,
    engine: Engine,
    hosts: Arc<Hosts>,
    secrets: Option<Secrets>,
    passwords: Passwords,
    clock: Arc<dyn Clock>,
    vcenters: Option<vcenters::VcenterCases>,
    reconcilers: Arc<Reconcilers>,
    settings: Arc<RwLock<crate::domain::settings::Settings>>,
    certificate: Option<Arc<dyn Fn() -> settings::Presented + Send + Sync>>,
}

impl App {
    /// Puts the parts together; `boot` makes them.
    pub fn new(store: Store, engine: Engine, hosts: Arc<Hosts>) -> Self {
        let (passwords, clock): (_, Arc<dyn Clock>) = (Passwords::default(), Arc::new(SystemClock::new()));
        let reconcilers = Arc::new(Reconcilers::new(clock.clone(), Vec::new()));
        let settings = Arc::default();
        Self {
            store,
            engine,
            hosts,
            secrets: None,
            passwords,
            clock,
            vcenters: None,
            reconcilers,
            settings,
            certificate: None,
        }
    }

    /// The same with secrets, where there is a key file.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Option<Secrets>) -> Self {
        self.secrets = secrets;
        self
    }

    /// The same with another clock for sessions and the throttle.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        if let Some(vcenters) = &mut self.vcenters {
            vcenters.set_clock(Arc::clone(&clock));
        }
        self.clock = clock;
        self
    }

    /// The time by which sessions and tokens are judged.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The same with reconcilers, which run while jobs are served.
    #[must_use]
    pub fn with_reconcilers(mut self, reconcilers: Arc<Reconcilers>) -> Self {
        self.reconcilers = reconcilers;
        self
    }

    /// How the reconcilers are doing, by name.
    pub fn reconcilers(&self) -> BTreeMap<&'static str, Status> {
        self.reconcilers.statuses()
    }

    /// Runs jobs, what is scheduled, and the reconcilers until `shutdown` fires. Nothing of theirs touches the
    /// database afterwards.
    pub async fn serve_jobs(&self, shutdown: CancellationToken) {
        let stop = shutdown.clone();
        tokio::join!(self.engine.serve(shutdown), self.reconcilers.serve(stop));
        if let Some(vcenters) = &self.vcenters {
            vcenters.log_out().await;
        }
    }

    /// Finishes what is being written, and lets the data directory go.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// The same with connections to vCenters.
    #[must_use]
    pub fn with_vcenters(mut self, vcenters: vcenters::VcenterCases) -> Self {
        self.vcenters = Some(vcenters);
        self
    }
}
