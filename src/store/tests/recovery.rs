//! Recovery plans, and how far recoveries are: what is kept together, and what is refused.

use serde_json::Value;

use super::{at, job};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::ids::{GroupId, JobId};
use crate::domain::recovery_plan::RecoveryPlan;
use crate::domain::recovery_state::{Event, Misfit, NotNow, Phase, Verb};
use crate::store::{Refusal, Store};

fn entry() -> AuditEntry {
    let text = || "anna".to_owned();
    let (actor, source, action, object) = (text(), text(), text(), text());
    AuditEntry { at: at(7), actor, source, action, object, outcome: Outcome::Done, details: Value::Null }
}

async fn with_group() -> (Store, GroupId) {
    let (store, group) = (Store::open_in_memory().unwrap(), GroupId::new());
    let rows = format!(
        "INSERT INTO secrets (id, name, key_id, sealed) VALUES ('x', 'a password', 'k', x'00');
         INSERT INTO ssh_keys (id, name, algorithm, fingerprint, public_key, secret_id, created_by, created_at)
             VALUES ('y', 'lab', 'ssh-ed25519', 'SHA256:x', 'ssh-ed25519 AAAA', 'x', 'anna', 1);
         INSERT INTO vcenters (id, name, host, port, username, password, created_at)
             VALUES ('v', 'site A', 'vc', 443, 'admin', 'x', 1);
         INSERT INTO targets (id, name, hostname, port, ssh_username, ssh_key, host_key, zfs_pool, nfs_network, is_active,
             created_by, created_at)
             VALUES ('a', 'zfs-a', 'nas-a', 22, 'zfsadmin', 'y', 'SHA256:x', 'tank', '10.0.0.0/8', 1, 'anna', 1);
         INSERT INTO protection_groups (id, name, source_vcenter, source_target, source_dataset, dr_vcenter, dr_target,
             dr_dataset, policy, enabled, created_by, created_at)
             VALUES ('{group}', 'ERP', 'v', 'a', 'tank/erp', 'v', 'a', 'tank/r', '{{}}', 1, 'anna', 1);"
    );
    store.write("make a group", move |c| Ok(c.execute_batch(&rows)?)).await.unwrap();
    (store, group)
}

#[tokio::test]
async fn of_two_who_change_a_plan_at_once_the_second_is_told_and_the_first_is_kept() {
    let (store, group) = with_group().await;
    assert_eq!(store.recovery_plan(group).await.unwrap(), None);
    let first = RecoveryPlan { notes: "first".to_owned(), ..RecoveryPlan::default() };
    let second = RecoveryPlan { notes: "second".to_owned(), ..RecoveryPlan::default() };
    assert_eq!(store.put_recovery_plan(group, &first, 0, entry()).await.unwrap(), 1);
    let refused = store.put_recovery_plan(group, &second, 0, entry()).await.unwrap_err();
    assert!(matches!(refused.refusal(), Some(Refusal::Changed(_))), "{refused}");
    let kept = store.recovery_plan(group).await.unwrap().unwrap();
    assert_eq!(
        (kept.version, kept.plan, kept.changed_by.as_str(), kept.changed_at),
        (1, first, "anna", at(7))
    );
    assert_eq!(store.put_recovery_plan(group, &second, 1, entry()).await.unwrap(), 2);
    let nobody = store.put_recovery_plan(GroupId::new(), &second, 0, entry()).await.unwrap_err();
    assert!(matches!(nobody.refusal(), Some(Refusal::NotFound(_))), "{nobody}");
}

#[tokio::test]
async fn a_verb_its_job_and_who_asked_for_it_are_kept_together_or_not_at_all() {
    let (store, group) = with_group().await;
    assert_eq!(store.recovery_state(group).await.unwrap(), None);
    let (one, two) = (job(), job());
    let state = store.start_recovery(group, Verb::Test, &one, entry()).await.unwrap().unwrap();
    assert_eq!((state.phase(), state.test_run), (Phase::Testing, Some(one.id)));
    // A second test is refused, and its job is not kept.
    let refused = store.start_recovery(group, Verb::Test, &two, entry()).await.unwrap();
    assert_eq!(refused, Err(Misfit::NotNow(NotNow::Running(Verb::Test))));
    assert!(store.job(one.id).await.unwrap().is_some());
    assert!(store.job(two.id).await.unwrap().is_none());
    // It stands, and since when is since it began to.
    store.note_recovery(group, Event::Done(Verb::Test, one.id), at(9)).await.unwrap().unwrap();
    let (state, since) = store.recovery_state(group).await.unwrap().unwrap();
    assert_eq!((state.phase(), since), (Phase::Testing, at(7)));
    let stranger = store.note_recovery(group, Event::Done(Verb::Cleanup, JobId::new()), at(9)).await.unwrap();
    assert!(matches!(stranger, Err(Misfit::Stranger { .. })), "{stranger:?}");
    // Of a group that is gone nothing is kept, and nothing is left.
    store.write("remove it", move |c| Ok(c.execute_batch("DELETE FROM protection_groups")?)).await.unwrap();
    assert_eq!(store.recovery_state(group).await.unwrap(), None);
    assert!(store.note_recovery(group, Event::Fenced(true), at(9)).await.is_err());
}
