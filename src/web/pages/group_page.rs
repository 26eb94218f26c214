//! `/protection-groups/{id}`: the pages of one group. That of its virtual machines is in `group_vms.rs`.

use std::time::Duration;

use axum::extract::{Path, State};

use super::protection_groups::{address, attention, row, whole};
use crate::app::group_states::{GroupRun, GroupState};
use crate::app::protection_groups::{Checkpoint, CheckpointKind};
use crate::domain::access::Role;
use crate::domain::ids::GroupId;
use crate::domain::size::{format_bytes, format_duration};
use crate::web::cx::Cx;
use crate::web::screens::protection_groups::{
    CheckpointRow, GroupCheckpoints, GroupHead, GroupHistory, GroupOverview, GroupSettings, RunRow, TabLink,
};
use crate::web::view::navigation::Area;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, chart, html};
use crate::web::{Answer, Site, Trouble};

/// Checkpoints on a group's page.
const SHOWN: usize = 100;

/// The pages of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Vms,
    Checkpoints,
    History,
    Settings,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Overview, "Overview", ""),
        (Self::Vms, "Virtual machines", "/vms"),
        (Self::Checkpoints, "Checkpoints", "/checkpoints"),
        (Self::History, "History", "/history"),
        (Self::Settings, "Settings", "/settings"),
    ];
}

/// What stands at the top of every page of a group.
pub(super) fn head(cx: &Cx, state: &GroupState, current: Tab) -> GroupHead {
    let own = address(state.group.id);
    let tab = |(tab, label, place): (Tab, &'static str, &str)| TabLink {
        label: label.to_owned(),
        address: format!("{own}{place}"),
        current: tab == current,
    };
    GroupHead {
        row: row(cx, state),
        description: state.group.description.clone(),
        tabs: Tab::ALL.into_iter().map(tab).collect(),
        pause: match state.group.paused_at {
            Some(_) => (format!("{own}/resume"), "Resume"),
            None => (format!("{own}/pause"), "Pause"),
        },
        running: state.running().map(|run| format!("/jobs/{}", run.job)),
        may_work: cx.may(Role::Operator),
    }
}

pub(crate) async fn overview(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let checkpoints = site.app.checkpoints(id, false).await?;
    cx.draw(&GroupOverview {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Overview),
        notes: attention(&state).map(|one| one.why).into_iter().collect(),
        chart: ages(&checkpoints),
    })
}

pub(crate) async fn checkpoints(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let checkpoints = site.app.checkpoints(id, false).await?;
    cx.draw(&GroupCheckpoints {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Checkpoints),
        checkpoints: checkpoints.iter().take(SHOWN).map(|one| checkpoint(&cx, one)).collect(),
    })
}

pub(crate) async fn history(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    cx.draw(&GroupHistory {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::History),
        runs: state.runs.iter().map(|one| run(&cx, one)).collect(),
    })
}

pub(crate) async fn settings(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    cx.draw(&GroupSettings {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Settings),
        facts: facts(&site, &state).await?,
    })
}

fn run(cx: &Cx, one: &GroupRun) -> RunRow {
    RunRow {
        status: match one.succeeded {
            Some(true) => Status::new(Mark::Met, "replicated"),
            Some(false) => Status::new(Mark::Broken, "failed"),
            None => Status::new(Mark::Working, "runs"),
        },
        started: cx.ago(one.started_at),
        took: one.took_ms.map_or_else(|| "–".to_owned(), |ms| format_duration(Duration::from_millis(ms))),
        bytes: format_bytes(one.bytes),
        job: format!("/jobs/{}", one.job),
    }
}

/// How old the newest checkpoint had become each time before the next one was complete.
fn ages(checkpoints: &[Checkpoint]) -> Html {
    let mut ages: Vec<Option<f64>> = checkpoints
        .windows(2)
        .filter_map(|pair| match pair {
            [newer, older] => Some(Some(newer.complete_at.duration_since(older.taken_at).as_secs_f64())),
            _ => None,
        })
        .take(SHOWN)
        .collect();
    ages.reverse();
    let worst = ages.iter().flatten().copied().fold(0.0, f64::max);
    let worst = format_duration(Duration::from_secs(worst as u64));
    chart::sparkline(
        &ages,
        None,
        &format!("How old the newest checkpoint became before the next: {worst} at most"),
    )
}

async fn facts(site: &Site, state: &GroupState) -> Result<Vec<(String, Html)>, Trouble> {
    let group = &state.group;
    let (source, dr) = (site.app.target(group.source.target).await?, site.app.target(group.dr.target).await?);
    let policy = &group.policy;
    let limit = policy.bandwidth_limit.map_or_else(|| "none".to_owned(), |rate| rate.to_string());
    let fact = |name: &str, text: String| (name.to_owned(), html::text(&text));
    Ok(vec![
        fact("Source", format!("{} on {}", group.source.dataset, source.name)),
        fact("Replica", format!("{} on {}", group.dr.dataset, dr.name)),
        fact("Runs", policy.rhythm.describe()),
        fact("Kept at the source", policy.keep_source.describe()),
        fact("Kept at the DR side", policy.keep_dr.describe()),
        fact("Bandwidth limit", limit),
        fact("A run takes about", format_duration(whole(state.expected))),
    ])
}

fn checkpoint(cx: &Cx, one: &Checkpoint) -> CheckpointRow {
    let took = Duration::try_from(one.complete_at.duration_since(one.taken_at)).unwrap_or_default();
    CheckpointRow {
        taken: cx.ago(one.taken_at),
        snapshot: one.snapshot.to_string(),
        kind: match one.kind {
            CheckpointKind::CrashConsistent => "crash-consistent",
            CheckpointKind::Quiesced => "quiesced",
            CheckpointKind::Partly => "partly quiesced",
        },
        bytes: format_bytes(one.bytes),
        took: format_duration(whole(took)),
    }
}
