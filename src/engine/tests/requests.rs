//! Cancel, retry, and what cannot be asked.

use super::*;

/// A job in its first step, which waits to be cancelled and then says what remains; then a second step.
fn patient(diary: &Diary) -> Definition {
    let began = diary.clone();
    let waits = step("waits", move |cx, _| {
        let diary = began.clone();
        async move {
            diary.write("waits");
            cx.cancelled().cancelled().await;
            Err(Failure::cancelled("Half of the data is there."))
        }
    });
    kind("patient", vec![waits, diary.step("second")])
}

#[tokio::test]
async fn cancel_in_the_middle_of_a_step_stops_it_and_keeps_its_words() {
    let diary = Diary::default();
    let engine = engine(vec![patient(&diary)]);
    let id = engine.enqueue("patient", Value::Null, "test").await.unwrap();
    let cancel = async {
        until(|| !diary.read().is_empty()).await;
        engine.cancel(id).await.unwrap();
        engine.cancel(id).await.unwrap();
    };
    let (ran, ()) = tokio::join!(engine.run_until_idle(), cancel);
    ran.unwrap();
    let job = engine.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(job.failure.unwrap().message, "Half of the data is there.");
    assert_eq!(diary.read(), ["waits"]);
}

#[tokio::test]
async fn a_step_that_ignores_cancel_is_the_last_one() {
    let diary = Diary::default();
    let began = diary.clone();
    let deaf = step("deaf", move |cx, _| {
        let diary = began.clone();
        async move {
            diary.write("deaf");
            cx.cancelled().cancelled().await;
            Ok(Value::Null)
        }
    });
    let engine = engine(vec![kind("k", vec![deaf, diary.step("second")])]);
    let id = engine.enqueue("k", Value::Null, "test").await.unwrap();
    let cancel = async {
        until(|| !diary.read().is_empty()).await;
        engine.cancel(id).await.unwrap();
    };
    let (ran, ()) = tokio::join!(engine.run_until_idle(), cancel);
    ran.unwrap();
    let job = engine.job(id).await.unwrap();
    assert_eq!((job.state, diary.read()), (JobState::Cancelled, vec!["deaf".to_owned()]));
    assert!(job.failure.unwrap().message.contains("\"second\""), "says where it stopped");

    engine.retry(id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let job = engine.job(id).await.unwrap();
    assert_eq!((job.state, job.failure, job.cancel_requested), (JobState::Succeeded, None, false));
    assert_eq!(diary.read(), ["deaf", "second"], "goes on where it stopped");
}

#[tokio::test]
async fn a_queued_job_is_cancelled_at_once_and_never_begins() {
    let diary = Diary::default();
    let engine = engine(vec![kind("k", vec![diary.step("only")])]);
    let id = engine.enqueue("k", Value::Null, "test").await.unwrap();
    engine.cancel(id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.job(id).await.unwrap().state, JobState::Cancelled);
    assert!(diary.read().is_empty());
}

#[tokio::test]
async fn cancel_survives_a_crash_and_the_step_that_was_under_way_is_told() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let hangs = diary.clone();
    let deaf = step("waits", move |_, _| {
        hangs.write("hangs");
        std::future::pending()
    });
    let before = engine_on(&store, vec![kind("patient", vec![deaf, diary.step("second")])]);
    let id = before.enqueue("patient", Value::Null, "test").await.unwrap();
    crash_once(&before, async {
        until(|| !diary.read().is_empty()).await;
        before.cancel(id).await.unwrap();
    })
    .await;
    assert_eq!(before.job(id).await.unwrap().state, JobState::Cancelling);

    let after = engine_on(&store, vec![patient(&diary)]);
    after.run_until_idle().await.unwrap();
    let job = after.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(diary.read(), ["hangs", "waits"]);
}

#[tokio::test]
async fn cancel_ends_the_wait_between_two_attempts() {
    let diary = Diary::default();
    let mut flaky = diary.failing("flaky", 9, Failure::transient("no answer"));
    flaky.attempts = 5;
    let clock = Arc::new(ManualClock::at(start_of_time()));
    let store = Store::open_in_memory().unwrap();
    let engine = Engine::new(store, vec![kind("k", vec![flaky])], clock.clone());
    let id = engine.enqueue("k", Value::Null, "test").await.unwrap();
    let cancel = async {
        until(|| clock.sleepers() == 1).await;
        engine.cancel(id).await.unwrap();
    };
    let (ran, ()) = tokio::join!(engine.run_until_idle(), cancel);
    ran.unwrap();
    assert_eq!(engine.job(id).await.unwrap().state, JobState::Cancelled);
    assert_eq!(diary.read(), ["flaky"]);
}

#[tokio::test]
async fn retry_goes_on_from_the_failed_step_with_its_intent() {
    let diary = Diary::default();
    let mut fails = diary.failing("fails", 1, Failure::permanent("the pool is full"));
    fails.intent = json!("snapshot-1");
    let engine = engine(vec![kind("k", vec![diary.step("first"), fails, diary.step("last")])]);
    let job = run(&engine, "k").await;
    assert_eq!(job.state, JobState::Failed);
    engine.retry(job.id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let job = engine.job(job.id).await.unwrap();
    assert_eq!((job.state, job.failure, job.failed_phase), (JobState::Succeeded, None, None));
    assert_eq!(diary.read(), ["first", "fails", "fails", "last"]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_in_words() {
    let diary = Diary::default();
    let engine = engine(vec![kind("k", vec![diary.step("only")])]);
    let id = run(&engine, "k").await.id;
    let words = |error: EngineError| error.to_string();
    assert_eq!(
        words(engine.cancel(id).await.unwrap_err()),
        format!("job {id} cannot be cancelled: it has already succeeded")
    );
    assert_eq!(
        words(engine.retry(id).await.unwrap_err()),
        format!("job {id} cannot be retried: it has already succeeded")
    );
    assert_eq!(
        words(engine.cleanup(id).await.unwrap_err()),
        format!("what job {id} did cannot be taken back: it has succeeded, and what it did may be in use")
    );
    let queued = engine.enqueue("k", Value::Null, "test").await.unwrap();
    assert!(words(engine.retry(queued).await.unwrap_err()).contains("it waits for its turn"));
    assert!(words(engine.cleanup(queued).await.unwrap_err()).contains("it waits for its turn"));
    let unknown = engine.enqueue("nonsense", Value::Null, "test").await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no kind of job called \"nonsense\"");
    let nobody = JobId::new();
    assert_eq!(words(engine.cancel(nobody).await.unwrap_err()), format!("there is no job {nobody}"));
}
