//! `/replication`: what needs somebody, what runs, what is left to set up.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio_util::sync::CancellationToken;

use super::attention::attention;
use super::job_list::row;
use crate::app::jobs::JobUpdate;
use crate::app::vcenters::{InventoryChange, VcenterView};
use crate::domain::access::Role;
use crate::domain::job::{Job, JobState};
use crate::web::cx::Cx;
use crate::web::screens::dashboard::{Board, Dashboard, DashboardBoard, FirstRunStep};
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site, Trouble};

/// Where appliances are added.
const APPLIANCES: &str = "/appliances";
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
    cx.draw(&Dashboard { page: frame, may_deploy: cx.may(Role::Operator), board })
}

async fn jobs_in(site: &Site, states: &[JobState]) -> Result<Vec<Job>, Trouble> {
    Ok(site.app.newest_jobs(states, None, SHOWN).await?)
}

async fn board(site: &Site, cx: &Cx) -> Result<Board, Trouble> {
    let running = jobs_in(site, &[JobState::Running, JobState::Cancelling, JobState::Queued]).await?;
    let recent = jobs_in(site, &[JobState::Succeeded, JobState::Failed, JobState::Cancelled]).await?;
    let stuck = jobs_in(site, &[JobState::Waiting, JobState::Interrupted]).await?;
    let vcenters = site.app.vcenters()?.views().await?;
    let states = site.app.group_states().await?;
    let (groups, tally) = super::protection_groups::rows(cx, &states);
    let attention = attention(site, cx, &vcenters, &stuck, &states).await?;
    let map = super::site_map::draw(&site.app, &vcenters, &states).await?;
    let first_run = first_run(site, cx, &vcenters, !states.is_empty()).await?;
    let finished = first_run.iter().all(|step| step.done);
    Ok(Board {
        tally,
        attention,
        map,
        groups,
        running: running.iter().map(|job| row(cx, job)).collect(),
        recent: recent.iter().map(|job| row(cx, job)).collect(),
        first_run: if finished { Vec::new() } else { first_run },
    })
}

/// What is left until the first replication, in the order in which it is done best.
async fn first_run(
    site: &Site,
    cx: &Cx,
    vcenters: &[VcenterView],
    has_group: bool,
) -> Result<Vec<FirstRunStep>, Trouble> {
    let admin = cx.may(Role::Admin);
    let step = |done: bool, label: &str, address: &str, may: bool| FirstRunStep {
        done,
        label: label.to_owned(),
        address: may.then(|| address.to_owned()),
    };
    let keys = site.app.ssh_keys().await?;
    let appliances = site.app.targets().await?;
    let replicated = !site.app.newest_jobs(&[JobState::Succeeded], Some("replicate"), 1).await?.is_empty();
    let synced = !vcenters.is_empty() && vcenters.iter().all(|view| view.vcenter.synced_at.is_some());
    Ok(vec![
        step(site.app.has_recovery_key().await?, "Make a recovery key", "/settings#recovery-key", admin),
        step(vcenters.len() > 1, "Connect both vCenters", "/vcenters/new", admin),
        step(synced, "Read their inventory", "/vcenters", true),
        step(!keys.is_empty(), "Make an SSH key", "/ssh-keys/new", admin),
        step(appliances.len() > 1, "Add the appliances of both sites", APPLIANCES, admin),
        step(has_group, "Make a protection group", "/protection-groups/new", cx.may(Role::Operator)),
        step(
            replicated,
            "Replicate for the first time",
            if has_group { "/protection-groups" } else { APPLIANCES },
            true,
        ),
    ])
}

/// The event `job` whenever any job has moved on, and `vcenter` whenever one is followed differently, for pages that
/// show several.
pub(crate) async fn events(
    State(site): State<Site>,
    cx: Cx,
    Extension(closing): Extension<CancellationToken>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Trouble> {
    let (who, watcher) = (cx.who()?.clone(), site.app.watch_all());
    let streams = site.app.vcenters()?.watch(None);
    let mut asked = tokio::time::interval(ASKED);
    asked.reset();
    let stream = unfold((watcher, streams, asked), move |(mut watcher, mut streams, mut asked)| {
        let (app, who, closing) = (site.app.clone(), who.clone(), closing.clone());
        async move {
            loop {
                tokio::select! {
                    biased;
                    () = closing.cancelled() => return None,
                    update = watcher.next() => match update? {
                        // A console is nothing that a list shows.
                        JobUpdate::Console { .. } => {}
                        _ => {
                            let event = Event::default().event("job").data("");
                            return Some((Ok(event), (watcher, streams, asked)));
                        }
                    },
                    change = streams.next() => match change? {
                        // What is in an inventory is nothing that the dashboard shows.
                        InventoryChange::Inventory { .. } => {}
                        _ => {
                            let event = Event::default().event("vcenter").data("");
                            return Some((Ok(event), (watcher, streams, asked)));
                        }
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
