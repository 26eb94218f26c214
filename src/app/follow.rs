//! A job as it goes, from a given line of its console on: what the store knows already, then what happens.

use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;

use super::jobs::{JobUpdate, Watcher};
use super::{App, AppError, Principal};
use crate::auth::Via;
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, JobState};

/// Console lines read at once.
const PART: usize = 500;

/// One thing to tell to whoever watches a job. The names are those of the events of the API.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum JobEvent {
    /// `state`
    State {
        /// How it stands.
        state: JobState,
    },
    /// `phase`
    Phase {
        /// The step at work.
        phase: Option<String>,
    },
    /// `progress`
    Progress {
        /// 0 to 100 over the whole job.
        progress_percent: u8,
        /// Kind-specific facts; null when they are as before.
        details: Value,
    },
    /// `console`
    Console(ConsoleLine),
    /// `end`: nothing more will come unless somebody asks for it.
    End {
        /// How it ended.
        state: JobState,
    },
}

impl JobEvent {
    /// The event's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::State { .. } => "state",
            Self::Phase { .. } => "phase",
            Self::Progress { .. } => "progress",
            Self::Console(_) => "console",
            Self::End { .. } => "end",
        }
    }

    /// The number by which a reader that was cut off says where it was.
    pub fn seq(&self) -> Option<i64> {
        match self {
            Self::Console(line) => Some(line.seq),
            _ => None,
        }
    }
}

struct Following {
    app: App,
    id: JobId,
    watcher: Watcher,
    /// The last console line that was told.
    last: i64,
    ready: VecDeque<JobEvent>,
    ended: bool,
}

impl App {
    /// Follows a job from behind console line `after`, until it has ended.
    ///
    /// # Errors
    /// If there is no such job.
    pub async fn follow_job(
        &self,
        id: JobId,
        after: i64,
    ) -> Result<impl Stream<Item = JobEvent> + Send + use<>, AppError> {
        // Watched before it is read, so that nothing falls between.
        let watcher = self.watch(id);
        let mut following =
            Following { app: self.clone(), id, watcher, last: after, ready: VecDeque::new(), ended: false };
        following.read().await?;
        Ok(unfold(following, |mut following| async move {
            following.next().await.map(|event| (event, following))
        }))
    }

    /// Whether somebody who was let in a while ago still would be: what long streams ask now and then.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn still_good(&self, who: &Principal) -> Result<bool, AppError> {
        Ok(match who.via {
            Via::CommandLine => true,
            // A change of the user's standing ends their sessions, so the session tells all.
            Via::Session { id, .. } => self.own_sessions(who).await?.iter().any(|session| session.id == id),
            Via::Token(id) => {
                let now = self.now();
                self.tokens().await?.iter().any(|token| token.id == id && token.is_good(now))
            }
        })
    }
}

impl Following {
    async fn next(&mut self) -> Option<JobEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.watcher.next().await? {
                // The store has what a slow watcher missed; and at the end it has the whole console.
                JobUpdate::State { .. } | JobUpdate::Refresh => self.read().await.ok()?,
                JobUpdate::Phase { phase, .. } => return Some(JobEvent::Phase { phase }),
                JobUpdate::Progress { percent, details, .. } => {
                    return Some(JobEvent::Progress { progress_percent: percent, details });
                }
                JobUpdate::Console { line, .. } if line.seq > self.last => {
                    self.last = line.seq;
                    return Some(JobEvent::Console(line));
                }
                JobUpdate::Console { .. } => {}
            }
        }
    }

    /// Queues what the store knows.
    async fn read(&mut self) -> Result<(), AppError> {
        let job = self.app.job(self.id).await?;
        self.ready.push_back(JobEvent::State { state: job.state });
        self.ready.push_back(JobEvent::Phase { phase: job.phase });
        let (progress_percent, details) = (job.progress_percent, job.details);
        self.ready.push_back(JobEvent::Progress { progress_percent, details });
        loop {
            let lines = self.app.console(self.id, self.last, PART).await?;
            let whole = lines.len() < PART;
            for line in lines {
                self.last = line.seq;
                self.ready.push_back(JobEvent::Console(line));
            }
            if whole {
                break;
            }
        }
        if job.state.is_final() {
            self.ended = true;
            self.ready.push_back(JobEvent::End { state: job.state });
        }
        Ok(())
    }
}
