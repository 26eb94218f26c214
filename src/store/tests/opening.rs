//! Damage, strangers' files, and copies.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::json;

use super::super::*;
use super::{job, started};

async fn filled(directory: &Path) {
    let store = Store::open(directory).unwrap();
    for i in 0..200 {
        store.put_setting(&format!("key {i}"), Some(&json!("x".repeat(500)))).await.unwrap();
    }
    store.close().await;
}

fn overwrite(path: &Path, offset: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_destroyed_header_is_reported_with_the_copy_to_go_back_to() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let backups = directory.path().join("backups");
    fs::create_dir(&backups).unwrap();
    fs::copy(directory.path().join("zerfaux.db"), backups.join("zerfaux-schema-005.db")).unwrap();
    overwrite(&directory.path().join("zerfaux.db"), 0, &[0xff; 100]);
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("zerfaux-schema-005.db"), "{error}");
    assert!(error.advice().contains("restore"), "{}", error.advice());
}

#[tokio::test]
async fn damage_in_a_page_is_found_by_the_check_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let database = directory.path().join("zerfaux.db");
    // As after a crash: a log is there.
    let store = Store::open(directory.path()).unwrap();
    store.put_setting("one more", Some(&json!(1))).await.unwrap();
    let crashed = tempfile::tempdir().unwrap();
    for name in ["zerfaux.db", "zerfaux.db-wal"] {
        fs::copy(directory.path().join(name), crashed.path().join(name)).unwrap();
    }
    let pages = fs::metadata(&database).unwrap().len() / 4096;
    for page in pages / 2..pages {
        overwrite(&crashed.path().join("zerfaux.db"), page * 4096, &[0x5a; 64]);
    }
    let error = Store::open(crashed.path()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn damage_is_found_by_the_check_of_a_running_store_and_by_a_backup() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let database = directory.path().join("zerfaux.db");
    let pages = fs::metadata(&database).unwrap().len() / 4096;
    overwrite(&database, (pages - 2) * 4096, &[0x5a; 4096]);
    let store = Store::open(directory.path()).unwrap();
    assert!(!store.check().await.unwrap().is_empty());
    let target = directory.path().join("copy.db");
    let error = store.backup(&target).await.unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    assert!(!target.exists() && !directory.path().join("copy.db.unfinished").exists());
}

#[tokio::test]
async fn files_that_zerfaux_did_not_make_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("zerfaux.db");
    let foreign = rusqlite::Connection::open(&database).unwrap();
    foreign.execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x');").unwrap();
    drop(foreign);
    let before = fs::read(&database).unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
    fs::write(&database, "dear diary, this is no database at all").unwrap();
    assert!(matches!(Store::open(directory.path()), Err(OpenError::Damaged { .. })));
    fs::write(&database, &before).unwrap();
    assert!(matches!(Store::open(directory.path()), Err(OpenError::NotOurs { .. })));
}

#[tokio::test]
async fn a_log_whose_database_was_deleted_is_not_applied_to_the_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.put_setting("old", Some(&json!(1))).await.unwrap();
    let log = fs::read(directory.path().join("zerfaux.db-wal")).unwrap();
    store.close().await;
    fs::remove_file(directory.path().join("zerfaux.db")).unwrap();
    fs::write(directory.path().join("zerfaux.db-wal"), log).unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.settings().await.unwrap(), []);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_data_directory_with_an_odd_name_works() {
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join("a ?b#c%20d=\u{00e9}&mode=memory");
    Store::open(&odd).unwrap().put_setting("a", Some(&json!(1))).await.unwrap();
    let store = Store::open(&odd).unwrap();
    assert_eq!(store.setting("a").await.unwrap(), Some(json!(1)));
    assert!(odd.join("zerfaux.db").exists());
}

#[tokio::test]
async fn a_backup_made_during_writes_is_whole_and_holds_what_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("data")).unwrap();
    let job = job();
    store.insert_job(&job).await.unwrap();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            for seq in 1..=300 {
                store.record_event(&started(job.id, seq), &JobChange::default()).await.unwrap();
            }
        })
    };
    let mut made = 0;
    while !writing.is_finished() {
        let acknowledged = store.events(job.id).await.unwrap().len();
        let other = directory.path().join(format!("restored-{made}"));
        fs::create_dir(&other).unwrap();
        store.backup(&other.join("zerfaux.db")).await.unwrap();
        let copy = Store::open(&other).unwrap();
        assert!(copy.events(job.id).await.unwrap().len() >= acknowledged);
        assert_eq!(copy.check().await.unwrap(), Vec::<String>::new());
        made += 1;
    }
    writing.await.unwrap();
    assert!(made > 0);
}

#[tokio::test]
async fn a_backup_replaces_nothing_and_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("data")).unwrap();
    let target = directory.path().join("copy.db");
    store.backup(&target).await.unwrap();
    let before = fs::read(&target).unwrap();
    store.put_setting("a", Some(&json!(1))).await.unwrap();
    assert!(matches!(store.backup(&target).await, Err(BackupError::Exists { .. })));
    assert!(before == fs::read(&target).unwrap());
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    let nowhere = store.backup(&directory.path().join("no/such/folder.db")).await.unwrap_err();
    assert!(nowhere.advice().contains("folder"), "{nowhere}: {}", nowhere.advice());
    for file in ["data/zerfaux.db", "data/zerfaux.lock"] {
        let mode = fs::metadata(directory.path().join(file)).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{file}");
    }
}

#[tokio::test]
async fn the_writer_flushes_every_commit_and_checks_references() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let settings = store
        .write("read the writer's settings", |c| {
            let number = |name| c.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let mode: String = c.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            Ok((mode, number("synchronous")?, number("foreign_keys")?))
        })
        .await
        .unwrap();
    // 2 is FULL: a commit returns once its log is flushed.
    assert_eq!(settings, ("wal".to_owned(), 2, 1));
}
