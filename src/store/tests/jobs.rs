//! What the named functions promise of jobs, their events and their consoles.

use serde_json::json;

use super::super::*;
use super::{at, job, started};
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, EventRecord, Failure, FailureKind, Job, JobState, Level, StepEvent};

fn every_column_set() -> Job {
    let failure = Failure {
        message: "could not send tank/vm: connection lost".to_owned(),
        advice: Some("look at the network".to_owned()),
        kind: FailureKind::Transient,
    };
    Job {
        state: JobState::Failed,
        phase: Some("send".to_owned()),
        progress_percent: 100,
        details: json!({ "bytes": u64::MAX, "small": -1, "list": [[], {}] }),
        result: Some(json!(null)),
        failure: Some(failure),
        failed_phase: Some("send".to_owned()),
        warnings: vec!["one".to_owned(), "\"two\"\n".to_owned()],
        cancel_requested: true,
        unwinding: true,
        started_at: Some(at(1)),
        finished_at: Some(at(2)),
        ..job()
    }
}

fn everything(old: &Job) -> JobChange {
    JobChange {
        state: Some(old.state),
        phase: Some(old.phase.clone()),
        progress_percent: Some(old.progress_percent),
        details: Some(old.details.clone()),
        result: old.result.clone(),
        failure: Some(old.failure.clone()),
        failed_phase: Some(old.failed_phase.clone()),
        add_warnings: old.warnings.clone(),
        cancel_requested: Some(old.cancel_requested),
        unwinding: Some(old.unwinding),
        started_at: old.started_at,
        finished_at: Some(old.finished_at),
    }
}

#[tokio::test]
async fn a_job_reads_back_as_it_was_written() {
    let store = Store::open_in_memory().unwrap();
    for written in [job(), Job { result: Some(json!({ "a": [1] })), ..every_column_set() }] {
        store.insert_job(&written).await.unwrap();
        assert_eq!(store.job(written.id).await.unwrap(), Some(written));
    }
    assert_eq!(store.job(JobId::new()).await.unwrap(), None);
}

#[tokio::test]
async fn a_second_job_with_the_same_id_is_refused() {
    let store = Store::open_in_memory().unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    let error = store.insert_job(&Job { kind: "other".to_owned(), ..job.clone() }).await.unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::AlreadyExists(_))), "{error}");
    assert_eq!(store.job(job.id).await.unwrap(), Some(job));
}

#[tokio::test]
async fn a_change_changes_what_it_names_and_nothing_else() {
    let store = Store::open_in_memory().unwrap();
    let (empty, full) = (job(), Job { result: Some(json!(7)), ..every_column_set() });
    store.insert_job(&empty).await.unwrap();
    let unchanged = store.change_job(empty.id, &JobChange::default()).await.unwrap();
    assert_eq!(unchanged, empty);
    let changed = store.change_job(empty.id, &everything(&full)).await.unwrap();
    assert_eq!(changed, Job { id: empty.id, ..full });
    let percent = JobChange { progress_percent: Some(7), ..JobChange::default() };
    let again = store.change_job(empty.id, &percent).await.unwrap();
    assert_eq!(again, Job { progress_percent: 7, ..changed });
}

#[tokio::test]
async fn a_retry_clears_the_failure_and_keeps_the_warnings() {
    let store = Store::open_in_memory().unwrap();
    let failed = Job { result: None, ..every_column_set() };
    store.insert_job(&failed).await.unwrap();
    let retry = JobChange {
        state: Some(JobState::Queued),
        failure: Some(None),
        failed_phase: Some(None),
        finished_at: Some(None),
        add_warnings: vec!["three".to_owned()],
        ..JobChange::default()
    };
    let job = store.change_job(failed.id, &retry).await.unwrap();
    assert_eq!((job.failure, job.failed_phase, job.finished_at), (None, None, None));
    assert_eq!(job.warnings, ["one", "\"two\"\n", "three"]);
}

#[tokio::test]
async fn changing_a_job_that_does_not_exist_says_so() {
    let store = Store::open_in_memory().unwrap();
    let error = store.change_job(JobId::new(), &JobChange::default()).await.unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::NotFound(_))), "{error}");
}

#[tokio::test]
async fn events_read_back_in_order_with_all_they_carry() {
    let store = Store::open_in_memory().unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    let failure = Failure { message: "no".to_owned(), advice: None, kind: FailureKind::Refused };
    let kinds = [
        StepEvent::Started { intent: json!({ "clone": "tank/run/x" }) },
        StepEvent::Noted { note: json!([1, { "task": "task-7" }]) },
        StepEvent::Succeeded { output: json!(null) },
        StepEvent::Failed { failure: failure.clone() },
        StepEvent::UndoStarted,
        StepEvent::Undone,
        StepEvent::UndoFailed { failure },
    ];
    let mut written = Vec::new();
    for (seq, event) in (1..).zip(kinds) {
        let record = EventRecord { event, ..started(job.id, seq) };
        store.record_event(&record, &JobChange::default()).await.unwrap();
        written.push(record);
    }
    assert_eq!(store.events(job.id).await.unwrap(), written);
    assert_eq!(store.events(JobId::new()).await.unwrap(), []);
}

#[tokio::test]
async fn an_event_that_leaves_a_gap_or_comes_twice_is_refused_and_changes_nothing() {
    let store = Store::open_in_memory().unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    let change = JobChange { progress_percent: Some(50), ..JobChange::default() };
    let refused = |seq| {
        let (store, change) = (store.clone(), change.clone());
        async move { store.record_event(&started(job.id, seq), &change).await.unwrap_err() }
    };
    for seq in [0, 2, -1, 1_000_000] {
        let error = refused(seq).await;
        assert_eq!(error.refusal(), Some(&Refusal::OutOfOrder { expected: 1, found: seq }));
    }
    store.record_event(&started(job.id, 1), &JobChange::default()).await.unwrap();
    store.record_event(&started(job.id, 2), &JobChange::default()).await.unwrap();
    for seq in [1, 2, 4] {
        let error = refused(seq).await;
        assert_eq!(error.refusal(), Some(&Refusal::OutOfOrder { expected: 3, found: seq }));
    }
    assert_eq!(store.events(job.id).await.unwrap().len(), 2);
    assert_eq!(store.job(job.id).await.unwrap().unwrap().progress_percent, 0);
}

#[tokio::test]
async fn an_event_whose_change_is_impossible_is_not_recorded_either() {
    let store = Store::open_in_memory().unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    // More than 100 percent breaks a CHECK of the table, after the event's own row was written.
    let impossible = JobChange { progress_percent: Some(101), ..JobChange::default() };
    let error = store.record_event(&started(job.id, 1), &impossible).await.unwrap_err();
    assert_eq!(error.condition(), Some(Condition::Constraint));
    assert_eq!(store.events(job.id).await.unwrap(), []);
    store.record_event(&started(job.id, 1), &JobChange::default()).await.unwrap();
}

#[tokio::test]
async fn an_event_of_a_job_that_does_not_exist_is_refused() {
    let store = Store::open_in_memory().unwrap();
    let error = store.record_event(&started(JobId::new(), 1), &JobChange::default()).await.unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::NotFound(_))), "{error}");
}

#[tokio::test]
async fn recorded_events_cannot_be_changed() {
    let store = Store::open_in_memory().unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    store.record_event(&started(job.id, 1), &JobChange::default()).await.unwrap();
    let rewrite =
        store.write("rewrite history", |c| Ok(c.execute("UPDATE job_events SET step = 'x'", [])?)).await;
    assert_eq!(rewrite.unwrap_err().condition(), Some(Condition::Constraint));
}

#[tokio::test]
async fn the_list_of_jobs_is_newest_first_filtered_and_paged() {
    let store = Store::open_in_memory().unwrap();
    let mut ids = Vec::new();
    for n in 0..10 {
        let kind = if n % 2 == 0 { "replicate" } else { "backup" }.to_owned();
        let state = if n < 6 { JobState::Succeeded } else { JobState::Running };
        let job = Job { kind, state, ..job() };
        store.insert_job(&job).await.unwrap();
        ids.push(job.id);
    }
    let list = |filter: JobFilter| {
        let store = store.clone();
        async move { store.jobs(&filter).await.unwrap().into_iter().map(|job| job.id).collect::<Vec<_>>() }
    };
    ids.reverse();
    assert_eq!(list(JobFilter::default()).await, ids);
    let first = list(JobFilter { limit: Some(4), ..JobFilter::default() }).await;
    assert_eq!(first, ids[..4]);
    let second = list(JobFilter { limit: Some(4), after: Some(first[3]), ..JobFilter::default() }).await;
    assert_eq!(second, ids[4..8]);
    let filter = JobFilter {
        states: vec![JobState::Running, JobState::Failed],
        kind: Some("backup".to_owned()),
        ..JobFilter::default()
    };
    assert_eq!(list(filter).await, [ids[0], ids[2]]);
    let unfinished: Vec<_> = store.unfinished_jobs().await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(unfinished, [ids[3], ids[2], ids[1], ids[0]]);
}

#[tokio::test]
async fn every_state_but_the_final_ones_is_unfinished() {
    let store = Store::open_in_memory().unwrap();
    for state in JobState::ALL {
        store.insert_job(&Job { state, ..job() }).await.unwrap();
    }
    let found: Vec<_> = store.unfinished_jobs().await.unwrap().into_iter().map(|job| job.state).collect();
    let expected: Vec<_> = JobState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_console_pages_and_refuses_lines_out_of_order() {
    let store = Store::open_in_memory().unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    let levels = [Level::Debug, Level::Info, Level::Success, Level::Warn, Level::Error];
    let lines: Vec<_> = (1..)
        .zip(levels)
        .map(|(seq, level)| ConsoleLine { seq, at: at(seq), level, message: format!("line {seq}") })
        .collect();
    store.write_console(job.id, &lines[..2]).await.unwrap();
    let error = store.write_console(job.id, &[lines[2].clone(), lines[4].clone()]).await.unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::OutOfOrder { expected: 4, found: 5 }));
    assert_eq!(store.last_console_seq(job.id).await.unwrap(), 2);
    store.write_console(job.id, &lines[2..]).await.unwrap();
    assert_eq!(store.console(job.id, 0, 100).await.unwrap(), lines);
    assert_eq!(store.console(job.id, 1, 2).await.unwrap(), lines[1..3]);
    assert_eq!(store.last_console_seq(JobId::new()).await.unwrap(), 0);
}
