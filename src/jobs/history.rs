//! Forgets jobs that ended longer ago than the settings say. Not a job itself: nobody asks for it, and it takes
//! nothing away that anything refers to.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::failure::not_kept;
use crate::domain::job::Failure;
use crate::domain::settings::Settings;
use crate::engine::Clock;
use crate::engine::reconcile::Reconciler;
use crate::store::Store;

/// Where the settings lie in the store.
const SETTINGS: &str = "settings";
/// How many are forgotten in one transaction: others write in between.
const PART: usize = 500;

/// The reconciler.
pub struct History {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl History {
    /// Over this store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

#[async_trait]
impl Reconciler for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> Result<String, Failure> {
        let saved = self.store.setting(SETTINGS).await.map_err(not_kept)?;
        let settings: Settings =
            saved.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        let Some(days) = settings.history_days else { return Ok("Jobs are kept for ever.".to_owned()) };
        let before = self.clock.now() - SignedDuration::from_hours(24 * i64::from(days));
        let mut forgotten = 0;
        loop {
            let gone = self.store.forget_jobs(before, PART).await.map_err(not_kept)?;
            forgotten += gone;
            if gone < PART {
                break;
            }
        }
        Ok(format!("{forgotten} jobs that ended more than {days} days ago were forgotten."))
    }
}
