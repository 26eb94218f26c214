//! The database and the secrets under kill -9, a full disk, a read-only disk, and a second process.
//!
//! Child processes are this very test binary, started again with `ZERFAUX_TEST_CHILD` naming what to be.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

#[path = "support/small_disk.rs"]
mod small_disk;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use small_disk::SmallDisk;
use zerfaux::app::secrets::{RotationStep, SecretError, Secrets};
use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::{EventRecord, Job, JobState, StepEvent};
use zerfaux::store::{Condition, JobChange, JobFilter, OpenError, Store};
use zerfaux::vault::{RecoveryKey, Vault};

const ROLE: &str = "ZERFAUX_TEST_CHILD";
const DATA: &str = "ZERFAUX_TEST_DATA";
const DETAIL: &str = "ZERFAUX_TEST_DETAIL";

/// Not a test by itself: what the child processes run.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let data = PathBuf::from(std::env::var(DATA).unwrap());
    let detail = std::env::var(DETAIL).unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "hold" => hold(&data).await,
            "write" => write_until_killed(&data).await,
            "rotate" => rotate_until_killed(&data, &detail).await,
            other => panic!("no role {other}"),
        }
    });
}

fn start(role: &str, data: &Path, detail: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DATA, data)
        .env(DETAIL, detail)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn hold(data: &Path) {
    let store = Store::open(data).unwrap();
    println!("ready");
    std::future::pending::<()>().await;
    drop(store);
}

fn job() -> Job {
    Job {
        id: JobId::new(),
        kind: "replicate".to_owned(),
        input: json!({}),
        state: JobState::Running,
        phase: None,
        progress_percent: 0,
        details: json!({}),
        result: None,
        failure: None,
        failed_phase: None,
        warnings: Vec::new(),
        cancel_requested: false,
        unwinding: false,
        created_by: "test".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
    }
}

fn event(job: JobId, seq: i64) -> EventRecord {
    let event = StepEvent::Noted { note: json!({ "seq": seq }) };
    EventRecord { job, seq, at: Timestamp::UNIX_EPOCH, step: "send".to_owned(), event }
}

/// What goes with event `seq`, so that a reader can see whether both or neither are there.
fn change(seq: i64) -> JobChange {
    JobChange { details: Some(json!({ "seq": seq })), ..JobChange::default() }
}

/// Sixteen jobs at once, each event acknowledged on stdout once the store has acknowledged it.
async fn write_until_killed(data: &Path) {
    let store = Store::open(data).unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        writers.spawn(async move {
            let job = job();
            store.insert_job(&job).await.unwrap();
            for seq in 1.. {
                store.record_event(&event(job.id, seq), &change(seq)).await.unwrap();
                println!("ack {} {seq}", job.id);
            }
        });
    }
    writers.join_all().await;
}

#[test]
fn a_second_process_is_refused_at_once_with_the_name_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut holder = start("hold", directory.path(), "");
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready")));
    let asked = Instant::now();
    let error = Store::open(directory.path()).unwrap_err();
    // Not a measure of speed: it must not wait for the holder, who never ends by itself.
    assert!(asked.elapsed() < Duration::from_secs(30));
    assert!(matches!(error, OpenError::Held { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", holder.id())), "{error}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    Store::open(directory.path()).unwrap();
}

#[tokio::test]
async fn after_kill_9_every_acknowledged_event_is_there_and_no_half_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: std::collections::HashMap<JobId, i64> = std::collections::HashMap::new();
    for round in 0..8_usize {
        let mut child = start("write", directory.path(), "");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut note = |line: &str| {
            if let Some((job, seq)) =
                line.trim_end().strip_prefix("ack ").and_then(|rest| rest.split_once(' '))
            {
                let last = acknowledged.entry(job.parse().unwrap()).or_default();
                *last = (*last).max(seq.parse().unwrap());
            }
        };
        let mut line = String::new();
        // Another moment each time, from the very first event on.
        for _ in 0..3 + round * round * 40 {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the child ended by itself");
            note(&line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        // The last line may be cut off by the kill itself.
        rest.split_inclusive('\n').filter(|line| line.ends_with('\n')).for_each(&mut note);

        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        for job in store.jobs(&JobFilter::default()).await.unwrap() {
            let events = store.events(job.id).await.unwrap();
            let numbers: Vec<i64> = events.iter().map(|event| event.seq).collect();
            assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>(), "a gap");
            let of_the_row = job.details.get("seq").map_or(0, |seq| seq.as_i64().unwrap());
            assert_eq!(
                of_the_row,
                numbers.len() as i64,
                "an event without its change, or the other way round"
            );
        }
        for (job, last) in &acknowledged {
            assert!(store.events(*job).await.unwrap().len() as i64 >= *last, "an acknowledged event is gone");
        }
        store.close().await;
    }
    assert!(acknowledged.len() >= 16 && acknowledged.values().sum::<i64>() > 100, "{acknowledged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_at_once_share_commits() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let store = store.clone();
        writers.spawn(async move {
            let job = job();
            store.insert_job(&job).await.unwrap();
            for seq in 1..=20 {
                store.record_event(&event(job.id, seq), &change(seq)).await.unwrap();
            }
            assert_eq!(store.events(job.id).await.unwrap().len(), 20);
        });
    }
    writers.join_all().await;
    let statistics = store.statistics();
    assert_eq!(statistics.writes, 64 * 21);
    assert!(statistics.commits < statistics.writes, "{statistics:?}");
}

#[tokio::test]
async fn on_a_full_disk_writes_fail_with_advice_reads_go_on_and_nothing_is_damaged() {
    let Some(disk) = SmallDisk::mount(4) else { return };
    let data = disk.path().join("data");
    let store = Store::open(&data).unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    let mut last = 0;
    for _ in 0..5 {
        let filler = disk.fill();
        let mut refused = None;
        // What SQLite has already reserved may take a few more.
        for _ in 0..2000 {
            match store.record_event(&event(job.id, last + 1), &change(last + 1)).await {
                Ok(()) => last += 1,
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let error = refused.expect("the disk never got full");
        assert_eq!(error.condition(), Some(Condition::DiskFull), "{error:?}");
        assert!(error.advice().contains("Free some space"));
        assert_eq!(store.events(job.id).await.unwrap().len() as i64, last, "what was refused is not there");
        fs::remove_file(filler).unwrap();
        last += 1;
        store.record_event(&event(job.id, last), &change(last)).await.unwrap();
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    }
    let filler = disk.fill();
    store.close().await;
    fs::remove_file(filler).unwrap();
    let store = Store::open(&data).unwrap();
    assert_eq!(store.events(job.id).await.unwrap().len() as i64, last);
}

#[tokio::test]
async fn opening_on_a_full_disk_either_works_or_says_why_and_works_once_there_is_space() {
    let Some(disk) = SmallDisk::mount(4) else { return };
    let data = disk.path().join("data");
    let filler = disk.fill();
    let error = Store::open(&data).unwrap_err();
    assert!(error.advice().contains("Free some space"), "{error:?}: {}", error.advice());
    fs::remove_file(&filler).unwrap();
    Store::open(&data).unwrap().put_setting("a", Some(&json!(1))).await.unwrap();
    disk.fill();
    if let Err(error) = Store::open(&data) {
        assert!(error.advice().contains("Free some space"), "{error:?}: {}", error.advice());
    }
    fs::remove_file(&filler).unwrap();
    let store = Store::open(&data).unwrap();
    assert_eq!(store.setting("a").await.unwrap(), Some(json!(1)));
}

#[tokio::test]
async fn a_read_only_data_directory_is_an_error_with_advice_and_changes_nothing() {
    let Some(disk) = SmallDisk::mount(4) else { return };
    let data = disk.path().join("data");
    let store = Store::open(&data).unwrap();
    store.put_setting("a", Some(&json!(1))).await.unwrap();
    store.close().await;
    let before = fs::read(data.join("zerfaux.db")).unwrap();
    disk.remount("ro");
    let error = Store::open(&data).unwrap_err();
    assert!(error.advice().contains("writable"), "{error:?}: {}", error.advice());
    disk.remount("rw");
    assert!(before == fs::read(data.join("zerfaux.db")).unwrap());
    let store = Store::open(&data).unwrap();
    assert_eq!(store.setting("a").await.unwrap(), Some(json!(1)));
}

const SECRETS: usize = 6;

fn value(n: usize) -> String {
    format!("canary-{n}-d41d8cd98f00b204")
}

async fn with_secrets(data: &Path) -> RecoveryKey {
    let store = Store::open(data).unwrap();
    let secrets = Secrets::new(store.clone(), Vault::create(data).unwrap());
    let recovery = RecoveryKey::generate().unwrap();
    secrets.wrap_for(&recovery).await.unwrap();
    for n in 0..SECRETS {
        secrets.put(&format!("secret {n}"), value(n).as_bytes()).await.unwrap();
    }
    store.close().await;
    recovery
}

async fn require_all_readable(secrets: &Secrets, moment: &str) {
    for n in 0..SECRETS {
        let found = secrets.get(&format!("secret {n}")).await.unwrap().unwrap();
        assert_eq!(found.expose_secret(), value(n).as_bytes(), "{moment}");
    }
}

/// Ends itself, without any cleaning up, after step number `detail` of a rotation.
async fn rotate_until_killed(data: &Path, detail: &str) {
    let (at, key) = detail.split_once(' ').unwrap();
    let at: usize = at.parse().unwrap();
    let recovery = RecoveryKey::from_text(&SecretString::from(key)).unwrap();
    let secrets = Secrets::new(Store::open(data).unwrap(), Vault::open(data).unwrap());
    let mut step = 0;
    secrets
        .rotate(&recovery, |_| {
            step += 1;
            if step == at {
                std::process::abort();
            }
        })
        .await
        .unwrap();
    println!("rotated");
}

#[tokio::test]
async fn a_rotation_killed_after_any_step_leaves_every_secret_readable_and_is_finished_later() {
    let mut finished_by_itself = false;
    for at in 1.. {
        let directory = tempfile::tempdir().unwrap();
        let recovery = with_secrets(directory.path()).await;
        let old_key = Vault::open(directory.path()).unwrap().key_id();
        let detail = format!("{at} {}", recovery.to_text().expose_secret());
        let output = start("rotate", directory.path(), &detail).wait_with_output().unwrap();
        finished_by_itself = String::from_utf8_lossy(&output.stdout).contains("rotated");
        assert_eq!(finished_by_itself, output.status.success());

        let (store, vault) = (Store::open(directory.path()).unwrap(), Vault::open(directory.path()).unwrap());
        let secrets = Secrets::new(store.clone(), vault.clone());
        require_all_readable(&secrets, &format!("killed after step {at}")).await;
        // A backup taken at this moment opens with the recovery key alone.
        let wrapped: Vec<_> =
            store.wrapped_keys().await.unwrap().into_iter().map(|one| one.wrapped).collect();
        let elsewhere = tempfile::tempdir().unwrap();
        let there = Vault::from_recovery_key(elsewhere.path(), &recovery, &wrapped).unwrap();
        require_all_readable(&Secrets::new(store.clone(), there), &format!("restored at step {at}")).await;

        secrets.finish_rotation(|_| ()).await.unwrap();
        require_all_readable(&secrets, &format!("finished after step {at}")).await;
        assert_eq!(vault.key_ids().len(), 1);
        assert_eq!(store.secrets_not_under(&vault.key_id()).await.unwrap().len(), 0);
        let wrapped = store.wrapped_keys().await.unwrap();
        assert_eq!(wrapped.iter().map(|one| one.key_id.clone()).collect::<Vec<_>>(), vault.key_ids());
        // Only a kill before the key file was written leaves the old key; then the whole can be done again.
        assert_eq!(vault.key_id() == old_key, at == 1, "step {at}");
        if finished_by_itself {
            // wrapped, in use, each secret, retired: all of them were tried.
            assert_eq!(at, SECRETS + 4);
            break;
        }
    }
    assert!(finished_by_itself);
}

#[tokio::test]
async fn a_rotation_that_would_lose_a_secret_or_its_recovery_is_refused_before_it_begins() {
    let directory = tempfile::tempdir().unwrap();
    let recovery = with_secrets(directory.path()).await;
    let (store, vault) = (Store::open(directory.path()).unwrap(), Vault::open(directory.path()).unwrap());
    let secrets = Secrets::new(store.clone(), vault.clone());
    let before = vault.key_ids();
    let stranger = RecoveryKey::generate().unwrap();
    let refused = secrets.rotate(&stranger, |_| panic!("nothing may be done")).await;
    assert!(matches!(refused, Err(SecretError::OtherRecoveryKey)), "{refused:?}");
    let mut row = store.secret_named("secret 3").await.unwrap().unwrap();
    *row.sealed.last_mut().unwrap() ^= 1;
    store.put_secret(&row).await.unwrap();
    match secrets.rotate(&recovery, |_| panic!("nothing may be done")).await {
        Err(SecretError::Unreadable { names }) => assert_eq!(names, ["secret 3"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(vault.key_ids(), before);
    secrets.put("secret 3", value(3).as_bytes()).await.unwrap();
    secrets.rotate(&recovery, |_: RotationStep| ()).await.unwrap();
    require_all_readable(&secrets, "rotated").await;
}

#[tokio::test]
async fn secrets_set_during_a_rotation_stay_readable() {
    let directory = tempfile::tempdir().unwrap();
    let recovery = with_secrets(directory.path()).await;
    let (store, vault) = (Store::open(directory.path()).unwrap(), Vault::open(directory.path()).unwrap());
    let secrets = Secrets::new(store, vault.clone());
    let writing = {
        let secrets = secrets.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                secrets.put(&format!("during {n}"), b"x").await.unwrap();
            }
        })
    };
    while !writing.is_finished() {
        secrets.rotate(&recovery, |_| ()).await.unwrap();
    }
    writing.await.unwrap();
    for n in 0..200 {
        assert!(secrets.get(&format!("during {n}")).await.unwrap().is_some());
    }
    require_all_readable(&secrets, "during").await;
}

#[tokio::test]
async fn rows_swapped_in_the_database_are_refused_and_no_secret_is_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    with_secrets(directory.path()).await;
    let (store, vault) = (Store::open(directory.path()).unwrap(), Vault::open(directory.path()).unwrap());
    let secrets = Secrets::new(store.clone(), vault);
    let (one, two) = (
        store.secret_named("secret 1").await.unwrap().unwrap(),
        store.secret_named("secret 2").await.unwrap().unwrap(),
    );
    assert!(store.reseal(&one, &two.key_id, two.sealed.clone()).await.unwrap());
    let error = secrets.get("secret 1").await.unwrap_err();
    assert!(matches!(error, SecretError::Vault { .. }), "{error:?}");
    let shown = format!("{error:?} {secrets:?} {one:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let mut searched = 0;
    // While the store is open, so that the log is searched too.
    for entry in walkdir::WalkDir::new(directory.path()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(6).any(|window| window == b"canary"), "{}", entry.path().display());
            searched += 1;
        }
    }
    assert!(searched >= 4, "database, log, lock and key file");
}
