//! What the named functions promise of locks, schedules, settings, secrets and the installation.

use serde_json::json;

use super::super::*;
use super::{at, job, started};
use crate::domain::ids::{JobId, ScheduleId, SecretId};
use crate::domain::job::{Job, JobState};

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
    assert_eq!(store.secrets_not_under("k2").await.unwrap(), std::slice::from_ref(&one));
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
