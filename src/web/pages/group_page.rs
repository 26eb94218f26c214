//! `/protection-groups/{id}`: the pages of one group. That of its virtual machines is in `group_vms.rs`.

use std::time::Duration;

use axum::extract::{Path, State};

use super::group_preflights::preflight;
use super::protection_groups::{address, attention, row, whole};
use super::{group_key, group_past};
use crate::app::group_states::{GroupRun, GroupState};
use crate::app::protection_groups::{Checkpoint, CheckpointKind, Policy, Quiesce};
use crate::domain::access::Role;
use crate::domain::ids::GroupId;
use crate::domain::size::{format_bytes, format_duration};
use crate::domain::timetable::{Allows, Timetable, Window, clock_of};
use crate::domain::transport::Transport;
use crate::web::cx::Cx;
use crate::web::screens::protection_groups::{
    CheckpointRow, GroupCheckpoints, GroupHead, GroupHistory, GroupObstacles, GroupOverview, GroupSettings,
    ObstacleList, RunRow, TabLink,
};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html};
use crate::web::{Answer, Site, Trouble};

/// Checkpoints on a group's page.
const SHOWN: usize = 200;
/// Runs on a group's page.
const RUNS: u32 = 200;
/// Breaches on a group's page.
const BREACHES: usize = 20;

/// The pages of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Vms,
    Checkpoints,
    Recovery,
    Tests,
    History,
    Settings,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Overview, "Overview", ""),
        (Self::Vms, "Virtual machines", "/vms"),
        (Self::Checkpoints, "Checkpoints", "/checkpoints"),
        (Self::Recovery, "Recovery plan", "/recovery-plan"),
        (Self::Tests, "Tests", "/tests"),
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
        appliances: state.appliances.clone(),
        tabs: Tab::ALL.into_iter().map(tab).collect(),
        pause: match state.group.paused_at {
            Some(_) => (format!("{own}/resume"), "Resume"),
            None => (format!("{own}/pause"), "Pause"),
        },
        running: state.running().map(|run| format!("/jobs/{}", run.job)),
        may_work: cx.may(Role::Operator),
        may_run: state.group.enabled,
        failover: state.failover.as_ref().map(|run| super::rollbacks::banner(cx, state, run)),
    }
}

pub(crate) async fn overview(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let checkpoints = site.app.checkpoints(id, true).await?;
    let (days, breaches) = site.app.rpo_history(id).await?;
    cx.draw(&GroupOverview {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Overview),
        notes: attention(&state).map(|one| one.why).into_iter().collect(),
        gauge: group_past::gauge(&state, cx.now),
        ages: group_past::ages(&cx, &state, &checkpoints),
        days: group_past::compliance(&days),
        breaches: breaches.iter().take(BREACHES).map(|one| group_past::breach(&cx, one)).collect(),
        preflight: preflight(&cx, &state),
    })
}

pub(crate) async fn obstacles(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let group = site.app.protection_group(id).await?;
    let found = site.app.group_obstacles(id).await?;
    let obstacles = found.into_iter().map(super::group_steps::obstacle).collect();
    let mut page = cx.page(format!("What would hurt {}", group.name), Area::Protection);
    page.crumbs = vec![Link { label: group.name, address: address(id) }];
    if cx.wants_fragment() {
        return cx.draw(&ObstacleList { page, obstacles });
    }
    cx.draw(&GroupObstacles { page, obstacles })
}

pub(crate) async fn checkpoints(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let with_gone = !cx.asked("gone").is_empty();
    let all = site.app.checkpoints(id, with_gone).await?;
    let there = all.iter().filter(|one| one.gone_at.is_none()).count();
    let mut rows: Vec<CheckpointRow> = all.iter().take(SHOWN).map(|one| checkpoint(&cx, id, one)).collect();
    let looked = match cx.asked("holds") {
        "" => None,
        _ => Some(group_past::holds(&site, &state.group, &mut rows).await),
    };
    cx.draw(&GroupCheckpoints {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Checkpoints),
        checkpoints: rows,
        there,
        with_gone,
        looked,
        address: format!("{}/checkpoints", address(id)),
    })
}

pub(crate) async fn history(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let runs = site.app.group_runs(id, RUNS).await?;
    cx.draw(&GroupHistory {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::History),
        runs: runs.iter().map(|one| run(&cx, one)).collect(),
    })
}

pub(crate) async fn settings(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    cx.draw(&GroupSettings {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Settings),
        facts: facts(&site, &state).await?,
        key: site.app.group_key(id).await?.map(|key| group_key::view(&cx, &key)),
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

/// Whether guests are asked to be at rest, in words.
pub(super) fn quiesced(policy: &Policy) -> String {
    match policy.quiesce {
        Quiesce::Never => "never asked to be at rest".to_owned(),
        Quiesce::Every(1) => "asked to be at rest for every checkpoint".to_owned(),
        Quiesce::Every(count) => format!("asked to be at rest once in {count} checkpoints"),
    }
}

async fn facts(site: &Site, state: &GroupState) -> Result<Vec<(String, Html)>, Trouble> {
    let group = &state.group;
    let (source, dr) = (site.app.target(group.source.target).await?, site.app.target(group.dr.target).await?);
    let policy = &group.policy;
    let limit = policy.bandwidth_limit.map_or_else(|| "none".to_owned(), |rate| rate.to_string());
    let fact = |name: &str, text: String| (name.to_owned(), html::text(&text));
    let timetable = policy.timetable.as_ref().map_or_else(|| "none".to_owned(), windows);
    let mut facts = vec![
        fact("Source", format!("{} on {}", group.source.dataset, source.name)),
        fact("Replica", format!("{} on {}", group.dr.dataset, dr.name)),
        fact("Runs", policy.rhythm.describe()),
        fact("Kept at the source", policy.keep_source.describe()),
        fact("Kept at the DR side", policy.keep_dr.describe()),
        fact("Bandwidth limit", limit),
        fact("Weekly timetable", timetable),
        fact("Way", way(policy.transport).to_owned()),
        fact("Guests", quiesced(policy)),
        fact("Priority", policy.priority.to_string()),
        fact("A run takes about", format_duration(whole(state.expected))),
        fact("Made by", group.created_by.clone()),
    ];
    if !group.enabled {
        facts.insert(0, fact("Replicated", "no: it is switched off".to_owned()));
    }
    Ok(facts)
}

fn way(transport: Transport) -> &'static str {
    match transport {
        Transport::Auto => "straight where that can be, else through Zerfaux",
        Transport::Direct => "straight from appliance to appliance",
        Transport::Relay => "through Zerfaux",
    }
}

/// The timetable in words.
fn windows(timetable: &Timetable) -> String {
    let one = |window: &Window| {
        let days: Vec<&str> = window.days.iter().map(|day| day.as_str()).collect();
        let allows = match window.allows {
            Allows::Nothing => "no run is started".to_owned(),
            Allows::AtMost(rate) => format!("at most {rate}"),
        };
        format!("{} {} to {}: {allows}", days.join(", "), clock_of(window.from), clock_of(window.to))
    };
    let all: Vec<String> = timetable.windows.iter().map(one).collect();
    format!("{} ({})", all.join("; "), timetable.time_zone)
}

pub(super) fn checkpoint(cx: &Cx, group: GroupId, one: &Checkpoint) -> CheckpointRow {
    let took = Duration::try_from(one.complete_at.duration_since(one.taken_at)).unwrap_or_default();
    CheckpointRow {
        taken: cx.ago(one.taken_at),
        snapshot: one.snapshot.to_string(),
        address: format!("{}/checkpoints/{}", address(group), one.guid),
        kind: match one.kind {
            CheckpointKind::CrashConsistent => "crash-consistent",
            CheckpointKind::Quiesced => "quiesced",
            CheckpointKind::Partly => "partly quiesced",
        },
        bytes: format_bytes(one.bytes),
        took: format_duration(whole(took)),
        status: match one.gone_at {
            None => Status::new(Mark::Met, "there"),
            Some(_) => Status::new(Mark::Unknown, "gone"),
        },
        held: Vec::new(),
        job: one.job.map(|job| format!("/jobs/{job}")),
    }
}
