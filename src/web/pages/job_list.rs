//! `/jobs`

use std::time::Duration;

use axum::extract::State;

use crate::app::jobs::{JobOrder, JobQuery};
use crate::domain::job::{Job, JobState};
use crate::web::cx::Cx;
use crate::web::screens::jobs::{JobRow, JobRows, Jobs};
use crate::web::view::form::Choice;
use crate::web::view::list::{Filter, List};
use crate::web::view::navigation::Area;
use crate::web::view::progress::Progress;
use crate::web::view::words::job_kind;
use crate::web::view::{Status, size};
use crate::web::{Answer, Site};

/// Rows on a page.
const ROWS: u64 = 25;

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let state = cx.asked("state").parse::<JobState>().ok();
    let (kind, search) = (cx.asked("kind").to_owned(), cx.asked("q").to_owned());
    let number = cx.page_number();
    let (column, descending, order) = order(cx.asked("sort"));
    let found = site
        .app
        .job_page(JobQuery {
            states: state.into_iter().collect(),
            kind: Some(kind.clone()).filter(|kind| !kind.is_empty()),
            words: Some(search.clone()),
            after: None,
            skip: usize::try_from((number - 1) * ROWS).unwrap_or(usize::MAX),
            limit: usize::try_from(ROWS).unwrap_or(25),
            order,
        })
        .await?;
    let filter = |name: &str, value: &str| Filter {
        name: name.to_owned(),
        value: value.to_owned(),
        label: format!("{name}: {value}"),
    };
    let mut filters = Vec::new();
    filters.extend(state.map(|state| filter("state", state.as_str())));
    filters.extend((!kind.is_empty()).then(|| filter("kind", &kind)));
    let list = List {
        path: "/jobs".to_owned(),
        search,
        filters,
        sort: column.to_owned(),
        descending,
        page: number,
        per_page: ROWS,
        total: found.total,
    };
    let rows = found.items.iter().map(|job| row(&cx, job)).collect();
    let frame = cx.page("Jobs", Area::Jobs);
    if cx.wants_fragment() {
        return cx.draw(&JobRows { page: frame, list, rows });
    }
    let any = |label: &str| Choice::new("", label);
    let kinds = std::iter::once(any("any"))
        .chain(site.app.job_kinds().into_iter().map(|kind| Choice::new(kind, job_kind(kind))));
    let states = std::iter::once(any("any"))
        .chain(JobState::ALL.into_iter().map(|state| Choice::new(state.as_str(), state.as_str())));
    cx.draw(&Jobs {
        page: frame,
        list,
        kinds: kinds.collect(),
        kind,
        states: states.collect(),
        state: state.map(|state| state.to_string()).unwrap_or_default(),
        rows,
    })
}

/// What the address says: column, whether from the end, and the order that this is.
fn order(asked: &str) -> (&'static str, bool, JobOrder) {
    let (descending, column) = match asked.strip_prefix('-') {
        Some(column) => (true, column),
        None => (false, asked),
    };
    match column {
        "kind" => ("kind", descending, JobOrder::Kind { descending }),
        "state" => ("state", descending, JobOrder::State { descending }),
        "created" if !descending => ("created", false, JobOrder::Oldest),
        _ => ("created", true, JobOrder::Newest),
    }
}

/// A job as a line of a list.
pub(super) fn row(cx: &Cx, job: &Job) -> JobRow {
    let works = matches!(job.state, JobState::Running | JobState::Cancelling);
    JobRow {
        address: format!("/jobs/{}", job.id),
        kind: job_kind(&job.kind).to_owned(),
        on: object(job),
        status: Status::from(job.state),
        progress: works.then(|| progress(job)),
        since: cx.ago(job.created_at),
        took: took(cx, job),
        by: job.created_by.clone(),
    }
}

/// What it does, on what.
pub(super) fn title(job: &Job) -> String {
    format!("{} {}", job_kind(&job.kind), object(job)).trim_end().to_owned()
}

/// What it is done to, as far as its input says: a protection group by its name.
pub(super) fn object(job: &Job) -> String {
    if let Some(group) = job.input["group_name"].as_str() {
        return group.to_owned();
    }
    let text = |key: &str| match &job.input[key]["dataset"] {
        serde_json::Value::String(text) => Some(text.clone()),
        _ => job.input[key].as_str().map(str::to_owned),
    };
    match (text("source"), text("destination")) {
        (Some(source), Some(destination)) => format!("{source} → {destination}"),
        // What it found out itself: the appliance's name.
        _ => text("name")
            .or_else(|| text("vm_name"))
            .or_else(|| text("group_name"))
            .or_else(|| job.details["target"].as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}

/// How far it is.
pub(super) fn progress(job: &Job) -> Progress {
    Progress {
        percent: Some(job.progress_percent),
        label: format!("Progress of {:?}", job_kind(&job.kind)),
        rest: None,
    }
}

/// How long it took, or has been at work.
pub(super) fn took(cx: &Cx, job: &Job) -> String {
    let Some(started) = job.started_at else { return String::new() };
    let end = job.finished_at.unwrap_or(cx.now);
    let seconds = u64::try_from(end.duration_since(started).as_secs()).unwrap_or(0);
    size::duration(Duration::from_secs(seconds)).to_string()
}
