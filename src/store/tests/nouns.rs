//! What the named functions promise.

use serde_json::json;

use super::super::*;
use super::{at, job, started};
use crate::domain::ids::{JobId, ScheduleId, SecretId};
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

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn locks_are_taken_all_or_none_and_again_by_their_holder() {
    let store = Store::open_in_memory().unwrap();
    let (one, two) = (job(), job());
    store.insert_job(&one).await.unwrap();
    store.insert_job(&two).await.unwrap();
    let first = names(&["replica:a", "recovery:a"]);
    assert_eq!(store.acquire_locks(one.id, &first).await.unwrap(), LockOutcome::Acquired);
    let outcome = store.acquire_locks(two.id, &names(&["vm:x", "recovery:a"])).await.unwrap();
    assert_eq!(outcome, LockOutcome::HeldBy { lock: "recovery:a".to_owned(), job: one.id });
    assert_eq!(store.locks().await.unwrap().len(), 2, "the loser must not keep `vm:x`");
    let more = names(&["replica:a", "vm:x", "vm:x"]);
    assert_eq!(store.acquire_locks(one.id, &more).await.unwrap(), LockOutcome::Acquired);
    let held: Vec<_> = store.locks().await.unwrap().into_iter().map(|lock| (lock.name, lock.job)).collect();
    let expected = names(&["recovery:a", "replica:a", "vm:x"]).into_iter().map(|name| (name, one.id));
    assert_eq!(held, expected.collect::<Vec<_>>());
    store.release_locks(one.id).await.unwrap();
    store.release_locks(one.id).await.unwrap();
    assert_eq!(store.acquire_locks(two.id, &first).await.unwrap(), LockOutcome::Acquired);
}

#[tokio::test]
async fn locks_go_with_the_job_that_ends_and_stay_with_one_that_waits() {
    let store = Store::open_in_memory().unwrap();
    for state in JobState::ALL {
        let job = job();
        store.insert_job(&job).await.unwrap();
        let _acquired = store.acquire_locks(job.id, &names(&["replica:a"])).await.unwrap();
        let change = JobChange { state: Some(state), ..JobChange::default() };
        store.record_event(&started(job.id, 1), &change).await.unwrap();
        assert_eq!(store.locks().await.unwrap().is_empty(), state.is_final(), "{state}");
        store.release_locks(job.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_finished_or_unknown_job_gets_no_locks() {
    let store = Store::open_in_memory().unwrap();
    let done = Job { state: JobState::Succeeded, ..job() };
    store.insert_job(&done).await.unwrap();
    let error = store.acquire_locks(done.id, &names(&["a"])).await.unwrap_err();
    assert_eq!(error.refusal(), Some(&Refusal::Finished(done.id)));
    let error = store.acquire_locks(JobId::new(), &names(&["a"])).await.unwrap_err();
    assert!(matches!(error.refusal(), Some(Refusal::NotFound(_))), "{error}");
    assert_eq!(store.locks().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_jobs_that_want_one_lock_exactly_one_gets_it() {
    let store = Store::open_in_memory().unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (store, job) = (store.clone(), job());
        asking.spawn(async move {
            store.insert_job(&job).await.unwrap();
            store.acquire_locks(job.id, &names(&["replica:a"])).await.unwrap()
        });
    }
    let outcomes = asking.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == LockOutcome::Acquired).count(), 1);
}

fn schedule(name: &str, due: i64) -> Schedule {
    Schedule {
        id: ScheduleId::new(),
        name: name.to_owned(),
        kind: "replicate".to_owned(),
        input: json!({ "group": 1 }),
        every_seconds: Some(900),
        calendar: None,
        time_zone: "Europe/Berlin".to_owned(),
        enabled: true,
        next_due_at: Some(at(due)),
        last_enqueued_at: None,
        last_job: None,
    }
}

#[tokio::test]
async fn schedules_can_be_made_changed_listed_and_deleted() {
    let store = Store::open_in_memory().unwrap();
    let mut one = schedule("b", 0);
    let two = Schedule { every_seconds: None, calendar: Some("0 3 * * *".to_owned()), ..schedule("a", 0) };
    store.put_schedule(&one).await.unwrap();
    store.put_schedule(&two).await.unwrap();
    one.enabled = false;
    one.next_due_at = None;
    store.put_schedule(&one).await.unwrap();
    assert_eq!(store.schedules().await.unwrap(), [two.clone(), one.clone()]);
    assert_eq!(store.schedule(one.id).await.unwrap(), Some(one.clone()));
    let clash = store.put_schedule(&Schedule { name: "a".to_owned(), ..one.clone() }).await.unwrap_err();
    assert!(matches!(clash.refusal(), Some(Refusal::AlreadyExists(_))), "{clash}");
    let both =
        Schedule { calendar: Some("* * * * *".to_owned()), every_seconds: Some(1), ..schedule("c", 0) };
    assert!(store.put_schedule(&both).await.is_err(), "both an interval and a calendar");
    assert!(store.delete_schedule(one.id).await.unwrap());
    assert!(!store.delete_schedule(one.id).await.unwrap());
}

#[tokio::test]
async fn only_enabled_schedules_whose_time_has_come_are_due() {
    let store = Store::open_in_memory().unwrap();
    let (late, now, future) = (schedule("late", 5), schedule("now", 10), schedule("future", 11));
    let off = Schedule { enabled: false, ..schedule("off", 1) };
    let never = Schedule { next_due_at: None, ..schedule("never", 1) };
    for one in [&now, &late, &future, &off, &never] {
        store.put_schedule(one).await.unwrap();
    }
    assert_eq!(store.due_schedules(at(10)).await.unwrap(), [late, now]);
}

#[tokio::test]
async fn a_due_schedule_is_served_once_and_not_while_its_job_runs() {
    let store = Store::open_in_memory().unwrap();
    let seen = schedule("a", 0);
    store.put_schedule(&seen).await.unwrap();
    let first = job();
    assert_eq!(store.serve_due(&seen, &first, at(1), Some(at(900))).await.unwrap(), Due::Enqueued);
    // A second caller that saw the same is too late.
    assert_eq!(store.serve_due(&seen, &job(), at(1), Some(at(900))).await.unwrap(), Due::NotDue);
    let seen = store.schedule(seen.id).await.unwrap().unwrap();
    assert_eq!(
        (seen.next_due_at, seen.last_enqueued_at, seen.last_job),
        (Some(at(900)), Some(at(1)), Some(first.id))
    );
    let outcome = store.serve_due(&seen, &job(), at(901), Some(at(1800))).await.unwrap();
    assert_eq!(outcome, Due::StillRunning(first.id));
    assert_eq!(store.jobs(&JobFilter::default()).await.unwrap().len(), 1);
    let done = JobChange { state: Some(JobState::Failed), ..JobChange::default() };
    store.change_job(first.id, &done).await.unwrap();
    let seen = store.schedule(seen.id).await.unwrap().unwrap();
    assert_eq!(seen.next_due_at, Some(at(1800)));
    assert_eq!(store.serve_due(&seen, &job(), at(1800), None).await.unwrap(), Due::Enqueued);
    assert_eq!(store.jobs(&JobFilter::default()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_schedule_is_moved_only_as_it_was_seen() {
    let store = Store::open_in_memory().unwrap();
    let seen = schedule("a", 0);
    store.put_schedule(&seen).await.unwrap();
    assert!(store.move_schedule(&seen, Some(at(5))).await.unwrap());
    assert!(!store.move_schedule(&seen, Some(at(6))).await.unwrap());
    assert_eq!(store.schedule(seen.id).await.unwrap().unwrap().next_due_at, Some(at(5)));
}

#[tokio::test]
async fn settings_and_secrets_read_back() {
    let store = Store::open_in_memory().unwrap();
    store.put_setting("smtp", Some(&json!({ "host": "mail", "port": 25 }))).await.unwrap();
    store.put_setting("smtp", Some(&json!({ "host": "mail", "port": 587 }))).await.unwrap();
    store.put_setting("other", Some(&json!(null))).await.unwrap();
    assert_eq!(store.setting("smtp").await.unwrap(), Some(json!({ "host": "mail", "port": 587 })));
    store.put_setting("other", None).await.unwrap();
    assert_eq!(store.settings().await.unwrap().len(), 1);

    let secret = |name: &str, key: &str| SecretRow {
        id: SecretId::new(),
        name: name.to_owned(),
        key_id: key.to_owned(),
        sealed: vec![0, 255, 7],
    };
    let (one, two) = (secret("one", "k1"), secret("two", "k2"));
    store.put_secret(&one).await.unwrap();
    store.put_secret(&two).await.unwrap();
    let clash = store.put_secret(&secret("one", "k1")).await.unwrap_err();
    assert!(matches!(clash.refusal(), Some(Refusal::AlreadyExists(_))), "{clash}");
    assert_eq!(store.secrets_not_under("k2").await.unwrap(), [one.clone()]);
    assert!(store.reseal(&one, "k2", vec![1]).await.unwrap());
    assert!(!store.reseal(&one, "k2", vec![2]).await.unwrap(), "it is no longer as it was read");
    assert_eq!(store.secret(one.id).await.unwrap().unwrap().sealed, [1]);
    assert_eq!(store.secret_named("two").await.unwrap(), Some(two.clone()));
    assert!(store.delete_secret(two.id).await.unwrap());
    assert_eq!(store.secret(two.id).await.unwrap(), None);

    let wrapped = WrappedKey { key_id: "k2".to_owned(), wrapped: vec![9] };
    store.put_wrapped_key(&wrapped).await.unwrap();
    assert_eq!(store.wrapped_keys().await.unwrap(), [wrapped]);
    store.delete_wrapped_key("k2").await.unwrap();
    assert_eq!(store.wrapped_keys().await.unwrap(), []);
}

#[tokio::test]
async fn an_installation_keeps_its_id_and_a_restore_raises_its_generation() {
    let store = Store::open_in_memory().unwrap();
    let first = store.installation().await.unwrap();
    assert_eq!(first.generation, 1);
    assert_eq!(store.installation().await.unwrap(), first);
    assert_eq!(store.raise_generation().await.unwrap(), Installation { generation: 2, ..first });
    assert_eq!(store.installation().await.unwrap().generation, 2);
}
