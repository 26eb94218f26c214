//! `/audit`: who did what, and the proof that nobody changed it.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream::unfold;

use crate::app::App;
use crate::app::audit::AuditFilter;
use crate::domain::audit::{AuditLine, Outcome};
use crate::web::cx::Cx;
use crate::web::screens::audit::{Audit, AuditRow};
use crate::web::view::form::Choice;
use crate::web::view::list::{Filter, List};
use crate::web::view::navigation::Area;
use crate::web::view::status::Mark;
use crate::web::view::{Status, when};
use crate::web::{Answer, Site};

/// Rows on a page.
const ROWS: u64 = 50;

const OUTCOMES: [Outcome; 3] = [Outcome::Done, Outcome::Refused, Outcome::Failed];

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let number = cx.page_number();
    let outcome = cx.asked("outcome").parse::<Outcome>().ok();
    let filter = AuditFilter {
        words: Some(cx.asked("q").to_owned()),
        outcome,
        before: None,
        skip: usize::try_from((number - 1) * ROWS).unwrap_or(usize::MAX),
        limit: usize::try_from(ROWS).ok(),
    };
    let (lines, total) = site.app.audit_lines(&filter).await?;
    let asked = cx.asked("verify") == "now";
    let chain = match asked {
        false => Status::new(Mark::Unknown, "not verified on this page"),
        true => {
            let verdict = site.app.verify_audit().await?;
            match verdict.broken {
                None => Status::new(
                    Mark::Met,
                    format!("unbroken, {} lines, head {}", verdict.lines, verdict.head),
                ),
                Some(broken) => {
                    Status::new(Mark::Broken, format!("broken at line {}: {}", broken.seq, broken.what))
                }
            }
        }
    };
    let filters = outcome.map(|outcome| Filter {
        name: "outcome".to_owned(),
        value: outcome.to_string(),
        label: format!("outcome: {outcome}"),
    });
    let list = List {
        path: "/audit".to_owned(),
        search: cx.asked("q").to_owned(),
        filters: filters.into_iter().collect(),
        sort: String::new(),
        descending: true,
        page: number,
        per_page: ROWS,
        total,
    };
    let choices = OUTCOMES.map(|outcome| Choice::new(outcome.as_str(), outcome.as_str()));
    cx.draw(&Audit {
        page: cx.page("Audit", Area::Audit),
        list,
        chain,
        verified: asked.then(|| cx.ago(cx.now)),
        outcomes: std::iter::once(Choice::new("", "any")).chain(choices).collect(),
        outcome: outcome.map(|outcome| outcome.to_string()).unwrap_or_default(),
        rows: lines.into_iter().map(|line| row(&cx, line)).collect(),
    })
}

fn row(cx: &Cx, line: AuditLine) -> AuditRow {
    let mark = match line.entry.outcome {
        Outcome::Done => Mark::Met,
        Outcome::Refused => Mark::Risk,
        Outcome::Failed => Mark::Broken,
    };
    AuditRow {
        seq: line.seq.unsigned_abs(),
        at: when::exact(line.entry.at, &cx.zone),
        who: line.entry.actor,
        from: line.entry.source,
        action: line.entry.action,
        on: line.entry.object,
        outcome: Status::new(mark, line.entry.outcome.as_str()),
    }
}

pub(crate) async fn verify() -> Redirect {
    Redirect::to("/audit?verify=now")
}

/// The whole log, oldest first, one JSON object per line.
pub(crate) async fn export(State(site): State<Site>) -> Response {
    let lines = unfold((site.app, 0), |(app, after): (App, i64)| async move {
        let lines = app.audit_after(after).await;
        match lines {
            Ok(lines) => {
                let last = lines.last()?.seq;
                let text: String = lines.iter().map(|line| format!("{}\n", json(line))).collect();
                Some((Ok(text), (app, last)))
            }
            // Ends the download as broken, so that nobody takes the part for the whole.
            Err(error) => Some((Err(std::io::Error::other(error)), (app, i64::MAX))),
        }
    });
    let about = [
        ("content-type", "application/x-ndjson"),
        ("content-disposition", "attachment; filename=\"zerfaux-audit.ndjson\""),
    ];
    (about, Body::from_stream(lines)).into_response()
}

fn json(line: &AuditLine) -> serde_json::Value {
    serde_json::json!({
        "seq": line.seq, "at": line.entry.at, "actor": line.entry.actor, "source": line.entry.source,
        "action": line.entry.action, "object": line.entry.object, "outcome": line.entry.outcome.as_str(),
        "details": line.entry.details, "hash": line.hash,
    })
}
