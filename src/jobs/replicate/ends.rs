//! The two ends that a job's steps work on, and what the step before saw there.
//!
//! A look costs two commands on each side. A step that changed nothing, or nothing that it cannot account for, leaves what
//! it saw to the step after it. Nobody relies on it: after a restart, a failure or a pause the next step looks for
//! itself, and whatever is destroyed is looked at again right before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::memory::Memory;
use super::run::{Run, View};
use super::{Guests, ReplicateInput};
use crate::domain::ids::JobId;
use crate::domain::job::Failure;
use crate::engine::StepContext;
use crate::jobs::hosts::Hosts;
use crate::jobs::vcenters::Vcenters;

/// How long a view may be handed on. Steps follow one another at once; what is older was left by a job that stopped
/// in between.
const FRESH: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Ends {
    hosts: Arc<Hosts>,
    seen: Mutex<HashMap<JobId, (Instant, View)>>,
    memory: Memory,
    vcenters: Option<Vcenters>,
}

impl Ends {
    pub(super) fn new(hosts: Arc<Hosts>, vcenters: Option<Vcenters>) -> Self {
        Self { hosts, seen: Mutex::default(), memory: Memory::default(), vcenters }
    }

    /// How hosts are reached.
    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The vCenters that have the virtual machines of a group's run; none in one that is no group's.
    pub(super) fn vcenters_of(&self, input: &ReplicateInput) -> Option<(&Vcenters, Guests)> {
        Some((self.vcenters.as_ref()?, input.guests.clone()?))
    }

    /// What runs with nothing new go by.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Both ends of the job.
    pub(super) async fn open(&self, cx: &StepContext) -> Result<Run, Failure> {
        Run::open(cx.input()?, &self.hosts).await
    }

    /// What the step before left, or else a new look.
    pub(super) async fn view(&self, cx: &StepContext, run: &Run) -> Result<View, Failure> {
        match self.take(cx) {
            Some(view) => Ok(view),
            None => run.look().await,
        }
    }

    /// What the step before left. It can be taken once: a step that fails leaves nothing behind.
    pub(super) fn take(&self, cx: &StepContext) -> Option<View> {
        let left = self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&cx.job().id);
        left.filter(|(at, _)| at.elapsed() < FRESH).map(|(_, view)| view)
    }

    /// Leaves `view`, which has to be how things are now, to the next step.
    pub(super) fn leave(&self, cx: &StepContext, view: View) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (at, _)| at.elapsed() < FRESH);
        seen.insert(cx.job().id, (Instant::now(), view));
    }
}
