//! How a group stood: the drawings and tables of its page.

use std::time::Duration;

use jiff::Timestamp;

use super::protection_groups::{rpo, status, whole};
use crate::app::group_states::{Breach, GroupState, RpoDay};
use crate::app::protection_groups::{Checkpoint, ProtectionGroup};
use crate::app::target_health::Part;
use crate::domain::size::format_duration;
use crate::web::Site;
use crate::web::cx::{Cx, sentence};
use crate::web::screens::protection_groups::{BreachRow, CheckpointRow, Compliance};
use crate::web::view::plot::Plot;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, chart};

/// Checkpoints in the drawing of ages.
const DRAWN: usize = 200;
/// Days in the table; the drawing has more.
const LISTED: usize = 7;
/// Snapshots of which it is asked what holds them.
const ASKED: usize = 1000;

fn seconds(time: u64) -> String {
    format_duration(Duration::from_secs(time))
}

/// The age of the newest checkpoint against the RPO, drawn and in words.
pub(super) fn gauge(state: &GroupState, now: Timestamp) -> Option<(Html, String)> {
    let promised = state.group.policy.rhythm.rpo_seconds()?;
    let newest = state.newest.as_ref()?;
    let age = u64::try_from(now.duration_since(newest.taken_at).as_secs()).unwrap_or(0);
    let words = format!("{} old, of {}", seconds(age), seconds(promised));
    let mark = status(state).mark;
    Some((
        chart::gauge(age as f64, promised as f64, mark, &format!("The newest checkpoint is {words}")),
        words,
    ))
}

/// How old the newest checkpoint was over time: it ages until the next one is complete.
pub(super) fn ages(cx: &Cx, state: &GroupState, checkpoints: &[Checkpoint]) -> Html {
    let age = |at: Timestamp, one: &Checkpoint| at.duration_since(one.taken_at).as_secs_f64().max(0.0);
    let mut points: Vec<(Timestamp, f64)> = Vec::new();
    let mut shown: Vec<&Checkpoint> = checkpoints.iter().take(DRAWN).collect();
    shown.sort_by_key(|one| one.complete_at);
    let mut before: Option<&Checkpoint> = None;
    for one in shown {
        if let Some(before) = before {
            points.push((one.complete_at, age(one.complete_at, before)));
        }
        // One that was taken earlier than what is there already is not the newest.
        if before.is_none_or(|before| before.taken_at < one.taken_at) {
            points.push((one.complete_at, age(one.complete_at, one)));
            before = Some(one);
        }
    }
    if let Some(newest) = before {
        points.push((cx.now, age(cx.now, newest)));
    }
    let words = format!("RPO {}", rpo(state));
    let promised = state.group.policy.rhythm.rpo_seconds();
    let plot = Plot {
        caption: "Age of the newest checkpoint at the DR side",
        points: &points,
        limit: promised.map(|promised| (promised as f64, words.as_str())),
        forecast: None,
        write: |value| seconds(value as u64),
        zone: &cx.zone,
    };
    plot.draw()
}

/// Parts of a hundred, never 100 of what was not all of it.
fn within(watched: u64, broken: u64) -> String {
    if broken == 0 || watched == 0 {
        return "100 %".to_owned();
    }
    let good = watched.saturating_sub(broken) as f64 / watched as f64 * 100.0;
    format!("{:.1} %", good.min(99.9))
}

/// How well the days went, which come newest first.
pub(super) fn compliance(days: &[RpoDay]) -> Option<Compliance> {
    let watched: u64 = days.iter().map(|day| day.watched_seconds).sum();
    if watched == 0 {
        return None;
    }
    let broken: u64 = days.iter().map(|day| day.broken_seconds).sum();
    let mark = |day: &RpoDay| if day.broken_seconds == 0 { Mark::Met } else { Mark::Broken };
    let bar = |day: &RpoDay| {
        let good = day.watched_seconds.saturating_sub(day.broken_seconds);
        (day.watched_seconds > 0).then(|| (good as f64 / day.watched_seconds as f64 * 100.0, mark(day)))
    };
    let count = days.len();
    let words = format!(
        "{} of {} in the last {count} day{} on which it was watched.",
        within(watched, broken),
        seconds(watched),
        if count == 1 { "" } else { "s" }
    );
    let bars: Vec<Option<(f64, Mark)>> = days.iter().rev().map(bar).collect();
    let row = |day: &RpoDay| {
        let status = Status::new(mark(day), within(day.watched_seconds, day.broken_seconds));
        (day.day.clone(), status, seconds(day.worst_age_seconds))
    };
    Some(Compliance {
        bars: chart::bars(&bars, &format!("How much of each of {count} days was within the RPO")),
        words,
        rows: days.iter().take(LISTED).map(row).collect(),
    })
}

/// A time at which the RPO was broken.
pub(super) fn breach(cx: &Cx, one: &Breach) -> BreachRow {
    let lasted = one.ended_at.unwrap_or(cx.now).duration_since(one.began_at);
    BreachRow {
        status: match one.ended_at {
            None => Status::new(Mark::Broken, "goes on"),
            Some(_) => Status::new(Mark::Met, "over"),
        },
        began: cx.ago(one.began_at),
        lasted: format_duration(whole(Duration::try_from(lasted).unwrap_or_default())),
        worst: seconds(one.worst_age_seconds),
    }
}

/// Asks the DR side what holds its checkpoints, and notes it beside them.
pub(super) async fn holds(
    site: &Site,
    group: &ProtectionGroup,
    rows: &mut [CheckpointRow],
) -> Result<String, String> {
    let part = Part { limit: ASKED, ..Part::default() };
    let found = site.app.target_snapshots(group.dr.target, group.dr.dataset.as_str(), &part).await;
    let found =
        found.map_err(|error| format!("The DR side was not asked: {}", sentence(&error.to_string())))?;
    let mut held = 0;
    for row in rows {
        let Some(seen) = found.items.iter().find(|one| one.name.tag().as_str() == row.snapshot) else {
            continue;
        };
        row.held = seen.holds.iter().map(|tag| format!("held: {tag}")).collect();
        row.held.extend(seen.clones.iter().map(|clone| format!("cloned: {clone}")));
        held += usize::from(!row.held.is_empty());
    }
    Ok(format!(
        "The DR side has {} snapshot{} of this dataset; {held} of those listed here {} held or cloned.",
        found.total,
        if found.total == 1 { "" } else { "s" },
        if held == 1 { "is" } else { "are" }
    ))
}
