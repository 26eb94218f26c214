//! `/replication`: what needs somebody, what runs, what is left to set up.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio_util::sync::CancellationToken;

use super::job_list::row;
use crate::app::jobs::{JobQuery, JobUpdate};
use crate::domain::access::Role;
use crate::domain::job::{Job, JobState};
use crate::web::cx::Cx;
use crate::web::screens::dashboard::{Attention, Board, Dashboard, DashboardBoard, FirstRunStep};
use crate::web::view::Status;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::{Answer, Site, Trouble};

/// Most jobs in each list.
const SHOWN: usize = 8;
/// How often it is asked whether the reader may still read.
const ASKED: Duration = Duration::from_secs(15);

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let board = board(&site, &cx).await?;
    let frame = cx.page("Replication", Area::Replication);
    if cx.wants_fragment() {
        return cx.draw(&DashboardBoard { page: frame, board });
    }
    cx.draw(&Dashboard { page: frame, board })
}

async fn jobs_in(site: &Site, states: &[JobState]) -> Result<Vec<Job>, Trouble> {
    let query = JobQuery { states: states.to_vec(), limit: SHOWN, ..JobQuery::default() };
    Ok(site.app.job_page(query).await?.items)
}

async fn board(site: &Site, cx: &Cx) -> Result<Board, Trouble> {
    let running = jobs_in(site, &[JobState::Running, JobState::Cancelling, JobState::Queued]).await?;
    let recent = jobs_in(site, &[JobState::Succeeded, JobState::Failed, JobState::Cancelled]).await?;
    let stuck = jobs_in(site, &[JobState::Waiting, JobState::Interrupted]).await?;
    let link = |label: &str, address: String| Link { label: label.to_owned(), address };
    let mut attention: Vec<Attention> = stuck
        .iter()
        .map(|job| Attention {
            status: Status::from(job.state),
            what: link(&job.kind, format!("/jobs/{}", job.id)),
            why: job.failure.as_ref().map_or("It waits for a person.".to_owned(), |why| why.message.clone()),
            mend: link("Look", format!("/jobs/{}", job.id)),
        })
        .collect();
    if cx.may(Role::Admin) && !site.app.has_recovery_key().await? {
        attention.push(Attention {
            status: Status::new(Mark::Risk, "at risk"),
            what: link("Recovery key", "/settings".to_owned()),
            why: "None was made: if this machine is lost, every password and key has to be entered again."
                .to_owned(),
            mend: link("Make one", "/settings".to_owned()),
        });
    }
    let keys = site.app.ssh_keys().await?;
    let replicated = recent.iter().any(|job| job.kind == "replicate" && job.state == JobState::Succeeded);
    let admin = cx.may(Role::Admin);
    let first_run = vec![
        FirstRunStep { done: true, label: "Sign in".to_owned(), address: None },
        FirstRunStep {
            done: !keys.is_empty(),
            label: "Make an SSH key".to_owned(),
            address: admin.then(|| "/ssh-keys/new".to_owned()),
        },
    ];
    let finished = replicated || first_run.iter().all(|step| step.done);
    Ok(Board {
        tally: Vec::new(),
        attention,
        map: None,
        groups: Vec::new(),
        running: running.iter().map(|job| row(cx, job)).collect(),
        recent: recent.iter().map(|job| row(cx, job)).collect(),
        first_run: if finished { Vec::new() } else { first_run },
    })
}

/// The event `job` whenever any job has moved on, for pages that show several.
pub(crate) async fn events(
    State(site): State<Site>,
    cx: Cx,
    Extension(closing): Extension<CancellationToken>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Trouble> {
    let (who, watcher) = (cx.who()?.clone(), site.app.watch_all());
    let mut asked = tokio::time::interval(ASKED);
    asked.reset();
    let stream = unfold((watcher, asked), move |(mut watcher, mut asked)| {
        let (app, who, closing) = (site.app.clone(), who.clone(), closing.clone());
        async move {
            loop {
                tokio::select! {
                    biased;
                    () = closing.cancelled() => return None,
                    update = watcher.next() => match update? {
                        // A console is nothing that a list shows.
                        JobUpdate::Console { .. } => {}
                        _ => return Some((Ok(Event::default().event("job").data("")), (watcher, asked))),
                    },
                    _ = asked.tick() => {
                        if !app.still_good(&who).await.unwrap_or(false) {
                            return None;
                        }
                    }
                }
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
}
