//! SSH keys that are sealed in the vault: a job logs in with them, and a start checks the key file first.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/sshd.rs"]
#[allow(dead_code)] // what this binary does not use
mod sshd;

use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sshd::{Sshd, generate_key, user};
use zerfaux::app::replications::ReplicateInput;
use zerfaux::app::secrets::{SecretError, Secrets};
use zerfaux::app::{App, AppError};
use zerfaux::boot::{BootError, lasting};
use zerfaux::domain::ids::SecretId;
use zerfaux::store::{Store, WrappedKey};
use zerfaux::vault::{RecoveryKey, Vault};

/// A data directory with a vault and this key in it.
async fn seal(data: &Path, name: &str, text: &str) -> SecretId {
    let store = Store::open(data).unwrap();
    let vault = Vault::open(data).or_else(|_none| Vault::create(data)).unwrap();
    let id = Secrets::new(store.clone(), vault).put(name, text.as_bytes()).await.unwrap();
    store.close().await;
    id
}

fn replication(endpoint: &str, key: SecretId, host_key: &str) -> ReplicateInput {
    let end = |dataset: &str| -> Value {
        json!({
            "host": { "ssh": {
                "endpoint": endpoint,
                "identities": [{ "vault": key }],
                "host_keys": { "pinned": host_key },
            } },
            "dataset": dataset,
        })
    };
    serde_json::from_value(json!({ "source": end("no-such-pool/a"), "destination": end("no-such-pool/b") }))
        .unwrap()
}

async fn try_it(app: &App, input: ReplicateInput) -> AppError {
    app.preview_replication(input).await.unwrap_err()
}

/// Nothing listens there.
const CLOSED: &str = "nobody@127.0.0.1:1";
const NO_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_logs_in_with_a_key_from_the_vault() {
    let Some(sshd) = Sshd::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = sshd.dir().join("sealed");
    generate_key("ed25519", &file, "");
    sshd.authorise(&std::fs::read_to_string(file.with_extension("pub")).unwrap());
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let key = seal(&data, "ssh key", &std::fs::read_to_string(&file).unwrap()).await;
    let app = lasting(&data, None).await.unwrap();
    let fingerprint = sshd.host_key("ed25519").fingerprint();
    let endpoint = format!("{}@127.0.0.1:{}", user(), sshd.endpoint().port);
    // There is no such pool, and perhaps no ZFS: what counts is that it got in.
    let error = try_it(&app, replication(&endpoint, key, &fingerprint)).await;
    assert!(sshd.log().contains("Accepted publickey"), "{error}\n{}", sshd.log());
}

#[tokio::test]
async fn a_key_that_is_not_in_the_vault_or_is_no_key_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let no_key = seal(directory.path(), "a password", "correct horse").await;
    let app = lasting(directory.path(), None).await.unwrap();
    let unknown = try_it(&app, replication(CLOSED, SecretId::new(), NO_KEY)).await;
    assert!(unknown.to_string().contains("There is no SSH key"), "{unknown}");
    let wrong = try_it(&app, replication(CLOSED, no_key, NO_KEY)).await;
    assert!(wrong.to_string().contains("cannot be used"), "{wrong}");
    assert!(!format!("{wrong} {wrong:?}").contains("correct horse"), "a secret is never shown");
}

#[tokio::test]
async fn without_a_key_file_none_is_made_and_a_job_with_a_sealed_key_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let app = lasting(directory.path(), None).await.unwrap();
    assert!(!directory.path().join("zerfaux.key").exists());
    let error = try_it(&app, replication(CLOSED, SecretId::new(), NO_KEY)).await;
    assert!(error.to_string().contains("no vault here"), "{error}");
}

async fn refused(data: &Path) -> BootError {
    match lasting(data, None).await {
        Err(error) => error,
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn the_key_file_of_another_database_is_refused_before_anything_is_sealed_under_it() {
    let directory = tempfile::tempdir().unwrap();
    seal(directory.path(), "ssh key", "text").await;
    let file = directory.path().join("zerfaux.key");
    std::fs::rename(&file, directory.path().join("right.key")).unwrap();
    Vault::create(directory.path()).unwrap();
    let error = refused(directory.path()).await;
    assert!(matches!(error, BootError::Secrets(SecretError::OtherKeyFile { .. })), "{error:?}");
    assert!(error.protects_data());
    std::fs::rename(directory.path().join("right.key"), &file).unwrap();
    lasting(directory.path(), None).await.unwrap();
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_is_finished_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let id = seal(directory.path(), "ssh key", "text").await;
    let store = Store::open(directory.path()).unwrap();
    let vault = Vault::open(directory.path()).unwrap();
    let old = vault.key_id();
    let new = vault.new_key(&RecoveryKey::generate().unwrap()).unwrap();
    let wrapped = new.wrapped().clone();
    let row = WrappedKey { key_id: wrapped.key_id.clone(), wrapped: wrapped.bytes };
    store.put_wrapped_key(&row).await.unwrap();
    vault.begin_rotation(new).unwrap();
    assert_eq!(vault.key_ids(), [wrapped.key_id.clone(), old]);
    store.close().await;

    drop(lasting(directory.path(), None).await.unwrap());
    let vault = Vault::open(directory.path()).unwrap();
    assert_eq!(vault.key_ids(), [wrapped.key_id]);
    let store = Store::open(directory.path()).unwrap();
    let found = Secrets::new(store, vault).get_by_id(id).await.unwrap().unwrap();
    assert_eq!(found.expose_secret(), b"text");
}
