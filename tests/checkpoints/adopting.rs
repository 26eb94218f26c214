//! The database is lost: what the appliances have is found again, and goes on.

use std::sync::Arc;

use zerfaux::app::adoption::AdoptWish;
use zerfaux::app::{App, AppError};
use zerfaux::domain::checkpoint::{Checkpoint, CheckpointKind};
use zerfaux::domain::job::JobState;
use zerfaux::domain::protection_group::{ProtectionGroup, Quiesce};
use zerfaux::engine::Clock;

use crate::guests::{DR, GROUP, REPLICA, SOURCE};
use crate::site::{Site, somebody};

fn app(site: &Site) -> App {
    App::new(site.store.clone(), site.engine.clone(), Arc::clone(&site.hosts)).with_clock(site.clock.clone())
}

/// What must be as it was: not when this installation saw it.
fn points(all: &[Checkpoint]) -> Vec<(String, String, jiff::Timestamp, CheckpointKind)> {
    all.iter().map(|one| (one.guid.to_string(), one.snapshot.to_string(), one.taken_at, one.kind)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_taken_over_from_what_its_datasets_say_and_goes_on() {
    let old = Site::new(Quiesce::Every(2)).await;
    for seed in 1..4 {
        old.brings(seed).await;
    }
    let group = old.store.protection_group(GROUP).await.unwrap().unwrap();
    let checkpoints = old.store.checkpoints(GROUP, false).await.unwrap();
    let vms = old.store.protected_vms(Some(GROUP)).await.unwrap();
    let mut manifests = Vec::new();
    for one in &checkpoints {
        manifests.push(old.manifest(one).await);
    }
    assert!(checkpoints.iter().any(|one| one.kind == CheckpointKind::Quiesced));
    let ground = Arc::clone(&old.ground);
    drop(old);

    let new = Site::without_group(ground).await;
    let app = app(&new);
    for target in [SOURCE, DR] {
        let found = app.adoptable_groups(target).await.unwrap();
        assert_eq!(found.silent.len(), 0);
        let [one] = &found.groups[..] else { panic!("{found:?}") };
        assert_eq!((one.group, one.name.as_deref(), &one.obstacle), (GROUP, Some("ERP & co"), &None));
        assert_eq!(one.checkpoints, checkpoints.len());
    }
    let adopted = app.adopt_protection_group(&somebody(), GROUP, &AdoptWish::default()).await.unwrap();
    assert_eq!((adopted.remarks.len(), adopted.checkpoints, adopted.vms), (0, checkpoints.len(), 3));
    let again = app.adopt_protection_group(&somebody(), GROUP, &AdoptWish::default()).await;
    assert!(matches!(again, Err(AppError::Conflict(_))), "{again:?}");

    assert_eq!(new.store.protection_group(GROUP).await.unwrap(), Some(group));
    assert_eq!(new.store.protected_vms(Some(GROUP)).await.unwrap(), vms);
    let found = new.store.checkpoints(GROUP, false).await.unwrap();
    assert_eq!(points(&found), points(&checkpoints));
    for (one, manifest) in found.iter().zip(&manifests) {
        assert_eq!(&new.manifest(one).await, manifest);
    }
    let told = new.store.audit_after(0, 100).await.unwrap();
    assert!(told.iter().any(|line| line.entry.action == "protection_group.adopt"), "{told:?}");

    let before = new.ground.two.target.tags(REPLICA);
    let (next, job) = new.brings(9).await;
    assert_eq!(job.state, JobState::Succeeded);
    let tags = new.ground.two.target.tags(REPLICA);
    assert_eq!(tags.last(), Some(&next.snapshot.to_string()));
    assert!(before.iter().rev().take(2).all(|tag| tags.contains(tag)), "the replica was continued: {tags:?}");
    let bytes = job.result.as_ref().unwrap()["bytes"].as_u64().unwrap();
    assert!(bytes > 0 && job.result.as_ref().unwrap()["streams"] == 1, "{:?}", job.result);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_live_dataset_a_group_is_taken_over_paused_and_only_if_that_is_meant() {
    let old = Site::new(Quiesce::Never).await;
    old.brings(1).await;
    let ground = Arc::clone(&old.ground);
    ground.two.source.root("zfs inherit zerfaux:role src/erp");
    let new = Site::without_group(ground).await;
    let app = app(&new);
    let refused = app.adopt_protection_group(&somebody(), GROUP, &AdoptWish::default()).await;
    let Err(AppError::Conflict(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("source_target_id"), "{why}");
    let wish = AdoptWish { source_target: Some(SOURCE), ..AdoptWish::default() };
    let adopted = app.adopt_protection_group(&somebody(), GROUP, &wish).await.unwrap();
    assert_eq!(adopted.group.paused_at, Some(new.clock.now()));
    assert_eq!(adopted.remarks.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_of_another_epoch_is_not_taken_for_the_live_one() {
    let old = Site::new(Quiesce::Never).await;
    old.brings(1).await;
    let ground = Arc::clone(&old.ground);
    let epoch = ground.two.source.root("zfs get -H -o value zerfaux:epoch src/erp");
    let other = epoch.trim().replacen('1', "2", 1);
    ground.two.target.root(&format!("zfs set zerfaux:epoch={other} {REPLICA}"));
    let new = Site::without_group(ground).await;
    let app = app(&new);
    let found = app.adoptable_groups(DR).await.unwrap().groups.remove(0);
    assert!(found.obstacle.as_deref().is_some_and(|why| why.contains("epoch")), "{found:?}");
    let refused = app.adopt_protection_group(&somebody(), GROUP, &AdoptWish::default()).await;
    assert!(matches!(refused, Err(AppError::Conflict(_))), "{refused:?}");
    assert_eq!(new.store.protection_groups().await.unwrap(), Vec::<ProtectionGroup>::new());
}
