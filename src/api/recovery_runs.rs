//! `/protection-groups/{id}/test-failover` and `/recovery-runs`

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::jobs::{Accepted, accepted};
use super::paging::{List, Paging};
use crate::app::recovery_runs::{RunStep, RunView, Verdict};
use crate::app::test_failovers::{TestRequest, TestWish};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::{GroupId, RecoveryRunId};
use crate::domain::moref::VmRef;

/// A test of a group. Nothing of it touches the replica or the group's replication.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewTest {
    /// `newest` (unless given), `newest_quiesced`, or a checkpoint by its snapshot's name or GUID.
    pub checkpoint: Option<String>,
    /// Networks at the source, by name or key, and those at the DR site that stand for them in this test, by name or reference;
    /// an empty one: disconnected. The others are as in the recovery plan, and disconnected where that says nothing.
    pub network_map: BTreeMap<String, String>,
    /// Only these virtual machines, by their references in the source vCenter; empty: all that the recovery plan has.
    pub vm_morefs: Vec<String>,
    /// Minutes after which it is cleaned up by itself, from when everything that could be started was; null: only when asked.
    #[schema(minimum = 1, maximum = 43200)]
    pub scheduled_cleanup_minutes: Option<u32>,
    /// Why, for the report.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// What a person says of a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVerdict {
    /// `passed` or `failed`.
    pub verdict: String,
    /// What else there is to say.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub remarks: Option<String>,
}

/// Which runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Only those of this group.
    pub protection_group_id: Option<String>,
}

/// Something that was done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// What.
    pub step: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub begun_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Whether it went well; null: it has not ended.
    pub ok: Option<bool>,
    /// What was seen.
    pub evidence: String,
}

impl From<&RunStep> for Step {
    fn from(one: &RunStep) -> Self {
        Self {
            step: one.step.clone(),
            begun_at: one.begun_at,
            ended_at: one.ended_at,
            ok: one.ok,
            evidence: one.evidence.clone(),
        }
    }
}

/// A virtual machine of a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TestedVm {
    /// The instance UUID of the protected one.
    pub source_instance_uuid: String,
    /// Its name.
    pub name: String,
    /// What the machine of the run is called: of a test another one, of a failover its DR shell or one that was made.
    pub test_name: String,
    /// The DR shell as which it is recovered; null: a machine is made.
    pub dr_shell_id: Option<String>,
    /// Its tier; 1 starts first.
    pub tier: u32,
    /// `waiting`, `working`, `up`, `failed` or `removed`.
    pub state: String,
    /// That machine in the DR vCenter.
    pub moref: Option<String>,
    /// Its instance UUID.
    pub instance_uuid: Option<String>,
    /// What went wrong.
    pub failure: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// What the run waits for a person to do at it.
    pub prompt: Option<Prompt>,
    /// What was done to it.
    pub steps: Vec<Step>,
}

/// What a person is to do and confirm.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Prompt {
    /// `before` it is powered on, or `after` its check.
    pub moment: String,
    /// What the recovery plan says.
    pub text: String,
}

/// That it is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnswer {
    /// `before` or `after`: which prompt is meant.
    pub moment: String,
}

/// A virtual machine that is not recovered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeftOutVm {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// A recovery run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryRun {
    /// Its id.
    pub id: String,
    /// `test`, `planned_failover` or `disaster_failover`.
    pub kind: String,
    /// Its group.
    pub protection_group_id: String,
    /// What that was called.
    pub protection_group_name: String,
    /// `starting`, `failed`, `awaiting_verdict`, `judged`, then of a test `cleaning_up`, `cleanup_pending` or `cleaned_up`, of a
    /// failover `rolling_back`, `rollback_stopped`, `rolled_back` or `committed`.
    pub phase: String,
    /// What became of it in the end: `cleaned_up`, `rolled_back` or `committed`; null: nothing yet.
    pub outcome: Option<String>,
    /// Why it failed, or why its cleanup is pending.
    pub failure: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The job that makes it.
    pub job_id: String,
    /// The checkpoint, by its snapshot's name.
    pub checkpoint: Option<String>,
    /// Its GUID.
    pub checkpoint_guid: Option<String>,
    /// When it was taken.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checkpoint_taken_at: Option<Timestamp>,
    /// `crash_consistent`, `quiesced` or `partly`.
    pub checkpoint_kind: Option<String>,
    /// How old it was when the run was asked for, in seconds; negative: it was taken since, as that of a planned failover is.
    pub checkpoint_age_seconds: Option<i64>,
    /// The clone.
    pub clone_dataset: String,
    /// Its name as a datastore.
    pub datastore: String,
    /// Since when everything that could be started was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub up_at: Option<Timestamp>,
    /// How long that took, in seconds.
    pub up_after_seconds: Option<i64>,
    /// `passed` or `failed`.
    pub verdict: Option<String>,
    /// What else was said.
    pub remarks: Option<String>,
    /// By whom.
    pub verdict_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verdict_at: Option<Timestamp>,
    /// When it is cleaned up by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cleanup_due_at: Option<Timestamp>,
    /// The job that cleans up.
    pub cleanup_job_id: Option<String>,
    /// When the cleanup is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cleanup_next_at: Option<Timestamp>,
    /// Since when everything was seen to be gone.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cleaned_at: Option<Timestamp>,
    /// The virtual machines, tier by tier.
    pub vms: Vec<TestedVm>,
    /// Those that are not recovered.
    pub left_out: Vec<LeftOutVm>,
    /// What was done for all of them.
    pub steps: Vec<Step>,
}

impl From<RunView> for RecoveryRun {
    fn from(view: RunView) -> Self {
        let (phase, failure) = (view.phase_word(), view.failure().cloned());
        let steps_of = |source: Option<&str>| -> Vec<Step> {
            view.steps.iter().filter(|step| step.source_uuid.as_deref() == source).map(Step::from).collect()
        };
        let shell_of = |source: &str| {
            let planned = view.run.plan.vms.iter().find(|one| one.source_uuid == source)?;
            Some(planned.shell.as_ref()?.id.to_string())
        };
        let vm = |vm: &crate::app::recovery_runs::RunVm| TestedVm {
            source_instance_uuid: vm.source_uuid.clone(),
            name: vm.name.clone(),
            test_name: vm.test_name.clone(),
            dr_shell_id: shell_of(&vm.source_uuid),
            tier: vm.tier,
            state: vm.state.as_str().to_owned(),
            moref: vm.vm.as_ref().map(|vm| vm.id().to_owned()),
            instance_uuid: vm.instance_uuid.clone(),
            failure: vm.failure.clone(),
            advice: vm.advice.clone(),
            prompt: view
                .prompt(&vm.source_uuid)
                .map(|(moment, text)| Prompt { moment: moment.as_str().to_owned(), text: text.to_owned() }),
            steps: steps_of(Some(&vm.source_uuid)),
        };
        let (vms, steps) = (view.vms.iter().map(vm).collect(), steps_of(None));
        let run = view.run;
        let checkpoint = run.checkpoint.as_ref();
        let judged = run.verdict.as_ref();
        let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs();
        let left_out = run.plan.left_out.iter();
        Self {
            id: run.id().to_string(),
            kind: run.plan.kind.as_str().to_owned(),
            outcome: run.outcome.map(|outcome| outcome.as_str().to_owned()),
            protection_group_id: run.plan.group_id.to_string(),
            protection_group_name: run.plan.group_name.clone(),
            phase: phase.to_owned(),
            failure: failure.as_ref().map(|failure| failure.message.clone()),
            advice: failure.and_then(|failure| failure.advice),
            created_by: run.created_by.clone(),
            reason: run.plan.reason.clone(),
            created_at: run.created_at,
            job_id: run.job.to_string(),
            checkpoint: checkpoint.map(|one| one.snapshot.to_string()),
            checkpoint_guid: checkpoint.map(|one| one.guid.to_string()),
            checkpoint_taken_at: checkpoint.map(|one| one.taken_at),
            checkpoint_kind: checkpoint.and_then(|one| Some(one.quality?.as_str().to_owned())),
            checkpoint_age_seconds: checkpoint.map(|one| seconds(one.taken_at, run.created_at)),
            clone_dataset: run.plan.clone.to_string(),
            datastore: run.plan.datastore.clone(),
            up_at: run.up_at,
            up_after_seconds: run.up_at.map(|at| seconds(run.created_at, at)),
            verdict: judged.map(|one| one.verdict.as_str().to_owned()),
            remarks: judged.and_then(|one| one.remarks.clone()),
            verdict_by: judged.map(|one| one.by.clone()),
            verdict_at: judged.map(|one| one.at),
            cleanup_due_at: run.cleanup_due,
            cleanup_job_id: run.cleanup_job.map(|job| job.to_string()),
            cleanup_next_at: run.cleanup_next,
            cleaned_at: run.cleaned_at,
            vms,
            left_out: left_out
                .map(|one| LeftOutVm { name: one.name.clone(), why: one.why.clone() })
                .collect(),
            steps,
        }
    }
}

/// Test a group: its virtual machines run from a clone of a checkpoint, on test networks or none, until they are cleaned up.
#[utoipa::path(post, path = "/protection-groups/{id}/test-failover", tag = "recovery-runs", request_body = NewTest,
    params(("id" = String, Path, description = "The group's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key starts nothing again")),
    responses((status = ACCEPTED, description = "A job makes the test", body = Accepted)))]
pub async fn test_failover(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<GroupId>,
    Json(wish): Json<NewTest>,
) -> Answer<Response> {
    let only = wish.vm_morefs.into_iter().map(VmRef::new).collect();
    let request = TestRequest {
        checkpoint: wish.checkpoint,
        wish: TestWish { networks: wish.network_map, only },
        cleanup_minutes: wish.scheduled_cleanup_minutes,
        reason: wish.reason,
    };
    Ok(accepted(app.start_test_failover(&who, id, &request).await?.1))
}

/// The recovery runs, newest first.
#[utoipa::path(get, path = "/recovery-runs", tag = "recovery-runs", params(RunQuery, Paging),
    responses((status = OK, description = "The runs", body = List<RecoveryRun>)))]
pub async fn list(
    State(app): State<App>,
    Query(query): Query<RunQuery>,
    Query(paging): Query<Paging>,
) -> Answer<Json<List<RecoveryRun>>> {
    let group = query.protection_group_id.map(|text| text.parse::<GroupId>());
    let group =
        group.transpose().map_err(|error| AppError::invalid("protection_group_id", format!("{error}.")))?;
    let all = app.recovery_runs(group).await?.into_iter().map(RecoveryRun::from).collect();
    let named = |one: &RecoveryRun, words: &str| one.protection_group_name.to_lowercase().contains(words);
    Ok(Json(paging.part(all, named)?))
}

/// One recovery run, with everything that was done and seen.
#[utoipa::path(get, path = "/recovery-runs/{id}", tag = "recovery-runs",
    params(("id" = String, Path, description = "The run's id")),
    responses((status = OK, description = "The run", body = RecoveryRun)))]
pub async fn one(State(app): State<App>, Path(id): Path<RecoveryRunId>) -> Answer<Json<RecoveryRun>> {
    Ok(Json(app.recovery_run(id).await?.into()))
}

/// Say what a run is worth. A later word replaces the one before.
#[utoipa::path(post, path = "/recovery-runs/{id}/verdict", tag = "recovery-runs", request_body = NewVerdict,
    params(("id" = String, Path, description = "The run's id")),
    responses((status = OK, description = "The run", body = RecoveryRun)))]
pub async fn judge(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<RecoveryRunId>,
    Json(new): Json<NewVerdict>,
) -> Answer<Json<RecoveryRun>> {
    let verdict: Verdict =
        new.verdict.parse().map_err(|_| AppError::invalid("verdict", "This is passed or failed."))?;
    Ok(Json(app.judge_recovery(&who, id, verdict, new.remarks.as_deref()).await?.into()))
}

/// Take a test away, or try again at once what could not be done. A failover is rolled back instead.
#[utoipa::path(post, path = "/recovery-runs/{id}/cleanup", tag = "recovery-runs",
    params(("id" = String, Path, description = "The run's id")),
    responses((status = ACCEPTED, description = "A job takes it away", body = Accepted)))]
pub async fn clean_up(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<RecoveryRunId>,
) -> Answer<Response> {
    Ok(accepted(app.clean_up_recovery(&who, id).await?))
}

/// Try a virtual machine of a run again that failed.
#[utoipa::path(post, path = "/recovery-runs/{id}/vms/{source_uuid}/retry", tag = "recovery-runs",
    params(("id" = String, Path, description = "The run's id"),
        ("source_uuid" = String, Path, description = "The instance UUID of the protected virtual machine")),
    responses((status = ACCEPTED, description = "A job tries it", body = Accepted)))]
pub async fn retry_vm(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path((id, source_uuid)): Path<(RecoveryRunId, String)>,
) -> Answer<Response> {
    Ok(accepted(app.retry_recovery_vm(&who, id, &source_uuid).await?))
}

/// Confirm that what a run waits for is done, so that it goes on.
#[utoipa::path(post, path = "/recovery-runs/{id}/vms/{source_uuid}/confirm", tag = "recovery-runs", request_body = NewAnswer,
    params(("id" = String, Path, description = "The run's id"),
        ("source_uuid" = String, Path, description = "The instance UUID of the protected virtual machine")),
    responses((status = OK, description = "The run", body = RecoveryRun)))]
pub async fn confirm(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path((id, source_uuid)): Path<(RecoveryRunId, String)>,
    Json(new): Json<NewAnswer>,
) -> Answer<Json<RecoveryRun>> {
    let moment = new.moment.parse().map_err(|_| AppError::invalid("moment", "This is before or after."))?;
    Ok(Json(app.confirm_prompt(&who, id, &source_uuid, moment).await?.into()))
}
