//! Group commit, and what it owes to each of the writes it groups.

use std::sync::mpsc;

use rusqlite::Connection;
use serde_json::json;
use tokio::task::JoinHandle;

use super::super::error::Problem;
use super::super::*;

/// Keeps the writer thread busy in a write until the sender is dropped, so that what is written meanwhile waits
/// and becomes one batch.
async fn hold_the_writer(store: &Store) -> (mpsc::Sender<()>, JoinHandle<Result<(), StoreError>>) {
    let (release, held) = mpsc::channel::<()>();
    let (begun, beginning) = tokio::sync::oneshot::channel();
    let store = store.clone();
    let holding = tokio::spawn(async move {
        let wait = move |_: &Connection| {
            begun.send(()).unwrap();
            let _released = held.recv();
            Ok::<(), Problem>(())
        };
        store.write("hold the writer", wait).await
    });
    beginning.await.unwrap();
    (release, holding)
}

fn set(c: &Connection, key: String) -> Result<(), Problem> {
    c.execute("INSERT INTO settings (key, value) VALUES (?1, '1')", [key])?;
    Ok(())
}

/// Starts one write after the other, and waits until each is in the queue.
async fn enqueue<F>(store: &Store, n: usize, write: F) -> Vec<JoinHandle<Result<(), StoreError>>>
where
    F: Fn(usize, &Connection) -> Result<(), Problem> + Clone + Send + 'static,
{
    let mut writes = Vec::new();
    for i in 0..n {
        let (store, write) = (store.clone(), write.clone());
        writes
            .push(tokio::spawn(async move { store.write(format!("write {i}"), move |c| write(i, c)).await }));
        // On the one thread of this runtime, a task that yields lets the new one run up to its answer.
        tokio::task::yield_now().await;
    }
    writes
}

async fn keys(store: &Store) -> Vec<String> {
    store.settings().await.unwrap().into_iter().map(|(key, _value)| key).collect()
}

fn on_disk() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    (directory, store)
}

#[tokio::test]
async fn writes_that_wait_together_share_one_commit() {
    let (_directory, store) = on_disk();
    let (release, holding) = hold_the_writer(&store).await;
    let before = store.statistics();
    let writes = enqueue(&store, 64, |i, c| set(c, format!("{i:02}"))).await;
    drop(release);
    holding.await.unwrap().unwrap();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let after = store.statistics();
    assert_eq!(after.writes - before.writes, 65);
    assert_eq!(after.commits - before.commits, 2, "the held one, and the 64 that waited for it");
    assert_eq!(keys(&store).await.len(), 64);
}

#[tokio::test]
async fn a_batch_is_bounded() {
    let (_directory, store) = on_disk();
    let (release, holding) = hold_the_writer(&store).await;
    let writes = enqueue(&store, 600, |i, c| set(c, format!("{i}"))).await;
    drop(release);
    holding.await.unwrap().unwrap();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert_eq!(store.statistics().commits, 1 + 3, "256 + 256 + 88");
}

#[tokio::test]
async fn a_write_that_fails_or_panics_does_not_hurt_its_neighbours() {
    let (_directory, store) = on_disk();
    let (release, holding) = hold_the_writer(&store).await;
    let writes = enqueue(&store, 9, |i, c| {
        set(c, format!("{i}"))?;
        match i {
            2 => Err(Refusal::NotFound("thing".to_owned()).into()),
            4 => panic!("on purpose"),
            6 => set(c, "6".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    drop(release);
    holding.await.unwrap().unwrap();
    let mut results = Vec::new();
    for write in writes {
        results.push(write.await.unwrap());
    }
    assert_eq!(store.statistics().commits, 2, "they were one batch");
    assert_eq!(keys(&store).await, ["0", "1", "3", "5", "7", "8"]);
    assert!(matches!(&results[2], Err(StoreError::Refused { .. })), "{:?}", results[2]);
    assert!(matches!(&results[4], Err(StoreError::Panicked { .. })), "{:?}", results[4]);
    assert_eq!(results[6].as_ref().unwrap_err().condition(), Some(Condition::Constraint));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 6);
}

#[tokio::test]
async fn when_a_commit_is_lost_every_write_in_it_is_told() {
    let (_directory, store) = on_disk();
    let (release, holding) = hold_the_writer(&store).await;
    // A closure that ends the transaction behind the writer's back: what SQLite does by itself on some errors.
    let writes = enqueue(&store, 5, |i, c| {
        set(c, format!("{i}"))?;
        if i == 2 {
            c.execute_batch("ROLLBACK")?;
        }
        Ok(())
    })
    .await;
    drop(release);
    holding.await.unwrap().unwrap();
    let mut kept = Vec::new();
    for (i, write) in writes.into_iter().enumerate() {
        if write.await.unwrap().is_ok() {
            kept.push(i.to_string());
        }
    }
    assert_eq!(kept, ["3", "4"], "what came after the loss got a transaction of its own");
    assert_eq!(keys(&store).await, kept);
}

#[tokio::test]
async fn a_caller_that_stops_waiting_does_not_stop_the_write() {
    let (_directory, store) = on_disk();
    let (release, holding) = hold_the_writer(&store).await;
    let writes = enqueue(&store, 1, |_, c| set(c, "kept".to_owned())).await;
    writes.iter().for_each(JoinHandle::abort);
    drop(release);
    holding.await.unwrap().unwrap();
    store.put_setting("later", Some(&json!(1))).await.unwrap();
    assert_eq!(keys(&store).await, ["kept", "later"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_sees_all_of_a_write_or_nothing_and_one_moment_only() {
    let (_directory, store) = on_disk();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            for i in 0..200 {
                let write = move |c: &Connection| {
                    c.execute(
                        "INSERT OR REPLACE INTO settings (key, value) VALUES ('left', ?1)",
                        [i.to_string()],
                    )?;
                    std::thread::yield_now();
                    c.execute(
                        "INSERT OR REPLACE INTO settings (key, value) VALUES ('right', ?1)",
                        [i.to_string()],
                    )?;
                    Ok(())
                };
                store.write("write a pair", write).await.unwrap();
            }
        })
    };
    let mut seen = std::collections::BTreeSet::new();
    while !writing.is_finished() {
        let pair = store
            .read("read a pair", |c| {
                let half = |key: &str| -> rusqlite::Result<Option<String>> {
                    let mut rows = c.prepare_cached("SELECT value FROM settings WHERE key = ?1")?;
                    rows.query_map([key], |row| row.get(0))?.next().transpose()
                };
                let left = half("left")?;
                // Long enough for the writer to commit in between, were the two statements two moments.
                std::thread::sleep(std::time::Duration::from_millis(1));
                Ok((left, half("right")?))
            })
            .await
            .unwrap();
        assert_eq!(pair.0, pair.1);
        seen.insert(pair);
    }
    writing.await.unwrap();
    assert!(seen.len() > 1, "the reader must have run beside the writer");
}

#[tokio::test]
async fn a_reader_is_not_held_up_by_a_writer_and_cannot_write() {
    let (_directory, store) = on_disk();
    store.put_setting("a", Some(&json!(1))).await.unwrap();
    let (release, holding) = hold_the_writer(&store).await;
    assert_eq!(store.setting("a").await.unwrap(), Some(json!(1)));
    drop(release);
    holding.await.unwrap().unwrap();
    let error = store.read("write by a reader", |c| set(c, "b".to_owned())).await.unwrap_err();
    assert_eq!(error.condition(), Some(Condition::ReadOnly));
}

#[tokio::test]
async fn a_read_that_panics_leaves_the_readers_alive() {
    let (_directory, store) = on_disk();
    for _ in 0..20 {
        let result = store.read("panic", |_| -> Result<(), Problem> { panic!("on purpose") }).await;
        assert!(matches!(result, Err(StoreError::Panicked { .. })));
    }
    assert_eq!(store.settings().await.unwrap(), []);
}

#[tokio::test]
async fn a_full_disk_is_an_error_with_advice_and_passes() {
    let (_directory, store) = on_disk();
    let limit = |pages: &'static str| {
        let store = store.clone();
        async move {
            let limit = format!("PRAGMA max_page_count = {pages}");
            store.write("limit the pages", move |c| Ok(c.query_row(&limit, [], |_| Ok(()))?)).await.unwrap();
        }
    };
    limit("1").await; // SQLite takes the size it has as the least
    let large = json!("x".repeat(200_000));
    let error = store.put_setting("large", Some(&large)).await.unwrap_err();
    assert_eq!(error.condition(), Some(Condition::DiskFull), "{error}");
    assert!(error.advice().contains("Free some space"), "{}", error.advice());
    assert_eq!(store.settings().await.unwrap(), [], "readers go on");
    limit("1000000").await;
    store.put_setting("large", Some(&large)).await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_that_became_read_only_is_an_error_with_advice_and_passes() {
    let (_directory, store) = on_disk();
    let write = |c: &Connection| {
        c.pragma_update(None, "query_only", true)?;
        let result = set(c, "a".to_owned());
        c.pragma_update(None, "query_only", false)?;
        result
    };
    let error = store.write("write", write).await.unwrap_err();
    assert_eq!(error.condition(), Some(Condition::ReadOnly), "{error}");
    assert!(error.advice().contains("writable"), "{}", error.advice());
    store.put_setting("a", Some(&json!(1))).await.unwrap();
}

#[tokio::test]
async fn after_close_every_call_is_refused_and_the_directory_is_free() {
    let (directory, store) = on_disk();
    let other = store.clone();
    store.put_setting("a", Some(&json!(1))).await.unwrap();
    store.close().await;
    assert!(matches!(other.put_setting("b", None).await, Err(StoreError::Closed { .. })));
    assert!(matches!(other.settings().await, Err(StoreError::Closed { .. })));
    let again = Store::open(directory.path()).unwrap();
    assert_eq!(keys(&again).await, ["a"]);
    other.close().await;
}

#[tokio::test]
async fn dropping_the_last_clone_closes_and_leaves_one_file() {
    let (directory, store) = on_disk();
    store.put_setting("a", Some(&json!(1))).await.unwrap();
    let clone = store.clone();
    drop(store);
    assert!(matches!(Store::open(directory.path()), Err(OpenError::Held { .. })), "a clone is left");
    drop(clone);
    let mut files: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["zerfaux.db", "zerfaux.lock"], "the log is in the database");
    Store::open(directory.path()).unwrap();
}
