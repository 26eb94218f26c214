//! `/protection-groups`: how the groups stand, the worst first; and the verbs of one. Its own pages are in
//! `group_page.rs` and `group_vms.rs`.

use std::time::Duration;

use axum::extract::{Path, State};

use crate::app::group_states::{GroupState, Next, RpoState, UnknownBecause};
use crate::app::protection_groups::Rhythm;
use crate::domain::access::Role;
use crate::domain::ids::GroupId;
use crate::domain::size::format_duration;
use crate::web::cx::{Cx, done};
use crate::web::screens::dashboard::{Attention, GroupRow};
use crate::web::screens::protection_groups::ProtectionGroups;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, chart, html};
use crate::web::{Answer, Site};

/// Runs in the small drawing.
const DRAWN: usize = 20;

pub(super) fn address(id: GroupId) -> String {
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

pub(super) fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

pub(super) fn rpo(one: &GroupState) -> String {
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
        ready: one.ready().map_or_else(|| "–".to_owned(), |ready| format!("{ready}/{}", one.vms)),
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
    cx.draw(&ProtectionGroups {
        page: cx.page("Protection", Area::Protection),
        rows,
        may_work: cx.may(Role::Operator),
    })
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
