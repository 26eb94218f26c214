//! Taking back.

use super::*;

fn failing_kind(diary: &Diary) -> Definition {
    let fails = diary.failing("third", 1, Failure::permanent("the host is gone"));
    kind("k", vec![diary.step("first"), diary.step("second"), fails, diary.step("never")])
}

#[tokio::test]
async fn a_kind_that_unwinds_takes_back_the_failed_step_too_newest_first_and_keeps_the_reason() {
    let diary = Diary::default();
    let engine = engine(vec![failing_kind(&diary).unwinding_on_failure()]);
    let job = run(&engine, "k").await;
    assert_eq!(diary.read(), ["first", "second", "third", "-third", "-second", "-first"]);
    assert_eq!((job.state, job.unwinding), (JobState::Failed, false));
    assert_eq!(job.failure.unwrap().message, "the host is gone");
    assert_eq!(job.failed_phase.as_deref(), Some("third"));
    assert!(engine.standing(job.id).await.unwrap().is_clean());

    engine.retry(job.id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.job(job.id).await.unwrap().state, JobState::Succeeded);
    assert_eq!(diary.read()[6..], ["first", "second", "third", "never"], "all of it anew");
}

#[tokio::test]
async fn a_kind_that_keeps_is_taken_back_when_a_person_asks() {
    let diary = Diary::default();
    let engine = engine(vec![failing_kind(&diary)]);
    let id = run(&engine, "k").await.id;
    assert_eq!(diary.read(), ["first", "second", "third"]);
    engine.cleanup(id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(diary.read()[3..], ["-third", "-second", "-first"]);
    assert_eq!(engine.job(id).await.unwrap().state, JobState::Failed);
    let again = engine.cleanup(id).await.unwrap_err().to_string();
    assert!(again.ends_with("nothing of it is left"), "{again}");
}

#[tokio::test]
async fn an_undo_that_fails_leaves_the_job_waiting_without_locks_until_a_cleanup_works() {
    let diary = Diary::default();
    let busy = Arc::new(Mutex::new(true));
    let (is_busy, back) = (busy.clone(), diary.clone());
    let stuck = diary.step("stuck").undoing(move |_, _| {
        back.write("-stuck");
        let busy = *is_busy.lock().unwrap();
        async move { if busy { Err(Failure::permanent("dataset is busy")) } else { Ok(Value::Null) } }
    });
    let fails = diary.failing("fails", 1, Failure::permanent("no"));
    let definition = locked(kind("k", vec![diary.step("first"), stuck, fails])).unwinding_on_failure();
    let engine = engine(vec![definition]);
    let job = run(&engine, "k").await;
    assert_eq!((job.state, job.unwinding), (JobState::Waiting, true));
    assert_eq!(job.failure.unwrap().message, "Taking back step \"stuck\" did not work: dataset is busy");
    assert!(engine.inner.store.locks().await.unwrap().is_empty(), "does not stand in anybody's way");
    assert!(engine.retry(job.id).await.unwrap_err().to_string().contains("waits for a cleanup"));

    *busy.lock().unwrap() = false;
    engine.cleanup(job.id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let job = engine.job(job.id).await.unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.failure.unwrap().message, "no", "why it had failed in the first place");
    assert_eq!(diary.read()[3..], ["-fails", "-stuck", "-stuck", "-first"]);
}

#[tokio::test]
async fn transient_failures_of_an_undo_are_retried() {
    let diary = Diary::default();
    let (left, back) = (Arc::new(Mutex::new(2)), diary.clone());
    let mut flaky = diary.failing("flaky", 9, Failure::permanent("no")).undoing(move |_, _| {
        back.write("-flaky");
        let mut left = left.lock().unwrap();
        *left -= 1;
        let fails = *left > 0;
        async move { if fails { Err(Failure::transient("no answer")) } else { Ok(Value::Null) } }
    });
    flaky.attempts = 3;
    let engine = engine(vec![kind("k", vec![flaky]).unwinding_on_failure()]);
    assert_eq!(run(&engine, "k").await.state, JobState::Failed);
    assert_eq!(diary.read(), ["flaky", "-flaky", "-flaky"]);
}

#[tokio::test]
async fn an_unwinding_stops_at_what_cannot_be_taken_back_and_says_so() {
    let diary = Diary::default();
    let mut point_of_no_return = diary.step("promote");
    point_of_no_return.undo_kind = UndoKind::Cannot("the old replica is gone");
    let fails = diary.failing("fails", 1, Failure::permanent("no"));
    let steps = vec![diary.step("first"), point_of_no_return, diary.step("after"), fails];
    let engine = engine(vec![kind("k", steps).unwinding_on_failure()]);
    let job = run(&engine, "k").await;
    assert_eq!(diary.read()[4..], ["-fails", "-after"]);
    assert_eq!((job.state, job.unwinding), (JobState::Failed, false));
    assert!(job.warnings[0].contains("\"promote\" cannot be taken back (the old replica is gone)"));
    assert_eq!(engine.standing(job.id).await.unwrap().done().len(), 2);
    let refused = engine.cleanup(job.id).await.unwrap_err().to_string();
    assert!(refused.contains("the old replica is gone"), "{refused}");

    engine.retry(job.id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.job(job.id).await.unwrap().state, JobState::Succeeded);
    assert_eq!(diary.read()[6..], ["after", "fails"], "forward again from the point of no return");
}

#[tokio::test]
async fn a_step_that_fails_before_it_acts_is_not_taken_back() {
    struct Undecided;
    #[async_trait]
    impl Step for Undecided {
        fn name(&self) -> &'static str {
            "undecided"
        }
        fn percent(&self) -> (u8, u8) {
            (50, 100)
        }
        async fn intent(&self, _cx: &StepContext) -> Result<Value, Failure> {
            Err(Failure::refused("the target has data"))
        }
        async fn run(&self, _cx: &StepContext, _intent: &Value) -> Outcome {
            panic!("must not run")
        }
        fn undo_kind(&self) -> UndoKind {
            UndoKind::Undoes
        }
        async fn undo(&self, _cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
            panic!("must not be taken back")
        }
    }
    let diary = Diary::default();
    let definition = Definition::new("k", vec![Box::new(diary.step("first")), Box::new(Undecided)]);
    let engine = engine(vec![definition.unwinding_on_failure()]);
    let job = run(&engine, "k").await;
    assert_eq!(job.failure, Some(Failure::refused("the target has data")));
    assert_eq!(job.failed_phase.as_deref(), Some("undecided"));
    assert_eq!(diary.read(), ["first", "-first"]);
}

#[tokio::test]
async fn a_job_that_succeeded_is_taken_back_where_its_kind_allows_it() {
    let diary = Diary::default();
    let engine =
        engine(vec![kind("k", vec![diary.step("first"), diary.step("last")]).undoable_after_success()]);
    let id = run(&engine, "k").await.id;
    engine.cleanup(id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(diary.read(), ["first", "last", "-last", "-first"]);
    assert_eq!(engine.job(id).await.unwrap().state, JobState::Cancelled);
}

#[tokio::test]
async fn an_unwinding_goes_on_after_a_crash_and_cannot_be_cancelled() {
    let (diary, store) = (Diary::default(), Store::open_in_memory().unwrap());
    let back = diary.clone();
    let hangs = diary.step("first").undoing(move |_, _| {
        back.write("hangs");
        std::future::pending()
    });
    let fails = diary.failing("fails", 1, Failure::permanent("no"));
    let before = engine_on(&store, vec![kind("k", vec![hangs, fails]).unwinding_on_failure()]);
    let id = before.enqueue("k", Value::Null, "test").await.unwrap();
    crash_once(&before, async {
        until(|| diary.read().contains(&"hangs".to_owned())).await;
        let refused = before.cancel(id).await.unwrap_err().to_string();
        assert!(refused.contains("not stopped half-way"), "{refused}");
    })
    .await;
    let steps = vec![diary.step("first"), diary.step("fails")];
    let after = engine_on(&store, vec![kind("k", steps).unwinding_on_failure()]);
    after.run_until_idle().await.unwrap();
    let job = after.job(id).await.unwrap();
    assert_eq!((job.state, job.failure.unwrap().message.as_str()), (JobState::Failed, "no"));
    assert_eq!(diary.read(), ["first", "fails", "-fails", "hangs", "-first"]);
}
