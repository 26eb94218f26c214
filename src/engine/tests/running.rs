//! Going forward: order, outputs, retries, panics, locks, console, live updates.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::domain::job::Level;

#[tokio::test]
async fn steps_run_in_order_read_earlier_outputs_and_the_last_output_is_the_result() {
    let diary = Diary::default();
    let reads = step("reads", |cx, _| async move {
        Ok(json!([cx.need::<String>("first")?, cx.output::<String>("later")?, cx.input::<Value>()?]))
    });
    let engine = engine(vec![kind("k", vec![diary.step("first"), reads])]);
    let job = run(&engine, "k").await;
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!(job.result, Some(json!(["first", null, null])));
    assert_eq!((job.progress_percent, job.phase), (100, None));
    assert!(job.started_at.is_some() && job.finished_at.is_some());
    assert_eq!(
        log_of(&engine, job.id).await,
        ["first started", "first succeeded", "reads started", "reads succeeded"]
    );
}

#[tokio::test]
async fn transient_failures_are_retried_with_the_same_intent_after_the_pause() {
    let diary = Diary::default();
    let mut flaky = diary.failing("flaky", 2, Failure::transient("no answer"));
    (flaky.attempts, flaky.intent) = (3, json!("snapshot-1"));
    let engine = engine(vec![kind("k", vec![flaky])]);
    let job = run(&engine, "k").await;
    assert_eq!(job.state, JobState::Succeeded);
    assert_eq!(diary.read(), ["flaky"; 3]);
    assert_eq!(engine.inner.clock.passed(), Duration::from_secs(20), "two pauses of 10 s");
    let started = log_of(&engine, job.id).await.iter().filter(|line| *line == "flaky started").count();
    assert_eq!(started, 3);
}

#[tokio::test]
async fn attempts_run_out_and_permanent_failures_are_not_retried() {
    for (failure, attempts) in [(Failure::transient("no answer"), 3), (Failure::permanent("no such pool"), 1)]
    {
        let diary = Diary::default();
        let mut flaky = diary.failing("flaky", 9, failure.clone().advise("Look at the pool."));
        flaky.attempts = 3;
        let engine = engine(vec![kind("k", vec![diary.step("first"), flaky, diary.step("last")])]);
        let job = run(&engine, "k").await;
        assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some("flaky")));
        assert_eq!(job.failure, Some(failure.advise("Look at the pool.")));
        assert_eq!(diary.read().len(), 1 + attempts, "what was done stays, and nothing comes after");
    }
}

#[tokio::test]
async fn a_panicking_step_fails_its_job_and_no_other() {
    let diary = Diary::default();
    let bad = step("bad", |_, _| async { panic!("index out of bounds") });
    let engine = engine(vec![kind("bad", vec![bad]), kind("good", vec![diary.step("good")])]);
    let bad = engine.enqueue("bad", Value::Null, "test").await.unwrap();
    let good = run(&engine, "good").await;
    assert_eq!(good.state, JobState::Succeeded);
    let bad = engine.job(bad).await.unwrap();
    assert_eq!(bad.state, JobState::Failed);
    assert!(bad.failure.unwrap().message.contains("index out of bounds"));
}

#[tokio::test]
async fn two_jobs_on_one_lock_never_overlap_while_a_third_on_another_lock_runs() {
    let diary = Diary::default();
    let (other_began, began) = (Arc::new(Notify::new()), diary.clone());
    let work = step("work", move |cx, _| {
        let (diary, other_began) = (began.clone(), other_began.clone());
        async move {
            let lock = cx.input::<String>()?;
            diary.write(format!("{lock} begins"));
            match lock.as_str() {
                "other" => other_began.notify_waiters(),
                // The first one does not end before the one on the other lock has begun beside it.
                _ if diary.read().len() == 1 => other_began.notified().await,
                _ => {}
            }
            diary.write(format!("{lock} ends"));
            Ok(Value::Null)
        }
    });
    let engine = engine(vec![locked(kind("k", vec![work]))]);
    let mut jobs = Vec::new();
    for lock in ["same", "same", "other"] {
        jobs.push(engine.enqueue("k", json!(lock), "test").await.unwrap());
    }
    engine.run_until_idle().await.unwrap();
    assert_eq!(
        diary.read(),
        ["same begins", "other begins", "other ends", "same ends", "same begins", "same ends"]
    );
    let waited = engine.inner.store.console(jobs[1], 0, 10).await.unwrap();
    assert!(waited[0].message.contains(&jobs[0].to_string()), "says whom it waited for: {waited:?}");
    assert_eq!(waited.len(), 1, "and says it once");
    assert!(engine.inner.store.locks().await.unwrap().is_empty());
}

#[tokio::test]
async fn no_more_jobs_run_at_once_than_allowed() {
    let (diary, at_once) = (Diary::default(), Arc::new(Mutex::new((0, 0))));
    let counted = at_once.clone();
    let work = step("work", move |_, _| {
        let (diary, counted) = (diary.clone(), counted.clone());
        async move {
            {
                let mut counted = counted.lock().unwrap();
                counted.0 += 1;
                counted.1 = counted.1.max(counted.0);
            }
            diary.write("work");
            tokio::time::sleep(Duration::from_millis(5)).await;
            counted.lock().unwrap().0 -= 1;
            Ok(Value::Null)
        }
    });
    let store = Store::open_in_memory().unwrap();
    let clock = Arc::new(ManualClock::sleepless(start_of_time()));
    let engine = Engine::with_options(store, vec![kind("k", vec![work])], clock, Options { max_running: 2 });
    for _ in 0..7 {
        engine.enqueue("k", Value::Null, "test").await.unwrap();
    }
    engine.run_until_idle().await.unwrap();
    let done = engine.inner.store.unfinished_jobs().await.unwrap();
    assert!(done.is_empty());
    assert_eq!(at_once.lock().unwrap().1, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_short_jobs_that_end_while_others_are_started_run_once_each() {
    let diary = Diary::default();
    let began = diary.clone();
    let work = step("work", move |cx, _| {
        began.write(cx.job().id.to_string());
        async { Ok(Value::Null) }
    });
    // On a disk, where reads and writes run side by side.
    let data = tempfile::tempdir().unwrap();
    let engine = engine_on(&Store::open(data.path()).unwrap(), vec![locked(kind("k", vec![work]))]);
    let mut jobs = Vec::new();
    for n in 0..300 {
        jobs.push(engine.enqueue("k", json!(format!("lock {}", n % 50)), "test").await.unwrap().to_string());
    }
    engine.run_until_idle().await.unwrap();
    let mut ran = diary.read();
    ran.sort();
    assert_eq!(ran, jobs);
}

#[tokio::test]
async fn console_lines_are_on_the_disk_in_their_order_before_the_outcome_of_their_step() {
    let talks = step("talks", |cx, _| async move {
        for n in 0..100 {
            cx.info(format!("line {n}"));
        }
        Ok(Value::Null)
    });
    let store = Store::open_in_memory().unwrap();
    let looks_at = store.clone();
    let looks = step("looks", move |cx, _| {
        let store = looks_at.clone();
        async move {
            let lines = store.console(cx.job().id, 0, 1000).await.unwrap();
            let messages: Vec<_> = lines.into_iter().map(|line| line.message).collect();
            Ok(json!(messages))
        }
    });
    let engine = engine_on(&store, vec![kind("k", vec![talks, looks])]);
    let job = run(&engine, "k").await;
    let expected: Vec<_> = (0..100).map(|n| format!("line {n}")).collect();
    assert_eq!(job.result, Some(json!(expected)));
}

#[tokio::test]
async fn a_quiet_step_s_lines_and_progress_are_written_while_it_still_runs() {
    let store = Store::open_in_memory().unwrap();
    let looks_at = store.clone();
    let patient = step("patient", move |cx, _| {
        let store = looks_at.clone();
        async move {
            cx.info("begun");
            cx.progress(0.5);
            cx.details(json!({"bytes": 7}));
            loop {
                let lines = store.console(cx.job().id, 0, 10).await.unwrap();
                let job = store.job(cx.job().id).await.unwrap().unwrap();
                if lines.len() == 1 && job.progress_percent == 50 && job.details == json!({"bytes": 7}) {
                    return Ok(Value::Null);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let job = run(&engine_on(&store, vec![kind("k", vec![patient])]), "k").await;
    assert_eq!(job.state, JobState::Succeeded);
}

#[tokio::test]
async fn progress_is_told_live_each_time_but_written_only_now_and_then() {
    let store = Store::open_in_memory().unwrap();
    let busy = step("busy", |cx, _| async move {
        for n in 0..5000 {
            cx.details(json!({"bytes": n}));
            tokio::task::yield_now().await;
        }
        Ok(Value::Null)
    });
    let engine = engine_on(&store, vec![kind("k", vec![busy])]);
    let job = run(&engine, "k").await;
    assert_eq!(job.details, json!({"bytes": 4999}), "the last one is not lost");
    let writes = store.statistics().writes;
    assert!(writes < 500, "{writes} writes for 5000 updates");
}

#[tokio::test]
async fn progress_never_goes_back_when_a_step_starts_again_or_counts_anew() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let mut again = step("again", move |cx, _| {
        let attempt = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            for fraction in [0.2, 0.6, 0.1, 0.4] {
                cx.progress(fraction);
            }
            if attempt == 0 { Err(Failure::transient("lost")) } else { Ok(Value::Null) }
        }
    });
    (again.attempts, again.percent) = (2, (10, 90));
    let engine = engine(vec![kind("k", vec![again])]);
    let id = engine.enqueue("k", Value::Null, "test").await.unwrap();
    let mut watcher = engine.watch(id);
    engine.run_until_idle().await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&100) {
        if let JobUpdate::Progress { percent, .. } = watcher.next().await.unwrap() {
            seen.push(percent);
        }
    }
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    assert!(seen.is_sorted() && seen.contains(&58), "{seen:?}");
}

#[tokio::test]
async fn watchers_see_state_phase_progress_and_console_live() {
    let mut tells = step("tells", |cx, _| async move {
        cx.progress(0.5);
        cx.details(json!({"rate": 3}));
        cx.warn("slow disk");
        Ok(Value::Null)
    });
    tells.percent = (20, 40);
    let engine = engine(vec![kind("k", vec![tells])]);
    let id = engine.enqueue("k", Value::Null, "test").await.unwrap();
    let mut watcher = engine.watch(id);
    engine.run_until_idle().await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&"state succeeded".to_owned()) {
        seen.push(match watcher.next().await.unwrap() {
            JobUpdate::State { state, .. } => format!("state {state}"),
            JobUpdate::Phase { phase, .. } => format!("phase {}", phase.unwrap_or_default()),
            JobUpdate::Progress { percent, details: Value::Null, .. } => format!("{percent} %"),
            JobUpdate::Progress { details, .. } => details.to_string(),
            JobUpdate::Console { line, .. } => format!("{} {}", line.level.as_str(), line.message),
            JobUpdate::Refresh => panic!("nothing was lost"),
        });
    }
    assert_eq!(
        seen,
        [
            "state running",
            "phase tells",
            "20 %",
            "30 %",
            r#"{"rate":3}"#,
            "warn slow disk",
            "phase ",
            "100 %",
            "state succeeded"
        ]
    );
    let job = engine.job(id).await.unwrap();
    assert_eq!((job.warnings, job.details), (vec!["slow disk".to_owned()], json!({"rate": 3})));
    assert_eq!(engine.inner.store.console(id, 0, 9).await.unwrap()[0].level, Level::Warn);
}

#[tokio::test]
async fn waiting_for_a_job_returns_how_it_ended() {
    let engine = engine(vec![kind("k", vec![Diary::default().step("only")])]);
    let id = engine.enqueue("k", Value::Null, "test").await.unwrap();
    let (job, ran) = tokio::join!(engine.wait(id), engine.run_until_idle());
    ran.unwrap();
    assert_eq!(job.unwrap().state, JobState::Succeeded);
}
