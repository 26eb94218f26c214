//! `/recovery-runs/{id}` and `/protection-groups/{id}/tests`: tests that run or ran, a person's verdict, taking them away.

use std::time::Duration;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::Timestamp;

use super::group_page::{Tab, head};
use super::protection_groups::address as group_address;
use crate::app::AppError;
use crate::app::recovery_runs::{RunPhase, RunStep, RunView, RunVm, RunVmState, Verdict};
use crate::domain::access::Role;
use crate::domain::ids::{GroupId, RecoveryRunId};
use crate::domain::size::format_duration;
use crate::web::cx::{Cx, Typed, done, error_of, sentence, typed};
use crate::web::screens::jobs::FailureView;
use crate::web::screens::recovery_runs::{
    GroupTests, Report, RunPage, RunRow, RunState, RunView as Shown, StepRow, TierBlock, VmBlock,
};
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::{Html, Mark, Status, html, when};
use crate::web::{Answer, Site};

pub(super) fn address(id: RecoveryRunId) -> String {
    format!("/recovery-runs/{id}")
}

fn status(phase: RunPhase) -> Status {
    match phase {
        RunPhase::Starting => Status::new(Mark::Working, "is being started"),
        RunPhase::Failed => Status::new(Mark::Broken, "could not be made"),
        RunPhase::AwaitingVerdict => Status::new(Mark::Met, "runs, waits for a verdict"),
        RunPhase::Judged => Status::new(Mark::Met, "runs, was judged"),
        RunPhase::CleaningUp => Status::new(Mark::Working, "is being cleaned up"),
        RunPhase::CleanupPending => Status::new(Mark::Risk, "cleanup is pending"),
        RunPhase::CleanedUp => Status::new(Mark::Unknown, "cleaned up"),
    }
}

fn verdict_status(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Passed => Status::new(Mark::Met, "passed"),
        Verdict::Failed => Status::new(Mark::Broken, "failed"),
    }
}

fn between(from: Timestamp, to: Timestamp) -> String {
    format_duration(Duration::try_from(to.duration_since(from)).unwrap_or_default())
}

/// The field's words for a step.
fn step_words(step: &str) -> String {
    let known = match step {
        "choose_checkpoint" => "checkpoint held",
        "remove_stale_locks" => "stale lock files removed",
        "mount" => "mounted on the DR hosts",
        "create" => "virtual machine made",
        "attach_disks" => "disks attached",
        "connect_networks" => "networks",
        "power_on" => "powered on",
        "check" => "check",
        "power_off" => "powered off",
        "remove" => "removed",
        "unmount" => "unmounted everywhere",
        "unexport" => "no longer exported",
        "destroy_clone" => "clone destroyed",
        "release" => "checkpoint let go",
        other => return other.replace('_', " "),
    };
    known.to_owned()
}

fn step(cx: &Cx, one: &RunStep) -> StepRow {
    StepRow {
        status: match one.ok {
            None => Status::new(Mark::Working, "at work"),
            Some(true) => Status::new(Mark::Met, "done"),
            Some(false) => Status::new(Mark::Broken, "failed"),
        },
        step: step_words(&one.step),
        at: when::exact(one.begun_at, &cx.zone),
        took: one.ended_at.map(|end| between(one.begun_at, end)).unwrap_or_default(),
        evidence: sentence(&one.evidence),
    }
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
        failure: vm.failure.clone().map(|why| (why, vm.advice.clone().unwrap_or_default())),
        steps: own.map(|one| step(cx, one)).collect(),
    }
}

fn facts(cx: &Cx, view: &RunView) -> Vec<(String, Html)> {
    let run = &view.run;
    let fact = |name: &str, text: String| (name.to_owned(), html::text(&text));
    let at = |name: &str, at: Timestamp| (name.to_owned(), when::exact(at, &cx.zone));
    let mut facts = vec![
        fact("Group", run.plan.group_name.clone()),
        fact("Asked for by", run.created_by.clone()),
        at("Asked for", run.created_at),
    ];
    if let Some(reason) = &run.plan.reason {
        facts.push(fact("Why", reason.clone()));
    }
    if let Some(checkpoint) = &run.checkpoint {
        facts.push(fact("Checkpoint", checkpoint.snapshot.to_string()));
        facts.push(at("Taken", checkpoint.taken_at));
        let age = between(checkpoint.taken_at, run.created_at);
        facts.push(fact("Its age then (RPO achieved)", age));
        let quality = checkpoint.quality.map_or("not known", |quality| quality.as_str());
        facts.push(fact("Guests in it", quality.replace('_', " ")));
    }
    if let Some(up) = run.up_at {
        facts.push(fact("Up after (RTO achieved)", between(run.created_at, up)));
    }
    let up = view.steps.iter().filter(|step| step.step == "check" && step.ok == Some(true)).count();
    facts.push(fact("Came up", format!("{up} of {}", view.vms.len())));
    facts.push(fact("Clone", run.plan.clone.to_string()));
    facts.push(fact("Datastore", run.plan.datastore.clone()));
    if let Some(due) = run.cleanup_due.filter(|_| run.cleanup_job.is_none()) {
        facts.push(at("Cleaned up by itself", due));
    }
    if let Some(next) = run.cleanup_next {
        facts.push(at("Cleanup tried again", next));
    }
    if let Some(cleaned) = run.cleaned_at {
        facts.push(at("Everything was gone", cleaned));
    }
    facts
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
        status: status(phase),
        events: works.map(|job| format!("/api/replication/jobs/{}/events", job.id)),
        failure: view.failure().map(|failure| FailureView {
            heading: sentence(&status(phase).word),
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
        clean_up: match phase {
            _ if !may => None,
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
    let mut page = cx.page(format!("Test of {}", view.run.plan.group_name), Area::Protection);
    let group = group_address(view.run.plan.group_id);
    page.crumbs = vec![
        Link { label: view.run.plan.group_name.clone(), address: group.clone() },
        Link { label: "Tests".to_owned(), address: format!("{group}/tests") },
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
    let kind = ("content-type", "text/html; charset=utf-8".to_owned());
    let name = ("content-disposition", format!("attachment; filename=\"zerfaux-test-{id}.html\""));
    Ok(([kind, name], body).into_response())
}

pub(crate) async fn of_group(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let row = |view: &RunView| {
        let up = view.steps.iter().filter(|step| step.step == "check" && step.ok == Some(true)).count();
        let run = &view.run;
        RunRow {
            status: status(view.phase()),
            address: address(run.id()),
            asked: cx.ago(run.created_at),
            checkpoint: run.checkpoint.as_ref().map(|one| one.snapshot.to_string()).unwrap_or_default(),
            up: format!("{up} of {}", view.vms.len()),
            took: run.up_at.map_or_else(|| "–".to_owned(), |at| between(run.created_at, at)),
            verdict: run.verdict.as_ref().map(|judged| verdict_status(judged.verdict)),
        }
    };
    cx.draw(&GroupTests {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Tests),
        runs: site.app.recovery_runs(Some(id)).await?.iter().map(row).collect(),
    })
}
