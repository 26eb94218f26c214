//! From one schema to the next: old or new, never between, and with a copy of the old one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use refinery::Migration;
use rusqlite::Connection;
use serde_json::json;

use super::super::schema::Migrations;
use super::super::*;

/// The embedded migrations with more behind them.
fn with(more: &[(&str, &str)]) -> Migrations {
    let mut all = super::super::schema::embedded_list();
    all.extend(more.iter().map(|(name, sql)| Migration::unapplied(name, sql).unwrap()));
    Migrations::new(all)
}

/// The newest schema that this version knows.
fn known() -> i64 {
    Migrations::embedded().newest()
}

/// A later schema: a new table, a changed one, moved rows.
fn next() -> Migrations {
    let rows: String = (0..200).map(|i| format!("INSERT INTO extra VALUES ({i}, 'row {i}');")).collect();
    let first = format!("CREATE TABLE extra (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT; {rows}");
    with(&[
        ("V901__extra", &first),
        (
            "V902__settings_again",
            "ALTER TABLE settings ADD COLUMN note TEXT; UPDATE settings SET note = 'moved';",
        ),
        ("V903__index", "CREATE INDEX extra_by_name ON extra (name);"),
    ])
}

fn schema(path: &Path) -> BTreeSet<String> {
    let c = Connection::open(path).unwrap();
    let mut statement =
        c.prepare("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

async fn filled(directory: &Path) {
    let store = Store::open(directory).unwrap();
    for i in 0..20 {
        store.put_setting(&format!("key {i}"), Some(&json!("x".repeat(500)))).await.unwrap();
    }
    store.close().await;
}

fn files(directory: &Path) -> BTreeSet<PathBuf> {
    walkdir::WalkDir::new(directory)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect()
}

fn copy_directory(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        // A file may vanish between the listing and the copy, as it may for a process that is killed.
        let _gone = fs::copy(&file, &target);
    }
}

#[test]
fn every_file_in_the_migrations_folder_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut there: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    there.sort();
    let built_in: Vec<_> = super::super::schema::embedded_list()
        .iter()
        .map(|one| format!("V{:03}__{}", one.version(), one.name()))
        .collect();
    assert_eq!(built_in, there);
}

#[test]
fn every_table_is_strict_and_no_constraint_is_deferred() {
    for migration in super::super::schema::embedded_list() {
        let sql = migration.sql().unwrap().to_uppercase();
        // A deferred constraint fails at COMMIT, where it would take the other writes of the commit with it.
        assert!(!sql.contains("DEFERR"), "{migration}");
    }
    let store = super::super::open::open_in_memory(&Migrations::embedded()).unwrap();
    let mut loose: Vec<String> = store
        .prepare("SELECT name FROM pragma_table_list WHERE strict = 0 AND schema = 'main' AND type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    loose.sort();
    assert_eq!(loose, ["refinery_schema_history", "sqlite_schema"]);
}

#[tokio::test]
async fn a_migration_keeps_the_data_and_leaves_a_copy_of_the_old_database() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let old = schema(&directory.path().join("zerfaux.db"));
    let store = Store::open_with(directory.path(), &next()).unwrap();
    assert_eq!(store.settings().await.unwrap().len(), 20);
    store.close().await;
    assert!(schema(&directory.path().join("zerfaux.db")).len() > old.len());
    let copy = directory.path().join(format!("backups/zerfaux-schema-{:03}.db", known()));
    assert_eq!(schema(&copy), old);
    // The way back: the older program with the copy in place.
    fs::copy(&copy, directory.path().join("zerfaux.db")).unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.settings().await.unwrap().len(), 20);
}

#[tokio::test]
async fn nothing_is_copied_when_nothing_is_to_be_migrated() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    Store::open(directory.path()).unwrap().close().await;
    assert!(!directory.path().join("backups").exists());
}

#[tokio::test]
async fn the_newest_three_copies_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut steps: Vec<(String, String)> = Vec::new();
    for n in 0..6 {
        steps.push((format!("V90{n}__step"), format!("CREATE TABLE step_{n} (x TEXT) STRICT;")));
        let so_far: Vec<_> = steps.iter().map(|(name, sql)| (name.as_str(), sql.as_str())).collect();
        Store::open_with(directory.path(), &with(&so_far)).unwrap().close().await;
    }
    let kept: Vec<_> = files(&directory.path().join("backups"))
        .into_iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(kept, ["zerfaux-schema-902.db", "zerfaux-schema-903.db", "zerfaux-schema-904.db"]);
}

#[tokio::test]
async fn a_newer_database_is_refused_by_name_of_both_versions_and_nothing_changes() {
    let directory = tempfile::tempdir().unwrap();
    Store::open_with(directory.path(), &next()).unwrap().close().await;
    let before: Vec<_> =
        files(directory.path()).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let error = Store::open(directory.path()).unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { found: 903, known: newest, .. } if newest == known()),
        "{error}"
    );
    let message = error.to_string();
    assert!(message.contains("903") && message.contains(&format!("up to {}", known())), "{message}");
    assert!(error.advice().contains("backups"));
    let after: Vec<_> =
        files(directory.path()).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let without_lock = |files: Vec<(Vec<u8>, PathBuf)>| -> Vec<_> {
        files.into_iter().filter(|(_, path)| !path.ends_with("zerfaux.lock")).collect()
    };
    assert!(without_lock(before) == without_lock(after), "a file changed");
}

#[tokio::test]
async fn a_newer_database_left_by_a_crash_is_refused_without_losing_its_log() {
    let (directory, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open_with(directory.path(), &next()).unwrap();
    store.put_setting("last words", Some(&json!(1))).await.unwrap();
    copy_directory(directory.path(), crashed.path());
    let log = crashed.path().join("zerfaux.db-wal");
    let before = (fs::read(crashed.path().join("zerfaux.db")).unwrap(), fs::read(&log).unwrap());
    assert!(!before.1.is_empty());
    assert!(matches!(Store::open(crashed.path()), Err(OpenError::Newer { .. })));
    let after = (fs::read(crashed.path().join("zerfaux.db")).unwrap(), fs::read(&log).unwrap());
    assert!(before == after);
    let again = Store::open_with(crashed.path(), &next()).unwrap();
    assert_eq!(again.setting("last words").await.unwrap(), Some(json!(1)));
}

#[tokio::test]
async fn a_schema_that_was_changed_by_hand_or_is_missing_a_step_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Store::open_with(directory.path(), &with(&[("V901__a", "CREATE TABLE a (x TEXT) STRICT;")]))
        .unwrap()
        .close()
        .await;
    let refused = |known: &Migrations| match Store::open_with(directory.path(), known) {
        Err(OpenError::Diverged { version, .. }) => version,
        other => panic!("{other:?}"),
    };
    let other_sql = with(&[("V901__a", "CREATE TABLE a (y TEXT) STRICT;")]);
    assert_eq!(refused(&other_sql), 901);
    let inserted_before = with(&[("V900__b", "SELECT 1;"), ("V901__a", "CREATE TABLE a (x TEXT) STRICT;")]);
    assert_eq!(refused(&inserted_before), 900);
    let dropped = with(&[("V902__c", "SELECT 1;")]);
    assert_eq!(refused(&dropped), 901);
    assert!(
        !directory.path().join("backups").join("zerfaux-schema-901.db").exists(),
        "refused before it is copied"
    );
}

#[tokio::test]
async fn a_migration_that_fails_in_its_last_step_leaves_the_old_database() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let database = directory.path().join("zerfaux.db");
    let before = fs::read(&database).unwrap();
    for last in
        ["CREATE TABLE jobs (x TEXT) STRICT;", "INSERT INTO locks VALUES ('dangling', 'no such job');"]
    {
        let broken = with(&[("V901__ok", "CREATE TABLE fine (x TEXT) STRICT;"), ("V902__broken", last)]);
        let error = Store::open_with(directory.path(), &broken).unwrap_err();
        assert!(matches!(error, OpenError::Migrate { from, to: 902, .. } if from == known()), "{error}");
        assert!(error.to_string().contains("unchanged"), "{error}");
        assert!(before == fs::read(&database).unwrap(), "the database changed");
        assert!(!directory.path().join("zerfaux.db.migrating").exists());
    }
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.settings().await.unwrap().len(), 20);
}

/// Copies of the data directory from the middle of a migration: what `kill -9` would have left, since what a
/// process wrote outlives it.
async fn crashes(start: &Path, known: &Migrations, every: i32) -> Vec<tempfile::TempDir> {
    let copies: Arc<Mutex<Vec<tempfile::TempDir>>> = Arc::default();
    let (theirs, directory) = (Arc::clone(&copies), start.to_owned());
    let known = known.clone().observed(
        every,
        Arc::new(move || {
            let copy = tempfile::tempdir().unwrap();
            copy_directory(&directory, copy.path());
            theirs.lock().unwrap().push(copy);
        }),
    );
    Store::open_with(start, &known).unwrap().close().await;
    let mut copies = copies.lock().unwrap();
    std::mem::take(&mut *copies)
}

#[tokio::test]
async fn killed_anywhere_in_a_migration_the_next_start_finds_the_old_or_the_new_schema() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let old = schema(&directory.path().join("zerfaux.db"));
    let crashes = crashes(directory.path(), &next(), 100).await;
    let new = schema(&directory.path().join("zerfaux.db"));
    assert!(crashes.len() >= 20, "only {} moments were tried", crashes.len());
    let mut half_done = 0;
    for crash in &crashes {
        half_done += usize::from(crash.path().join("zerfaux.db.migrating-journal").exists());
        let found = schema(&crash.path().join("zerfaux.db"));
        assert!(found == old || found == new);
        let store = Store::open_with(crash.path(), &next()).unwrap();
        assert_eq!(store.settings().await.unwrap().len(), 20);
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        store.close().await;
        assert_eq!(schema(&crash.path().join("zerfaux.db")), new);
        assert!(!files(crash.path()).iter().any(|path| path.to_str().unwrap().contains("migrating")));
    }
    assert!(half_done > 0, "no copy was made in the middle of the transaction");
}

#[tokio::test]
async fn killed_anywhere_in_the_making_of_a_database_the_next_start_makes_it() {
    let directory = tempfile::tempdir().unwrap();
    let crashes = crashes(directory.path(), &Migrations::embedded(), 40).await;
    assert!(crashes.len() >= 10, "only {} moments were tried", crashes.len());
    for crash in &crashes {
        let store = Store::open(crash.path()).unwrap();
        store.put_setting("a", Some(&json!(1))).await.unwrap();
        store.close().await;
    }
}
