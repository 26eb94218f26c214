//! What datasets say of themselves and what is known here: what is missing is set again, what contradicts holds the group.

use std::sync::Arc;
use std::time::Duration;

use zerfaux::app::{App, AppError};
use zerfaux::domain::job::JobState;
use zerfaux::domain::protection_group::Quiesce;
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::jobs::checkpoint_watch::CheckpointWatch;
use zerfaux::store::JobFilter;

use crate::guests::{GROUP, LIVE, REPLICA};
use crate::site::{Site, somebody};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_off_is_set_again() {
    let site = Site::new(Quiesce::Never).await;
    let (first, _) = site.brings(1).await;
    let (second, _) = site.brings(2).await;
    let (here, there) = (&site.ground.two.source, &site.ground.two.target);
    let (old, new) = (first.snapshot.to_string(), second.snapshot.to_string());
    let before = site.beside().await;
    for tag in [&old, &new] {
        there.root(&format!("zfs inherit zerfaux:group {REPLICA}@{tag}"));
    }
    there.root(&format!("zfs inherit zerfaux:manifest.0 {REPLICA}@{old}"));
    there.root(&format!("zfs release zerfaux:{GROUP} {REPLICA}@{new}"));
    here.root(&format!("zfs release zerfaux:{GROUP} {LIVE}@{new}"));
    here.root(&format!("zfs destroy '{LIVE}#{new}'"));
    there.root(&format!("zfs inherit zerfaux:policy {REPLICA}"));

    site.clock.advance(Duration::from_secs(5));
    let watch = CheckpointWatch::new(site.targets.clone(), site.clock.clone());
    // The first look marks the checkpoints, the second sees them as ours.
    for _ in 0..2 {
        watch.run().await.unwrap();
        site.clock.advance(Duration::from_secs(30));
    }
    let marks = there.root("zfs get -H -s local -r -t snapshot -o name zerfaux:group dst");
    assert_eq!(marks.lines().count(), 2, "{marks}");
    for (side, dataset) in [(here, LIVE), (there, REPLICA)] {
        let holds = side.root(&format!("zfs holds -H '{dataset}@{new}'"));
        assert!(holds.contains(&format!("zerfaux:{GROUP}")), "{dataset}: {holds}");
    }
    assert!(here.root(&format!("zfs list -H -t bookmark -o name -r {LIVE}")).contains(&new));
    assert_eq!(site.beside().await, before, "the manifest is whole again");
    let kept = site.store.checkpoints(GROUP, false).await.unwrap();
    assert_eq!(kept.len(), 2, "they were never gone: {kept:?}");
    assert_eq!(site.store.group_findings().await.unwrap().len(), 0);
    // The rest is the next run's.
    site.brings(3).await;
    assert!(
        there.root(&format!("zfs get -H -s local -o value zerfaux:policy {REPLICA}")).contains("sha256=")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_that_says_something_else_holds_its_group_until_a_person_has_settled_it() {
    let site = Site::new(Quiesce::Never).await;
    site.brings(1).await;
    let app = App::new(site.store.clone(), site.engine.clone(), Arc::clone(&site.hosts));
    let watch = CheckpointWatch::new(site.targets.clone(), site.clock.clone());
    let there = &site.ground.two.target;
    let epoch = there.root(&format!("zfs get -H -o value zerfaux:epoch {REPLICA}"));
    there.root(&format!("zfs set zerfaux:epoch={} {REPLICA}", epoch.trim().replacen('1', "2", 1)));

    // A run that begins before anybody has looked stops by itself.
    let job = site.turn(2).await;
    assert_eq!(job.state, JobState::Failed);
    assert!(job.failure.unwrap().message.contains("epoch 2"));
    assert_eq!(there.tags(REPLICA).len(), 1);
    assert_eq!(site.ground.two.source.tags(LIVE).len(), 1, "nothing was taken either");

    watch.run().await.unwrap();
    let troubles = app.checkpoint_troubles().await.unwrap();
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert!(troubles[0].why.contains("epoch 2") && !troubles[0].advice.is_empty());
    let before = site.store.jobs(&JobFilter::default()).await.unwrap().len();
    site.clock.advance(Duration::from_secs(3600));
    site.runs.run().await.unwrap();
    assert_eq!(site.store.jobs(&JobFilter::default()).await.unwrap().len(), before, "it is held");
    let refused = app.run_protection_group(&somebody(), GROUP).await;
    assert!(matches!(&refused, Err(AppError::Conflict(why)) if why.contains("held")), "{refused:?}");

    there.root(&format!("zfs set zerfaux:epoch={} {REPLICA}", epoch.trim()));
    watch.run().await.unwrap();
    assert_eq!(app.checkpoint_troubles().await.unwrap(), vec![]);
    site.brings(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_made_anew_after_it_was_deleted_here_is_not_held() {
    let site = Site::new(Quiesce::Never).await;
    site.brings(1).await;
    let old = site.store.protection_group(GROUP).await.unwrap().unwrap();
    site.store.delete_protection_group(&old, crate::deployed::line()).await.unwrap();
    let id = zerfaux::domain::ids::GroupId::new();
    let mut dr = old.dr.clone();
    dr.dataset = format!("dst/zerfaux/replica/{id}").parse().unwrap();
    let new = zerfaux::domain::protection_group::ProtectionGroup { id, dr, ..old };
    site.store.put_protection_group(&new, crate::deployed::line()).await.unwrap();
    let job = site.turn(2).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    let mark = site.ground.two.source.root(&format!("zfs get -H -s local -o value zerfaux:group {LIVE}"));
    assert_eq!(mark.trim(), id.to_string());
    CheckpointWatch::new(site.targets.clone(), site.clock.clone()).run().await.unwrap();
    assert_eq!(site.store.group_findings().await.unwrap().len(), 0);
}
