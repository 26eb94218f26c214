//! `/recovery-runs/{id}`: a test or a failover that runs or ran, a person's verdict, taking a test away.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::protection_groups::address as group_address;
use super::recovery_run_words::{facts, status, step, verdict_status, words};
use crate::app::AppError;
use crate::app::recovery_runs::{RunPhase, RunView, RunVm, RunVmState, Verdict};
use crate::domain::access::Role;
use crate::domain::ids::RecoveryRunId;
use crate::web::cx::{Cx, Typed, done, error_of, sentence, typed};
use crate::web::screens::jobs::FailureView;
use crate::web::screens::recovery_runs::{Report, RunPage, RunState, RunView as Shown, TierBlock, VmBlock};
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::{Mark, Status};
use crate::web::{Answer, Site};

pub(super) fn address(id: RecoveryRunId) -> String {
    format!("/recovery-runs/{id}")
}

fn machine(cx: &Cx, view: &RunView, vm: &RunVm) -> VmBlock {
    let runs = matches!(view.phase(), RunPhase::AwaitingVerdict | RunPhase::Judged);
    let own = view.steps.iter().filter(|step| step.source_uuid.as_ref() == Some(&vm.source_uuid));
    VmBlock {
        status: match vm.state {
            RunVmState::Waiting => Status::new(Mark::Unknown, "waits"),
            RunVmState::Working => Status::new(Mark::Working, "at work"),
            RunVmState::Up => Status::new(Mark::Met, "up"),
            RunVmState::Failed => Status::new(Mark::Broken, "failed"),
            RunVmState::Removed => Status::new(Mark::Unknown, "removed"),
        },
        name: vm.name.clone(),
        test_name: vm.test_name.clone(),
        retry: (runs && vm.state == RunVmState::Failed && cx.may(Role::Operator))
            .then(|| vm.source_uuid.clone()),
        prompt: view.prompt(&vm.source_uuid).map(|(moment, text)| {
            let answer = (vm.source_uuid.clone(), moment.as_str().to_owned());
            (text.to_owned(), cx.may(Role::Operator).then_some(answer))
        }),
        failure: vm.failure.clone().map(|why| (why, vm.advice.clone().unwrap_or_default())),
        steps: own.map(|one| step(cx, one)).collect(),
    }
}

fn shown(cx: &Cx, view: &RunView) -> Shown {
    let (run, phase) = (&view.run, view.phase());
    let tier = |tier: &crate::domain::recovery_run::RunTier| TierBlock {
        name: format!("{} · {}", tier.number, tier.name),
        vms: view.vms.iter().filter(|vm| vm.tier == tier.number).map(|vm| machine(cx, view, vm)).collect(),
    };
    let works = [&view.cleanup, &view.job].into_iter().flatten().find(|job| !job.state.is_final());
    let may = cx.may(Role::Operator);
    Shown {
        address: address(run.id()),
        status: status(view),
        events: works.map(|job| format!("/api/replication/jobs/{}/events", job.id)),
        failure: view.failure().map(|failure| FailureView {
            heading: sentence(&status(view).word),
            what: failure.message.clone(),
            why: None,
            advice: failure.advice.clone(),
            id: None,
        }),
        facts: facts(cx, view),
        tiers: run.plan.tiers.iter().map(tier).collect(),
        steps: view.steps.iter().filter(|one| one.source_uuid.is_none()).map(|one| step(cx, one)).collect(),
        left_out: run.plan.left_out.iter().map(|one| (one.name.clone(), one.why.clone())).collect(),
        verdict: run.verdict.as_ref().map(|judged| {
            let told = format!(
                "by {}, {}",
                judged.by,
                judged.at.to_zoned(cx.zone.clone()).strftime("%Y-%m-%d %H:%M")
            );
            (verdict_status(judged.verdict), judged.remarks.clone().unwrap_or_default(), told)
        }),
        may_judge: may && phase != RunPhase::Starting,
        fields: Vec::new(),
        words: words(run.plan.kind),
        job: format!("/jobs/{}", run.cleanup_job.unwrap_or(run.job)),
        roll_back: match phase {
            RunPhase::CleanedUp | RunPhase::CleaningUp => None,
            _ if !may || !run.plan.kind.is_failover() => None,
            _ => Some(format!("{}/rollback", group_address(run.plan.group_id))),
        },
        clean_up: match phase {
            _ if !may || run.plan.kind.is_failover() => None,
            RunPhase::CleanedUp | RunPhase::CleaningUp => None,
            RunPhase::CleanupPending => Some("Try to clean up again"),
            RunPhase::Starting => Some("Stop and clean up"),
            _ => Some("Clean up"),
        },
    }
}

fn fields(verdict: &str, remarks: &str, error: impl Fn(&str) -> Option<String>) -> Vec<Field> {
    let choices = vec![
        Choice::new("passed", "Passed: what was recovered can be used"),
        Choice::new("failed", "Failed: it cannot"),
    ];
    vec![
        Field::select("verdict", "Verdict", choices).value(verdict).error(error("verdict")),
        Field::line("remarks", "Remarks").value(remarks).optional().error(error("remarks")),
    ]
}

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<RecoveryRunId>) -> Answer {
    draw(&site, &cx, StatusCode::OK, id, Vec::new()).await
}

async fn draw(site: &Site, cx: &Cx, status: StatusCode, id: RecoveryRunId, typed: Vec<Field>) -> Answer {
    let view = site.app.recovery_run(id).await?;
    let title = format!("{} of {}", words(view.run.plan.kind).kind, view.run.plan.group_name);
    let mut page = cx.page(title, Area::Protection);
    let group = group_address(view.run.plan.group_id);
    page.crumbs = vec![
        Link { label: view.run.plan.group_name.clone(), address: group.clone() },
        Link { label: "Tests and failovers".to_owned(), address: format!("{group}/tests") },
    ];
    let mut run = shown(cx, &view);
    if cx.wants_fragment() && typed.is_empty() {
        return cx.draw(&RunState { page, run });
    }
    run.fields = if typed.is_empty() { fields("passed", "", |_| None) } else { typed };
    cx.draw_with(status, &RunPage { page, run })
}

pub(crate) async fn judge(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<RecoveryRunId>,
    Form(form): Typed,
) -> Answer {
    let (verdict, remarks) = (typed(&form, "verdict"), typed(&form, "remarks"));
    let judged = match verdict.parse::<Verdict>() {
        Ok(known) => site.app.judge_recovery(cx.who()?, id, known, Some(remarks)).await.map(drop),
        Err(_) => Err(AppError::invalid("verdict", "This is passed or failed.")),
    };
    match judged {
        Ok(()) => Ok(done(&site, &address(id), "The verdict is kept.")),
        Err(AppError::Invalid { fields: wrong }) => {
            let typed = fields(verdict, remarks, |name| error_of(&wrong, name));
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, typed).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn clean_up(State(site): State<Site>, cx: Cx, Path(id): Path<RecoveryRunId>) -> Answer {
    site.app.clean_up_recovery(cx.who()?, id).await?;
    Ok(done(&site, &address(id), "The test is being cleaned up."))
}

pub(crate) async fn retry(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<RecoveryRunId>,
    Form(form): Typed,
) -> Answer {
    site.app.retry_recovery_vm(cx.who()?, id, typed(&form, "source_uuid")).await?;
    Ok(done(&site, &address(id), "It is tried again."))
}

pub(crate) async fn confirm(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<RecoveryRunId>,
    Form(form): Typed,
) -> Answer {
    let moment = typed(&form, "moment").parse();
    let moment = moment.map_err(|_| AppError::invalid("moment", "This is before or after."))?;
    site.app.confirm_prompt(cx.who()?, id, typed(&form, "source_uuid"), moment).await?;
    Ok(done(&site, &address(id), "Confirmed; it goes on."))
}

pub(crate) async fn report(State(site): State<Site>, cx: Cx, Path(id): Path<RecoveryRunId>) -> Answer {
    let view = site.app.recovery_run(id).await?;
    let written = cx.now.to_zoned(cx.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
    let report = Report {
        group: view.run.plan.group_name.clone(),
        written: format!("Written by Zerfaux {} at {written}, of run {id}.", env!("CARGO_PKG_VERSION")),
        run: shown(&cx, &view),
    };
    let body = askama::Template::render(&report).map_err(|error| {
        let why = format!("The report could not be written: {error}.");
        AppError::Failed(crate::domain::job::Failure::permanent(why))
    })?;
    let word = if view.run.plan.kind.is_failover() { "failover" } else { "test" };
    let kind = ("content-type", "text/html; charset=utf-8".to_owned());
    let name = ("content-disposition", format!("attachment; filename=\"zerfaux-{word}-{id}.html\""));
    Ok(([kind, name], body).into_response())
}
