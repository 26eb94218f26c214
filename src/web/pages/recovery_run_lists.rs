//! `/recovery-runs` and `/protection-groups/{id}/tests`: the runs, of all groups and of one.

use axum::extract::{Path, State};

use super::group_page::{Tab, head};
use super::recovery_run_words::{between, came_up, status, verdict_status, words};
use super::recovery_runs::address;
use crate::app::recovery_runs::RunView;
use crate::domain::ids::GroupId;
use crate::web::cx::Cx;
use crate::web::screens::recovery_runs::{AllRuns, GroupTests, RunRow};
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site};

/// Runs on one page.
const SHOWN: usize = 200;

fn row(cx: &Cx, view: &RunView) -> RunRow {
    let run = &view.run;
    RunRow {
        status: status(view),
        kind: words(run.plan.kind).kind,
        group: run.plan.group_name.clone(),
        address: address(run.id()),
        asked: cx.ago(run.created_at),
        checkpoint: run.checkpoint.as_ref().map(|one| one.snapshot.to_string()).unwrap_or_default(),
        up: came_up(view),
        took: run.up_at.map_or_else(|| "–".to_owned(), |at| between(run.created_at, at)),
        verdict: run.verdict.as_ref().map(|judged| verdict_status(judged.verdict)),
    }
}

pub(crate) async fn all(State(site): State<Site>, cx: Cx) -> Answer {
    let all = site.app.recovery_runs(None).await?;
    cx.draw(&AllRuns {
        page: cx.page("Recovery runs", Area::Recovery),
        more: all.len().saturating_sub(SHOWN),
        runs: all.iter().take(SHOWN).map(|view| row(&cx, view)).collect(),
    })
}

pub(crate) async fn of_group(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    cx.draw(&GroupTests {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Tests),
        runs: site.app.recovery_runs(Some(id)).await?.iter().map(|view| row(&cx, view)).collect(),
    })
}
