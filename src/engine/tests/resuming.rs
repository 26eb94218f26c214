//! After a crash: every test stops an engine in the middle and starts another one on its store.

use super::*;

/// A step that notes `note` and then hangs, as if the process died in it.
fn hanging(diary: &Diary, name: &'static str, note: Value) -> Scripted {
    let diary = diary.clone();
    let mut scripted = step(name, move |cx, _| {
        let (diary, note) = (diary.clone(), note.clone());
        async move {
            cx.note(note).await?;
            diary.write(format!("{name} hangs"));
            std::future::pending().await
        }
    });
    scripted.intent = json!("first intent");
    scripted
}

/// Runs a job of kind `k` with one step done and one hanging, and crashes.
async fn crashed(diary: &Diary, store: &Store) -> JobId {
    let steps = vec![diary.step("first"), hanging(diary, "second", json!({"page": 3}))];
    let before = engine_on(store, vec![locked(kind("k", steps))]);
    let id = before.enqueue("k", json!("lock"), "test").await.unwrap();
    crash_once(&before, until(|| diary.read().len() == 2)).await;
    id
}

#[tokio::test]
async fn a_job_left_running_goes_on_in_its_step_with_intent_note_and_earlier_outputs() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let id = crashed(&diary, &store).await;
    let mut second = step("second", |cx, intent| async move {
        Ok(json!([intent, cx.last_note::<Value>()?, cx.need::<String>("first")?]))
    });
    second.intent = json!("another intent, which must not be asked for");
    let after = engine_on(&store, vec![locked(kind("k", vec![diary.step("first"), second]))]);
    after.run_until_idle().await.unwrap();
    let job = after.job(id).await.unwrap();
    assert_eq!(job.result, Some(json!(["first intent", {"page": 3}, "first"])));
    assert_eq!(diary.read(), ["first", "second hangs"], "the first step is not run again");
    let console = store.console(id, 0, 10).await.unwrap();
    assert!(console.iter().any(|line| line.message.contains("restarted")), "{console:?}");
}

#[tokio::test]
async fn a_step_that_turns_out_to_be_done_is_not_run_again() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let id = crashed(&diary, &store).await;
    let mut second = diary.step("second");
    second.done = Some(json!("was done"));
    let after = engine_on(&store, vec![locked(kind("k", vec![diary.step("first"), second]))]);
    after.run_until_idle().await.unwrap();
    assert_eq!(after.job(id).await.unwrap().result, Some(json!("was done")));
    assert_eq!(diary.read(), ["first", "second hangs"]);
}

#[tokio::test]
async fn what_was_running_keeps_its_locks_over_the_crash_and_goes_first() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let id = crashed(&diary, &store).await;
    let after = engine_on(&store, vec![locked(kind("k", vec![diary.step("first"), diary.step("second")]))]);
    let later = after.enqueue("k", json!("lock"), "test").await.unwrap();
    after.run_until_idle().await.unwrap();
    assert_eq!(diary.read()[2..], ["second", "first", "second"]);
    for job in [id, later] {
        assert_eq!(after.job(job).await.unwrap().state, JobState::Succeeded);
    }
}

#[tokio::test]
async fn locks_left_by_a_job_that_does_not_run_are_let_go() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let engine = engine_on(&store, vec![locked(kind("k", vec![diary.step("only")]))]);
    // As if the process had died between taking the locks of the second job and starting it.
    let first = engine.enqueue("k", json!("lock"), "test").await.unwrap();
    let second = engine.enqueue("k", json!("lock"), "test").await.unwrap();
    let name = String::from(LockName::host_mounts("lock"));
    assert_eq!(store.acquire_locks(second, &[name]).await.unwrap(), crate::store::LockOutcome::Acquired);
    engine.run_until_idle().await.unwrap();
    for job in [first, second] {
        assert_eq!(engine.job(job).await.unwrap().state, JobState::Succeeded);
    }
}

#[tokio::test]
async fn a_log_of_another_version_interrupts_the_job_and_harms_nothing() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let id = crashed(&diary, &store).await;
    let renamed =
        engine_on(&store, vec![locked(kind("k", vec![diary.step("first"), diary.step("renamed")]))]);
    renamed.run_until_idle().await.unwrap();
    let job = renamed.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Interrupted);
    assert!(job.failure.unwrap().message.contains("step \"second\", which this kind of job does not have"));

    let without = engine_on(&store, vec![kind("other", vec![diary.step("only")])]);
    assert_eq!(run(&without, "other").await.state, JobState::Succeeded);

    let right = engine_on(&store, vec![locked(kind("k", vec![diary.step("first"), diary.step("second")]))]);
    right.retry(id).await.unwrap();
    right.run_until_idle().await.unwrap();
    assert_eq!(right.job(id).await.unwrap().state, JobState::Succeeded);
}

#[tokio::test]
async fn a_job_of_a_kind_that_is_gone_is_interrupted() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let id = engine_on(&store, vec![kind("old", vec![diary.step("only")])])
        .enqueue("old", Value::Null, "test")
        .await
        .unwrap();
    let after = engine_on(&store, vec![]);
    after.run_until_idle().await.unwrap();
    let job = after.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Interrupted);
    assert!(job.failure.unwrap().message.contains("\"old\""));
}

#[tokio::test]
async fn a_served_engine_takes_up_what_was_left_and_stops_when_told() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let id = crashed(&diary, &store).await;
    let clock = Arc::new(ManualClock::at(start_of_time()));
    let kinds = vec![locked(kind("k", vec![diary.step("first"), diary.step("second")]))];
    let after = Engine::new(store, kinds, clock);
    let shutdown = CancellationToken::new();
    let stop = async {
        let job = after.wait(id).await.unwrap();
        shutdown.cancel();
        job.state
    };
    let (state, ()) = tokio::join!(stop, after.serve(shutdown.clone()));
    assert_eq!(state, JobState::Succeeded);
}

#[tokio::test]
async fn a_closed_store_stops_the_engine_with_an_error_that_says_what_was_attempted() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let engine = engine_on(&store, vec![kind("k", vec![diary.step("only")])]);
    engine.enqueue("k", Value::Null, "test").await.unwrap();
    store.close().await;
    let error = engine.run_until_idle().await.unwrap_err();
    assert!(error.to_string().starts_with("could not "), "{error}");
    assert!(diary.read().is_empty());
}
