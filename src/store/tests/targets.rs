//! Appliances: what stands in the way of removing one, and how measurements are thinned.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{at, job};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::health::{Health, HealthFacts, HealthState, PoolFacts};
use crate::domain::ids::{SecretId, SshKeyId, TargetId};
use crate::domain::job::Job;
use crate::domain::ssh_key::SshKey;
use crate::domain::target::{DEFAULT_NETWORKS, Deployed, Target};
use crate::store::{Refusal, SecretRow, Store};

fn entry() -> AuditEntry {
    let text = || "test".to_owned();
    let (actor, source, action, object) = (text(), text(), text(), text());
    AuditEntry { at: at(0), actor, source, action, object, outcome: Outcome::Done, details: Value::Null }
}

async fn with_target() -> (Store, Target) {
    let store = Store::open_in_memory().unwrap();
    let secret = SecretId::new();
    let row = SecretRow { id: secret, name: "k".into(), key_id: "k".into(), sealed: vec![1] };
    store.put_secret(&row).await.unwrap();
    let key = SshKey {
        id: SshKeyId::new(),
        name: "lab".into(),
        algorithm: "ssh-ed25519".into(),
        fingerprint: "SHA256:x".into(),
        public_key: "ssh-ed25519 AAAA".into(),
        secret,
        created_by: "anna".into(),
        created_at: at(0),
    };
    store.insert_ssh_key(&key, entry()).await.unwrap();
    let target = Target {
        id: TargetId::new(),
        name: "zfs-a".into(),
        endpoint: "root@10.0.0.5:22".parse().unwrap(),
        ssh_key: key.id,
        host_key: "SHA256:y".into(),
        zfs_pool: "tank".parse().unwrap(),
        nfs_networks: DEFAULT_NETWORKS.parse().unwrap(),
        nfs_address: Some("10.1.0.5".into()),
        replication_address: Some("10.2.0.5:2222".parse().unwrap()),
        vcenter: None,
        is_active: true,
        appdata_path: Some("/mnt/appdata".into()),
        deployed: Deployed::default(),
        created_by: "anna".into(),
        created_at: at(0),
    };
    store.put_target(&target, entry()).await.unwrap();
    (store, target)
}

#[tokio::test]
async fn an_appliance_comes_back_as_it_was_kept_and_names_are_taken_in_any_case() {
    let (store, target) = with_target().await;
    assert_eq!(store.target(target.id).await.unwrap().as_ref(), Some(&target));
    assert_eq!(store.target_named("ZFS-A").await.unwrap().as_ref(), Some(&target));
    let twin = Target {
        id: TargetId::new(),
        name: "Zfs-A".into(),
        zfs_pool: "vault".parse().unwrap(),
        ..target.clone()
    };
    let refused = store.put_target(&twin, entry()).await.unwrap_err();
    assert!(matches!(refused.refusal(), Some(Refusal::AlreadyExists(_))), "{refused}");
    let place = Target { id: TargetId::new(), name: "zfs-b".into(), ..target.clone() };
    assert!(store.put_target(&place, entry()).await.is_err(), "one appliance for one pool at one address");
}

#[tokio::test]
async fn what_a_job_that_has_not_ended_uses_is_not_removed() {
    let (store, target) = with_target().await;
    let by_address = Job { input: serde_json::json!({ "host": { "endpoint": target.endpoint } }), ..job() };
    store.insert_job(&by_address).await.unwrap();
    let refused = store.delete_target(&target, entry()).await.unwrap_err().to_string();
    assert!(refused.contains("in use by the replicate job"), "{refused}");
    assert!(store.target(target.id).await.unwrap().is_some());
}

fn seen(at: Timestamp, used: u64) -> Health {
    let pool = PoolFacts {
        name: "tank".into(),
        state: "ONLINE".into(),
        size: 1000,
        allocated: used,
        fragmentation: None,
        readonly: false,
        device_errors: 0,
        data_errors: None,
        scrubbed_at: None,
        trouble: None,
    };
    let facts = HealthFacts { pools: vec![pool], ..HealthFacts::default() };
    Health { checked_at: at, state: HealthState::Healthy, checks: Vec::new(), facts }
}

#[tokio::test]
async fn measurements_are_kept_every_five_minutes_then_every_hour_then_every_day() {
    let (store, target) = with_target().await;
    let (begin, step) = (at(0), SignedDuration::from_mins(30));
    let mut now = begin;
    for round in 0..(70 * 24 * 2) {
        store.put_target_health(target.id, &seen(now, round)).await.unwrap();
        // A second look a minute later is kept, but not measured again.
        if round % 500 == 0 {
            let later = now + SignedDuration::from_mins(1);
            store.put_target_health(target.id, &seen(later, round)).await.unwrap();
        }
        now += step;
    }
    let all = store.target_capacity(target.id, "tank", begin).await.unwrap();
    let newest = all.last().unwrap().at;
    let within = |from: i64, to: i64| {
        let age = |at: Timestamp| newest.duration_since(at).as_hours();
        all.iter().filter(|one| (from..to).contains(&age(one.at))).count()
    };
    assert_eq!(within(0, 47), 47 * 2, "two days: as measured");
    let hourly = within(49, 59 * 24);
    assert!((59 * 24 - 52..=59 * 24 - 46).contains(&hourly), "then one an hour: {hourly}");
    let daily = within(61 * 24, 100 * 24);
    assert!((8..=10).contains(&daily), "then one a day: {daily}");
    assert!(all.windows(2).all(|pair| pair[0].at < pair[1].at && pair[0].used < pair[1].used));
    // A look that began earlier does not replace a later one.
    store
        .put_target_health(target.id, &Health { state: HealthState::Failed, ..seen(begin, 1) })
        .await
        .unwrap();
    assert_eq!(store.target_health(target.id).await.unwrap().unwrap().state, HealthState::Healthy);
}
