//! What happens to jobs, told live to whoever watches. Nothing here is kept: a watcher that was too slow is
//! told to look at the store again.

use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, JobState};

/// How many updates a watcher may lag behind before it is told to refresh.
const BACKLOG: usize = 1024;

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "update", rename_all = "snake_case")]
pub enum JobUpdate {
    /// It stands differently. Already in the store.
    State {
        /// The job.
        job: JobId,
        /// How it stands now.
        state: JobState,
    },
    /// It does, or takes back, another step.
    Phase {
        /// The job.
        job: JobId,
        /// The step's name.
        phase: Option<String>,
    },
    /// It has moved on. May not be in the store yet.
    Progress {
        /// The job.
        job: JobId,
        /// 0 to 100 over the whole job.
        percent: u8,
        /// Kind-specific facts; null when they are as before.
        details: Value,
    },
    /// A line on its console. May not be in the store yet.
    Console {
        /// The job.
        job: JobId,
        /// The line, with the number that it has in the store.
        line: ConsoleLine,
    },
    /// Updates were lost because the watcher was too slow: look at the store again.
    Refresh,
}

impl JobUpdate {
    /// The job that it is about.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::State { job, .. }
            | Self::Phase { job, .. }
            | Self::Progress { job, .. }
            | Self::Console { job, .. } => Some(*job),
            Self::Refresh => None,
        }
    }
}

/// Where updates are told.
#[derive(Debug, Clone)]
pub(super) struct Hub(broadcast::Sender<JobUpdate>);

impl Hub {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    /// Nobody listening is no error.
    pub(super) fn tell(&self, update: JobUpdate) {
        let _ = self.0.send(update);
    }

    pub(super) fn watch(&self, job: Option<JobId>) -> Watcher {
        Watcher { updates: self.0.subscribe(), job }
    }
}

/// Receives what happens to one job, or to all, from the moment it was made.
#[derive(Debug)]
pub struct Watcher {
    updates: broadcast::Receiver<JobUpdate>,
    job: Option<JobId>,
}

impl Watcher {
    /// The next update; None once the engine is gone. Whoever waits for a job's end looks for
    /// [`JobUpdate::State`] and, after [`JobUpdate::Refresh`], into the store.
    pub async fn next(&mut self) -> Option<JobUpdate> {
        loop {
            match self.updates.recv().await {
                Ok(update) if self.job.is_none() || update.job() == self.job => return Some(update),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(JobUpdate::Refresh),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = JobUpdate> + Send {
        unfold(self, |mut watcher| async move { watcher.next().await.map(|update| (update, watcher)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_sees_its_own_job_only() {
        let (hub, mine, other) = (Hub::new(), JobId::new(), JobId::new());
        let mut watcher = hub.watch(Some(mine));
        hub.tell(JobUpdate::State { job: other, state: JobState::Failed });
        hub.tell(JobUpdate::State { job: mine, state: JobState::Running });
        assert_eq!(watcher.next().await, Some(JobUpdate::State { job: mine, state: JobState::Running }));
    }

    #[tokio::test]
    async fn a_slow_watcher_is_told_to_refresh_and_then_goes_on_with_what_is_new() {
        let (hub, job) = (Hub::new(), JobId::new());
        let mut watcher = hub.watch(Some(job));
        for n in 0..2 * BACKLOG {
            let details = Value::from(n);
            hub.tell(JobUpdate::Progress { job, percent: 1, details });
        }
        assert_eq!(watcher.next().await, Some(JobUpdate::Refresh));
        let Some(JobUpdate::Progress { details, .. }) = watcher.next().await else { panic!("progress") };
        assert!(details.as_u64().unwrap() >= BACKLOG as u64, "old updates are dropped, not delayed");
    }
}
