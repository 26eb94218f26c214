//! `/jobs`

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::paging::List;
use super::{Answer, BASE};
use crate::app::jobs::{JobQuery, JobVerb};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, Job as DomainJob, JobState};

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What kind, for example `replicate`.
    pub kind: String,
    /// How it stands: `queued`, `running`, `waiting`, `interrupted`, `cancelling`, `succeeded`, `failed`, `cancelled`.
    pub state: String,
    /// The step at work, or that was.
    pub phase: Option<String>,
    /// 0 to 100 over the whole job.
    pub progress_percent: u8,
    /// Facts of its kind, such as bytes and rate.
    pub details: Value,
    /// What came out of it.
    pub result: Option<Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// The step in which it failed.
    pub failed_phase: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// What did not go well although it went on.
    pub warnings: Vec<String>,
    /// Who started it.
    pub created_by: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its first step began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

impl From<DomainJob> for Job {
    fn from(job: DomainJob) -> Self {
        let (error, advice) = job.failure.map_or((None, None), |why| (Some(why.message), why.advice));
        Self {
            id: job.id.to_string(),
            kind: job.kind,
            state: job.state.to_string(),
            phase: job.phase,
            progress_percent: job.progress_percent,
            details: job.details,
            result: job.result,
            error,
            failed_phase: job.failed_phase,
            advice,
            warnings: job.warnings,
            created_by: job.created_by,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

/// Which jobs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only in this state; several with commas between.
    pub state: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Jobs at most: 1 to 1000, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// The `next` of the part before.
    pub cursor: Option<String>,
    /// Only jobs with this text in them.
    pub q: Option<String>,
}

async fn page(app: &App, which: Which) -> Result<Json<List<Job>>, AppError> {
    let paging = super::paging::Paging { limit: which.limit, cursor: which.cursor, q: which.q };
    let words = which.state.as_deref().unwrap_or_default().split(',').filter(|word| !word.is_empty());
    let states: Result<Vec<JobState>, _> = words.map(|word| word.trim().parse()).collect();
    let query = JobQuery {
        states: states.map_err(|error| AppError::invalid("state", error))?,
        kind: which.kind.filter(|kind| !kind.is_empty()),
        words: paging.q.clone(),
        after: paging.cursor()?,
        skip: 0,
        limit: paging.limit()?,
        ..JobQuery::default()
    };
    let page = app.job_page(query).await?;
    let items = page.items.into_iter().map(Job::from).collect();
    Ok(Json(List { items, total: page.total, next: page.next.map(|id| id.to_string()) }))
}

/// Jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(Which),
    responses((status = OK, description = "The jobs", body = List<Job>)))]
pub async fn list(State(app): State<App>, Query(which): Query<Which>) -> Answer<Json<List<Job>>> {
    Ok(page(&app, which).await?)
}

/// Jobs that replicate, newest first.
#[utoipa::path(get, path = "/replication-jobs", tag = "jobs", params(Which),
    responses((status = OK, description = "The jobs", body = List<Job>)))]
pub async fn list_replications(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Answer<Json<List<Job>>> {
    Ok(page(&app, Which { kind: Some("replicate".to_owned()), ..which }).await?)
}

/// One job.
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", params(("id" = String, Path, description = "The job's id")),
    responses((status = OK, description = "The job", body = Job)))]
pub async fn one(State(app): State<App>, Path(id): Path<JobId>) -> Answer<Json<Job>> {
    Ok(Json(app.job(id).await?.into()))
}

/// From where on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// Only lines behind this number; 0 for all.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// Lines at most: 1 to 10000, 1000 unless given.
    #[param(minimum = 1, maximum = 10000)]
    pub limit: Option<usize>,
}

/// A line of a job's console.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// Counts from 1 within the job.
    pub seq: i64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `debug`, `info`, `success`, `warn` or `error`.
    pub level: String,
    /// One sentence.
    pub message: String,
}

impl From<ConsoleLine> for Line {
    fn from(line: ConsoleLine) -> Self {
        Self { seq: line.seq, at: line.at, level: line.level.as_str().to_owned(), message: line.message }
    }
}

/// Lines of a console.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Lines {
    /// In their order.
    pub items: Vec<Line>,
}

/// A job's console.
#[utoipa::path(get, path = "/jobs/{id}/console", tag = "jobs", params(("id" = String, Path, description = "The job's id"), After),
    responses((status = OK, description = "The lines", body = Lines)))]
pub async fn console(
    State(app): State<App>,
    Path(id): Path<JobId>,
    Query(which): Query<After>,
) -> Answer<Json<Lines>> {
    app.job(id).await?;
    let limit = match which.limit.unwrap_or(1000) {
        limit @ 1..=10_000 => limit,
        _ => return Err(AppError::invalid("limit", "The limit is 1 to 10000.").into()),
    };
    let lines = app.console(id, which.after.unwrap_or(0), limit).await?;
    Ok(Json(Lines { items: lines.into_iter().map(Line::from).collect() }))
}

/// What a long operation answers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// The job that does it.
    pub job_id: String,
}

/// 202 with the job's id and address.
pub fn accepted(id: JobId) -> Response {
    let location = format!("{BASE}/jobs/{id}");
    (StatusCode::ACCEPTED, [("location", location)], Json(json!({ "job_id": id }))).into_response()
}

/// Ask a job to stop. What it did stays.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path, description = "The job's id")),
    responses((status = ACCEPTED, description = "It was told to stop", body = Accepted)))]
pub async fn cancel(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<JobId>,
) -> Answer<Response> {
    app.ask_of_job(&who, id, JobVerb::Cancel).await?;
    Ok(accepted(id))
}

/// Try a job again from the step that failed.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "jobs", params(("id" = String, Path, description = "The job's id")),
    responses((status = ACCEPTED, description = "It is queued again", body = Accepted)))]
pub async fn retry(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<JobId>,
) -> Answer<Response> {
    app.ask_of_job(&who, id, JobVerb::Retry).await?;
    Ok(accepted(id))
}

/// Take back what a failed or cancelled job did.
#[utoipa::path(post, path = "/jobs/{id}/cleanup", tag = "jobs", params(("id" = String, Path, description = "The job's id")),
    responses((status = ACCEPTED, description = "It is queued to be taken back", body = Accepted)))]
pub async fn cleanup(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<JobId>,
) -> Answer<Response> {
    app.ask_of_job(&who, id, JobVerb::Cleanup).await?;
    Ok(accepted(id))
}

/// Note that somebody has seen that a job failed: it no longer stands on the dashboard.
#[utoipa::path(post, path = "/jobs/{id}/acknowledge", tag = "jobs", params(("id" = String, Path, description = "The job's id")),
    responses((status = NO_CONTENT, description = "It is noted")))]
pub async fn acknowledge(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<JobId>,
) -> Answer<StatusCode> {
    app.acknowledge_job(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
