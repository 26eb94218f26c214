//! Copies made beside a running Zerfaux, and what a restore makes of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::*;
use super::{job, started};
use crate::domain::job::{Job, JobState};

/// A directory with a database that has one job in each state, still open, and the path for a copy of it.
async fn busy(directory: &Path) -> (Store, PathBuf) {
    let store = Store::open(&directory.join("data")).unwrap();
    for state in JobState::ALL {
        let job = Job { state: JobState::Queued, ..job() };
        store.insert_job(&job).await.unwrap();
        let _acquired = store.acquire_locks(job.id, &[format!("replica:{state}")]).await.unwrap();
        let change = JobChange { state: Some(state), ..JobChange::default() };
        store.record_event(&started(job.id, 1), &change).await.unwrap();
    }
    store.put_setting("a", Some(&json!(1))).await.unwrap();
    (store, directory.join("copy.db"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_copy_can_be_made_beside_a_running_zerfaux_and_restored_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let (store, copy) = busy(directory.path()).await;
    let installation = store.installation().await.unwrap();
    back_up(&directory.path().join("data"), &copy).unwrap();
    store.put_setting("a", Some(&json!(2))).await.unwrap();
    assert_eq!(mode(&copy), 0o600);
    let before = fs::read(&copy).unwrap();

    let elsewhere = directory.path().join("deep/elsewhere");
    let restored = restore(&copy, &elsewhere).unwrap();
    assert_eq!(restored, Restored { interrupted: 4, generation: 2, has_secrets: false });
    assert_eq!(mode(&elsewhere.join("zerfaux.db")), 0o600);
    assert_eq!(mode(&elsewhere), 0o700);
    assert!(fs::read(&copy).unwrap() == before, "the copy is left as it is");
    let there = Store::open(&elsewhere).unwrap();
    assert_eq!(there.setting("a").await.unwrap(), Some(json!(1)));
    assert_eq!(there.installation().await.unwrap(), Installation { generation: 2, ..installation });
}

#[tokio::test]
async fn what_was_under_way_is_not_run_again_after_a_restore_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let (store, copy) = busy(directory.path()).await;
    let before = store.jobs(&JobFilter::default()).await.unwrap();
    back_up(&directory.path().join("data"), &copy).unwrap();
    let elsewhere = directory.path().join("elsewhere");
    restore(&copy, &elsewhere).unwrap();
    let there = Store::open(&elsewhere).unwrap();
    for old in before {
        let new = there.job(old.id).await.unwrap().unwrap();
        if old.state.is_final() || old.state == JobState::Interrupted {
            assert_eq!(new, old, "it had ended, and nothing about it changes");
        } else {
            assert_eq!(new.state, JobState::Interrupted, "it was {}", old.state);
            let failure = new.failure.unwrap();
            assert!(failure.message.contains("under way when the backup was made"), "{failure:?}");
        }
        assert_eq!(there.events(old.id).await.unwrap().len(), 1);
    }
    assert_eq!(there.locks().await.unwrap(), []);
    assert_eq!(there.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_overwritten_by_a_copy_or_by_a_restore() {
    let directory = tempfile::tempdir().unwrap();
    let (store, copy) = busy(directory.path()).await;
    let data = directory.path().join("data");
    fs::write(&copy, "precious").unwrap();
    assert!(matches!(back_up(&data, &copy), Err(BackupError::Exists { .. })));
    assert_eq!(fs::read_to_string(&copy).unwrap(), "precious");
    fs::remove_file(&copy).unwrap();
    back_up(&data, &copy).unwrap();
    let held = restore(&copy, &data).unwrap_err();
    assert!(matches!(held, RestoreError::Open(OpenError::Held { .. })), "{held}");
    store.close().await;
    let before = fs::read(data.join("zerfaux.db")).unwrap();
    let error = restore(&copy, &data).unwrap_err();
    assert!(matches!(error, RestoreError::Exists { .. }) && error.protects_data(), "{error}");
    assert!(fs::read(data.join("zerfaux.db")).unwrap() == before);
}

#[tokio::test]
async fn a_damaged_database_that_was_moved_away_makes_room_for_the_copy_in_its_own_backups() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = busy(directory.path()).await;
    let data = directory.path().join("data");
    let copy = data.join("backups/zerfaux-schema-001.db");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    back_up(&data, &copy).unwrap();
    store.close().await;
    fs::rename(data.join("zerfaux.db"), directory.path().join("damaged.db")).unwrap();
    restore(&copy, &data).unwrap();
    assert_eq!(Store::open(&data).unwrap().setting("a").await.unwrap(), Some(json!(1)));
}

#[tokio::test]
async fn a_copy_that_is_none_damaged_or_newer_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (_store, copy) = busy(directory.path()).await;
    let (data, elsewhere) = (directory.path().join("data"), directory.path().join("elsewhere"));
    let missing = restore(&copy, &elsewhere).unwrap_err();
    assert!(matches!(missing, RestoreError::NoBackup { .. }), "{missing}");
    back_up(&data, &copy).unwrap();
    let good = fs::read(&copy).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&copy, bytes).unwrap();
        let error = restore(&copy, &elsewhere).unwrap_err();
        assert!(!error.advice().is_empty());
        assert!(!elsewhere.join("zerfaux.db").exists() && !elsewhere.join("zerfaux.db.restoring").exists());
        error
    };
    assert!(matches!(refused(b""), RestoreError::NoBackup { .. }));
    let mut damaged = good.clone();
    let half = good.len() / 2 / 4096 * 4096;
    for page in (half..good.len()).step_by(4096) {
        damaged[page..page + 64].fill(0x5a);
    }
    let error = refused(&damaged);
    assert!(matches!(error, RestoreError::Damaged { .. }), "{error}");
    fs::write(&copy, &good).unwrap();
    let connection = Connection::open(&copy).unwrap();
    connection
        .execute("INSERT INTO refinery_schema_history VALUES (999, 'later', '2030-01-01', '1')", [])
        .unwrap();
    drop(connection);
    let error = refused(&fs::read(&copy).unwrap());
    assert!(error.protects_data() && error.to_string().contains("999"), "{error}");
}

#[test]
fn a_directory_without_a_database_has_nothing_to_back_up() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    let error = back_up(directory.path(), &copy).unwrap_err();
    assert!(matches!(error, BackupError::NoDatabase { .. }), "{error}");
    fs::write(directory.path().join("zerfaux.db"), "not a database").unwrap();
    assert!(back_up(directory.path(), &copy).is_err());
    assert!(!copy.exists());
}
