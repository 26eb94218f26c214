//! What a run that ended with both sides equal remembers for the next one, so that a run with nothing new costs one small
//! command on each side, however many datasets there are.
//!
//! Only for runs that take no snapshot themselves. What is remembered counts while no dataset of the source's tree has
//! gained or lost a snapshot (`snapshots_changed`, OpenZFS 2.2) and the replica's root weighs what it weighed, and for ten
//! minutes at most; then everything is looked at again. So what somebody does to a replica without changing its
//! size is noticed ten minutes late, while nothing is sent. Whatever is destroyed is looked at right before.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ReplicateInput;
use super::run::{Run, View};
use crate::domain::job::Failure;
use crate::zfs::Signs;

/// Everything is looked at again after this time.
const COUNTS_FOR: Duration = Duration::from_secs(600);
/// So many replications are remembered.
const MOST: usize = 256;

/// See the module.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<String, Remembered>>);

struct Remembered {
    at: Instant,
    signs: Signs,
    weight: String,
    view: View,
}

impl Memory {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What both sides were, if they still are. Whatever comes of this run, it has to be remembered anew.
    pub(super) async fn recall(&self, run: &Run) -> Result<Option<View>, Failure> {
        let Some(key) = key(&run.input) else { return Ok(None) };
        let Some(known) = self.all().remove(&key).filter(|known| known.at.elapsed() < COUNTS_FOR) else {
            return Ok(None);
        };
        let (signs, weight) = tokio::join!(
            run.source.signs(&run.input.source.dataset),
            run.destination.weight(&run.input.destination.dataset)
        );
        let same = signs?.is_some_and(|signs| signs.same_as(&known.signs))
            && weight?.is_some_and(|weight| weight == known.weight);
        if !same {
            return Ok(None);
        }
        let view = known.view.clone();
        self.all().insert(key, known);
        Ok(Some(view))
    }

    /// Snapshots were destroyed.
    pub(super) fn forget(&self, run: &Run) {
        if let Some(key) = key(&run.input) {
            self.all().remove(&key);
        }
    }

    /// Both sides are as in `view`, whose source had these signs before it was listed.
    pub(super) async fn keep(&self, run: &Run, view: View, signs: Signs) -> Result<(), Failure> {
        let Some(key) = key(&run.input).filter(|_| signs.are_certain()) else { return Ok(()) };
        let Some(weight) = run.destination.weight(&run.input.destination.dataset).await? else {
            return Ok(());
        };
        let mut all = self.all();
        all.retain(|_, known| known.at.elapsed() < COUNTS_FOR);
        if all.len() < MOST {
            all.insert(key, Remembered { at: Instant::now(), signs, weight, view });
        }
        Ok(())
    }
}

/// None for runs that take a snapshot: they always have something new.
fn key(input: &ReplicateInput) -> Option<String> {
    if input.snapshot { None } else { serde_json::to_string(input).ok() }
}
