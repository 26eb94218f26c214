//! `/jobs/{id}`: one job with its phases and its console, and what one may ask of it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::job_list::{progress, title, took};
use super::job_result::{result, steps};
use crate::app::jobs::{JobVerb, Phase as KnownPhase};
use crate::domain::access::Role;
use crate::domain::ids::{JobId, TargetId};
use crate::domain::job::{Job, JobState, Level};
use crate::web::cx::{Cx, done};
use crate::web::screens::jobs::{Console, FailureView, JobPage, JobState as JobStateScreen, JobView, Line};
use crate::web::view::list::in_query;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::progress::{Phase, PhaseState, Progress};
use crate::web::view::{Html, Status, html, size, when};
use crate::web::{Answer, Site};

/// Console lines on the page: the newest ones; the download has all.
const LINES: i64 = 1000;
/// Lines read at once for the download.
const PART: usize = 5000;

const LEVELS: [Level; 5] = [Level::Debug, Level::Info, Level::Success, Level::Warn, Level::Error];

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<JobId>) -> Answer {
    let job = site.app.job(id).await?;
    let phases = site.app.phases(&job.kind);
    let mut frame = cx.page(title(&job), Area::Jobs);
    frame.crumbs = vec![Link { label: "Jobs".to_owned(), address: "/jobs".to_owned() }];
    let console = console_of(&site, &cx, &job).await?;
    let made = result(&site, &cx, &job).await?;
    let view = JobView { made, ..view(&cx, &job, &phases, console) };
    if cx.wants_fragment() {
        return cx.draw(&JobStateScreen { page: frame, job: view });
    }
    cx.draw(&JobPage { page: frame, job: view })
}

async fn console_of(site: &Site, cx: &Cx, job: &Job) -> Result<Console, crate::web::Trouble> {
    let address = format!("/jobs/{}", job.id);
    let least = Level::parse(cx.asked("level")).unwrap_or(Level::Info);
    let newest = site.app.last_console_line(job.id).await?;
    let lines = if cx.wants_fragment() {
        Vec::new()
    } else {
        site.app.console(job.id, (newest - LINES).max(0), usize::try_from(LINES).unwrap_or(1000)).await?
    };
    let last = lines.last().map_or(newest, |line| line.seq);
    let shown = lines.into_iter().filter(|line| line.level >= least);
    let link = |level: &Level| Link {
        label: level.as_str().to_owned(),
        address: format!("{address}?level={}", in_query(level.as_str())),
    };
    Ok(Console {
        lines: shown
            .map(|line| Line {
                at: when::time_of_day(line.at, &cx.zone),
                level: line.level.as_str(),
                message: line.message,
            })
            .collect(),
        last,
        least: least.as_str(),
        filters: LEVELS.iter().map(link).collect(),
        download: format!("{address}/console.txt"),
    })
}

fn view(cx: &Cx, job: &Job, known: &[KnownPhase], console: Console) -> JobView {
    let text = |text: &str| Html(html::escape(text).to_string());
    let operator = cx.may(Role::Operator);
    let mut facts = vec![
        ("started by".to_owned(), text(&job.created_by)),
        ("asked for".to_owned(), cx.ago(job.created_at)),
    ];
    if job.started_at.is_some() {
        let word = if job.finished_at.is_some() { "took" } else { "at work for" };
        facts.push((word.to_owned(), text(&took(cx, job))));
    }
    facts.extend(of_kind(job));
    let ended_badly = matches!(job.state, JobState::Failed | JobState::Cancelled | JobState::Interrupted);
    let stopped_in = job.failed_phase.clone().or_else(|| job.phase.clone());
    let retry = stopped_in.unwrap_or_else(|| "the beginning".to_owned());
    let works = matches!(job.state, JobState::Running | JobState::Cancelling);
    JobView {
        address: format!("/jobs/{}", job.id),
        events: (!job.state.is_final())
            .then(|| format!("/api/replication/jobs/{}/events?after={}", job.id, console.last)),
        status: Status::from(job.state),
        facts,
        progress: works.then(|| progress(job)),
        failure: failure(job),
        warnings: job.warnings.clone(),
        phases: phases(job, known),
        steps: steps(job),
        made: None,
        can_cancel: operator
            && matches!(job.state, JobState::Queued | JobState::Running | JobState::Interrupted),
        retry_from: (operator && ended_badly).then_some(retry),
        can_clean_up: operator && (ended_badly || job.state == JobState::Waiting),
        console,
    }
}

/// What is said of a job of its kind: from where to where, how much, how fast.
fn of_kind(job: &Job) -> Vec<(String, Html)> {
    let text = |text: &str| Html(html::escape(text).to_string());
    let mut facts = Vec::new();
    if job.kind == "replicate" {
        for (key, word) in [("source", "from"), ("destination", "to")] {
            let host = job.input[key]["host"]["ssh"]["endpoint"].as_str().unwrap_or("this host");
            facts.push((word.to_owned(), text(host)));
        }
        let number = |key: &str| {
            let result = job.result.as_ref().and_then(|result| result[key].as_u64());
            result.or_else(|| job.details[key].as_u64())
        };
        facts.extend(number("bytes").map(|bytes| ("sent".to_owned(), text(&size::bytes(bytes)))));
    }
    if let Some(address) = job.details["detected_ip"].as_str() {
        facts.push(("address".to_owned(), text(address)));
    }
    if let Some(id) = job.details["target_id"].as_str().filter(|id| id.parse::<TargetId>().is_ok()) {
        let name = job.details["target"].as_str().unwrap_or("the appliance");
        let link = format!("<a href=\"/appliances/{id}\">{}</a>", html::escape(name));
        facts.push(("appliance".to_owned(), Html(link)));
    }
    facts
}

fn failure(job: &Job) -> Option<FailureView> {
    let failure = job.failure.as_ref()?;
    let heading = match (&job.failed_phase, job.state) {
        (_, JobState::Cancelled) => "Cancelled".to_owned(),
        (Some(phase), _) => format!("Failed in {phase}"),
        (None, _) => "Failed".to_owned(),
    };
    Some(FailureView {
        heading,
        what: failure.message.clone(),
        why: None,
        advice: failure.advice.clone(),
        id: Some(job.id.to_string()),
    })
}

/// Where each phase stands, judged by the one at work: a job is a straight line of steps.
fn phases(job: &Job, known: &[KnownPhase]) -> Vec<Phase> {
    let at = job.failed_phase.as_ref().or(job.phase.as_ref());
    let at = at.and_then(|name| known.iter().position(|phase| phase.name == *name));
    let state = |place: usize| match (job.state, at) {
        (JobState::Succeeded, _) => PhaseState::Done,
        (_, None) => PhaseState::Waiting,
        (_, Some(at)) if place < at => PhaseState::Done,
        (_, Some(at)) if place > at => PhaseState::Waiting,
        (JobState::Failed, _) => PhaseState::Failed,
        (JobState::Cancelled | JobState::Interrupted | JobState::Waiting | JobState::Queued, _) => {
            PhaseState::Skipped
        }
        _ => PhaseState::Running,
    };
    let drawn = known.iter().enumerate().map(|(place, phase)| {
        let state = state(place);
        let progress = (state == PhaseState::Running).then(|| Progress {
            percent: Some(within(phase.percent, job.progress_percent)),
            label: format!("Progress of {}", phase.name),
            rest: None,
        });
        Phase { name: phase.name.clone(), state, took: None, progress, note: None }
    });
    drawn.collect()
}

/// The percentage of a phase, from the whole job's.
fn within((from, to): (u8, u8), percent: u8) -> u8 {
    let (width, done) = (u16::from(to.saturating_sub(from)).max(1), u16::from(percent.saturating_sub(from)));
    u8::try_from((done * 100 / width).min(100)).unwrap_or(100)
}

pub(crate) async fn console(State(site): State<Site>, Path(id): Path<JobId>) -> Answer {
    let job = site.app.job(id).await?;
    let (mut text, mut last) = (String::new(), 0);
    loop {
        let lines = site.app.console(id, last, PART).await?;
        let whole = lines.len() < PART;
        for line in lines {
            text.push_str(&format!("{:.3} {:7} {}\n", line.at, line.level.as_str(), line.message));
            last = line.seq;
        }
        if whole {
            break;
        }
    }
    let name = format!("attachment; filename=\"{}-{id}.txt\"", job.kind);
    let kind = "text/plain; charset=utf-8".to_owned();
    Ok(([("content-type", kind), ("content-disposition", name)], text).into_response())
}

async fn ask(
    site: &Site,
    cx: &Cx,
    id: JobId,
    verb: JobVerb,
    said: &str,
) -> Result<Response, crate::web::Trouble> {
    site.app.ask_of_job(cx.who()?, id, verb).await?;
    Ok(done(site, &format!("/jobs/{id}"), said))
}

pub(crate) async fn cancel(State(site): State<Site>, cx: Cx, Path(id): Path<JobId>) -> Answer {
    ask(&site, &cx, id, JobVerb::Cancel, "The job was told to stop.").await
}

pub(crate) async fn retry(State(site): State<Site>, cx: Cx, Path(id): Path<JobId>) -> Answer {
    ask(&site, &cx, id, JobVerb::Retry, "The job is queued again.").await
}

pub(crate) async fn cleanup(State(site): State<Site>, cx: Cx, Path(id): Path<JobId>) -> Answer {
    ask(&site, &cx, id, JobVerb::Cleanup, "What the job did will be taken back.").await
}

pub(crate) async fn acknowledge(State(site): State<Site>, cx: Cx, Path(id): Path<JobId>) -> Answer {
    site.app.acknowledge_job(cx.who()?, id).await?;
    Ok(done(&site, "/replication", "It no longer stands on the dashboard; the job itself stays in the list."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentage_of_a_phase_is_its_own() {
        assert_eq!(within((20, 40), 30), 50);
        assert_eq!(within((20, 40), 10), 0);
        assert_eq!(within((20, 40), 90), 100);
        assert_eq!(within((20, 20), 20), 0);
    }
}
