//! `/protection-groups`: how the groups stand, the worst first; one with its checkpoints and virtual machines.

use std::time::Duration;

use axum::extract::{Path, State};

use crate::app::group_states::{GroupState, Next, RpoState, UnknownBecause};
use crate::app::protected_vms::{ProtectedVmView, ReadyItem, ReadyState};
use crate::app::protection_groups::{Checkpoint, CheckpointKind, Rhythm};
use crate::domain::access::Role;
use crate::domain::ids::GroupId;
use crate::domain::size::{format_bytes, format_duration};
use crate::web::cx::{Cx, done};
use crate::web::screens::dashboard::{Attention, GroupRow};
use crate::web::screens::protection_groups::{
    CheckpointRow, ProtectedVmRow, ProtectionGroupPage, ProtectionGroups,
};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, chart, html};
use crate::web::{Answer, Site, Trouble};

/// Checkpoints on a group's page.
const SHOWN: usize = 100;
/// Runs in the small drawing.
const DRAWN: usize = 20;

fn address(id: GroupId) -> String {
    format!("/protection-groups/{id}")
}

/// How a group stands, by shape and word.
pub(super) fn status(one: &GroupState) -> Status {
    match (&one.rpo, one.group.enabled, one.group.paused_at) {
        (_, false, _) => Status::new(Mark::Unknown, "switched off"),
        (Some(RpoState::Broken { by }), ..) => {
            Status::new(Mark::Broken, format!("broken for {}", format_duration(whole(*by))))
        }
        (_, _, Some(_)) => Status::new(Mark::Risk, "paused"),
        // A run that was started in time is what keeps it within.
        (Some(RpoState::AtRisk { .. }), ..) if one.running().is_none() => Status::new(Mark::Risk, "at risk"),
        (Some(RpoState::Met { .. } | RpoState::AtRisk { .. }), ..) => Status::new(Mark::Met, "met"),
        (Some(RpoState::Unknown(UnknownBecause::ClocksDisagree(_))), ..) => {
            Status::new(Mark::Unknown, "clocks disagree")
        }
        (_, _, None) if one.running().is_some() && one.newest.is_none() => {
            Status::new(Mark::Working, "first replication")
        }
        (Some(RpoState::Unknown(UnknownBecause::NoCheckpoint)), ..) => {
            Status::new(Mark::Unknown, "no checkpoint yet")
        }
        (None, ..) => match one.last_run().and_then(|run| run.succeeded) {
            Some(true) => Status::new(Mark::Met, "replicated"),
            Some(false) => Status::new(Mark::Broken, "last run failed"),
            None => Status::new(Mark::Unknown, "not run yet"),
        },
    }
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

fn rpo(one: &GroupState) -> String {
    match &one.group.policy.rhythm {
        Rhythm::Rpo { minutes } => format!("{minutes} min"),
        Rhythm::Calendar { pattern, .. } => pattern.clone(),
    }
}

/// How long the last runs took, oldest first.
fn drawing(one: &GroupState) -> Html {
    let ended: Vec<_> = one.runs.iter().filter(|run| run.finished_at.is_some()).take(DRAWN).collect();
    let bar = |run: &&&crate::app::group_states::GroupRun| {
        let mark = if run.succeeded == Some(true) { Mark::Met } else { Mark::Broken };
        Some((run.took_ms.unwrap_or(0) as f64, mark))
    };
    let failed = ended.iter().filter(|run| run.succeeded != Some(true)).count();
    let label = format!("How long the last {} runs took; {failed} of them failed", ended.len());
    chart::bars(&ended.iter().rev().map(|run| bar(&run)).collect::<Vec<_>>(), &label)
}

/// A group as a list shows it.
pub(super) fn row(cx: &Cx, one: &GroupState) -> GroupRow {
    let next = match one.next {
        Next::Busy => Some(html::text("runs now")),
        Next::Start => Some(html::text("now")),
        Next::WaitsForRoom => Some(html::text("waits for its appliance")),
        Next::Closed(None) => Some(html::text("never: its timetable is closed")),
        Next::At(at) | Next::Closed(Some(at)) => Some(cx.ago(at)),
        Next::Never => None,
    };
    GroupRow {
        name: one.group.name.clone(),
        address: address(one.group.id),
        status: status(one),
        vms: one.vms,
        rpo: rpo(one),
        newest: one.newest.as_ref().map(|newest| cx.ago(newest.taken_at)),
        day: drawing(one),
        next,
        ready: "–".to_owned(),
    }
}

/// The rows of all groups, the worst first; and how many stand how.
pub(super) fn rows(cx: &Cx, all: &[GroupState]) -> (Vec<GroupRow>, Vec<Status>) {
    let mut rows: Vec<GroupRow> = all.iter().map(|one| row(cx, one)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.status.mark));
    let count = |mark: Mark, word: &str| {
        let count = rows.iter().filter(|row| row.status.mark == mark).count();
        (count > 0).then(|| Status::new(mark, format!("{count} {word}")))
    };
    let tally = [
        count(Mark::Met, "met"),
        count(Mark::Risk, "at risk"),
        count(Mark::Broken, "broken"),
        count(Mark::Working, "working"),
        count(Mark::Unknown, "unknown"),
    ];
    (rows, tally.into_iter().flatten().collect())
}

/// What of a group needs somebody.
pub(super) fn attention(one: &GroupState) -> Option<Attention> {
    let status = status(one);
    let failed = one.last_run().is_some_and(|run| run.succeeded == Some(false));
    let why = match (&one.rpo, status.mark) {
        (Some(RpoState::Broken { by }), Mark::Broken) => {
            let by = format_duration(whole(*by));
            let last = if failed { " Its last run failed." } else { "" };
            format!("Its RPO of {} has been broken for {by}.{last}", rpo(one))
        }
        (_, Mark::Broken) => "Its last run failed.".to_owned(),
        _ if one.is_tight && one.group.runs() => format!(
            "A run takes about {}, more than half of its RPO of {}. Give it more bandwidth or a longer RPO.",
            format_duration(whole(one.expected)),
            rpo(one)
        ),
        _ => return None,
    };
    let status = if status.mark == Mark::Broken { status } else { Status::new(Mark::Risk, "soon too slow") };
    let link = |label: &str| Link { label: label.to_owned(), address: address(one.group.id) };
    Some(Attention { status, what: link(&one.group.name), why, mend: link("Look"), seen: None })
}

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let all = site.app.group_states().await?;
    let (rows, _) = rows(&cx, &all);
    cx.draw(&ProtectionGroups { page: cx.page("Protection", Area::Protection), rows })
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let checkpoints = site.app.checkpoints(id, false).await?;
    let vms = site.app.protected_vms(id).await?;
    let paused = state.group.paused_at.is_some();
    let frame = cx.page(&state.group.name, Area::Protection);
    cx.draw(&ProtectionGroupPage {
        page: frame,
        row: row(&cx, &state),
        description: state.group.description.clone(),
        notes: attention(&state).map(|one| one.why).into_iter().collect(),
        chart: ages(&checkpoints),
        facts: facts(&site, &state).await?,
        checkpoints: checkpoints.iter().take(SHOWN).map(|one| checkpoint(&cx, one)).collect(),
        vms: vms.iter().map(machine).collect(),
        pause: match paused {
            true => (format!("{}/resume", address(id)), "Resume"),
            false => (format!("{}/pause", address(id)), "Pause"),
        },
        running: state.running().map(|run| format!("/jobs/{}", run.job)),
        may_work: cx.may(Role::Operator),
    })
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

/// A line of the check list in one or two words: what is there, or what is not.
fn tick(item: &ReadyItem) -> Status {
    let [done, missing, unknown] = match item.key {
        "protection_datastore" => ["on its datastore", "files elsewhere", "place unknown"],
        "replicated" => ["replicated", "not replicated", "replication unknown"],
        "dr_shell" => ["DR shell", "no DR shell", "DR shell unknown"],
        "networks" => ["networks", "network missing", "networks not mapped yet"],
        _ => ["done", "missing", "unknown"],
    };
    match item.state {
        ReadyState::Done => Status::new(Mark::Met, done),
        ReadyState::Missing => Status::new(Mark::Risk, missing),
        ReadyState::Unknown => Status::new(Mark::Unknown, unknown),
    }
}

fn machine(view: &ProtectedVmView) -> ProtectedVmRow {
    let items = &view.readiness.items;
    let missing = items.iter().find(|item| item.state != ReadyState::Done);
    ProtectedVmRow {
        name: view.vm.name.clone(),
        address: format!("/inventory/{}/vms/{}", view.vm.vcenter, view.vm.moref),
        ticks: items.iter().map(|item| (tick(item), item.text.clone())).collect(),
        missing: missing.map(|item| match item.advice {
            Some(advice) => format!("{} {advice}", item.text),
            None => item.text.clone(),
        }),
    }
}

pub(crate) async fn pause(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    site.app.pause_protection_group(cx.who()?, id).await?;
    Ok(done(&site, &address(id), "The group is paused: no run starts by itself until it is resumed."))
}

pub(crate) async fn resume(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    site.app.resume_protection_group(cx.who()?, id).await?;
    Ok(done(&site, &address(id), "The group runs by itself again."))
}

pub(crate) async fn run_now(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let job = site.app.run_protection_group(cx.who()?, id).await?;
    Ok(done(&site, &format!("/jobs/{job}"), "The run is started."))
}
