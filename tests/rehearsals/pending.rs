//! A test and its cleanup when something stands in the way: what cannot be taken away stays and is told, it is tried again by
//! itself, replication is not touched, and in the end nothing is left.

use std::time::Duration;

use zerfaux::domain::job::{Job, JobState};
use zerfaux::engine::reconcile::Reconciler;

use crate::shelled::{ShelledWorld, replica};
use crate::tested::{DATASTORE, RUN, TestedWorld};
use crate::trial::{Trial, succeeded};

/// The cleanup has ended here, with these words.
fn is_pending(job: &Job, phase: &str, says: &str) {
    let failure = job.failure.as_ref().unwrap_or_else(|| panic!("{job:?}"));
    assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some(phase)), "{failure:?}");
    assert!(failure.message.contains(says), "{says:?} is not in {:?}", failure.message);
}

/// A checkpoint more arrives in the replica, as by a run of the group.
fn replicate(site: &Trial, from: &str, to: &str) {
    let replica = replica();
    if from == "zx-1" {
        site.zfs(&format!("zfs send {replica}@zx-1 | zfs receive -u tank/source"));
    }
    site.zfs(&format!("zfs snapshot tank/source@{to}"));
    site.zfs(&format!("zfs send -i @{from} tank/source@{to} | zfs receive -u {replica}"));
    assert!(site.zfs(&format!("zfs list -H -t snapshot -o name {replica}")).contains(to));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_unmount_keeps_the_clone_and_it_is_tried_again_by_itself() {
    let site = Trial::new().await;
    succeeded(&site.test().await);
    site.refuse("RemoveDatastore", 1);
    replicate(&site, "zx-1", "zx-2");
    let plan = &site.scene.plan;
    let run = site.scene.made.store.recovery_run(RUN).await.unwrap().unwrap();
    let (store, engine) = (&site.scene.made.store, &site.engine);
    assert!(zerfaux::jobs::recovery_watch::start(store, engine, &run, "anna", None).await.unwrap());
    assert!(!zerfaux::jobs::recovery_watch::start(store, engine, &run, "anna", None).await.unwrap(), "once");
    engine.run_until_idle().await.unwrap();
    let cleanup = store.recovery_run(RUN).await.unwrap().unwrap().cleanup_job.unwrap();
    let job = engine.job(cleanup).await.unwrap();
    is_pending(&job, "unmount", &format!("does not unmount {DATASTORE:?}"));
    // What is mounted still has its export and its clone.
    let clone = site.zfs(&format!("zfs list -H -o name,sharenfs {}", plan.clone));
    assert!(!clone.contains("off"), "{clone}");
    replicate(&site, "zx-2", "zx-3");

    let watch = site.watch();
    watch.run().await.unwrap();
    let kept = store.recovery_run(RUN).await.unwrap().unwrap();
    assert_eq!(kept.cleanup_tries, 1);
    let next = kept.cleanup_next.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.job(cleanup).await.unwrap().state, JobState::Failed, "not before its time");
    let wait = next.duration_since(zerfaux::engine::Clock::now(site.clock.as_ref()));
    site.clock.advance(wait.try_into().unwrap_or(Duration::from_secs(60)));
    for _ in 0..3 {
        watch.run().await.unwrap();
        engine.run_until_idle().await.unwrap();
        site.clock.advance(Duration::from_secs(1000));
    }
    succeeded(&engine.job(cleanup).await.unwrap());
    assert!(store.recovery_run(RUN).await.unwrap().unwrap().cleaned_at.is_some());
    let left = site.zfs("zfs list -H -o name");
    assert!(!left.contains("/run/"), "{left}");
    assert!(!site.zfs(&format!("zfs holds -H {}@zx-1", replica())).contains("zerfaux-run"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_does_not_power_off_keeps_everything_and_stops_none_of_the_others() {
    let site = Trial::new().await;
    succeeded(&site.test().await);
    site.refuse("PowerOffVM_Task", 1);
    let vms = site.vms().await;
    let job = site.clean_up().await;
    is_pending(&job, "power_off", "Not everything could be powered off");
    assert_eq!(site.power(vms[0].vm.as_ref().unwrap()).await, "poweredOn");
    assert_eq!(site.power(vms[1].vm.as_ref().unwrap()).await, "poweredOff", "the others go");
    site.zfs(&format!("zfs list {}", site.scene.plan.clone));
    succeeded(&site.go_on(&job).await);
    site.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_powered_on_by_hand_meanwhile_is_powered_off_and_goes() {
    let site = Trial::new().await;
    succeeded(&site.test().await);
    site.refuse("Destroy_Task", 1);
    let vms = site.vms().await;
    let job = site.clean_up().await;
    is_pending(&job, "remove_vms", "Not everything could be removed");
    let client = site.client().await;
    let on = client.power_on(vms[0].vm.as_ref().unwrap(), None).await.unwrap();
    client.wait_for_task(&on, "power it on", &Default::default(), |_| ()).await.unwrap();
    succeeded(&site.go_on(&job).await);
    site.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_test_stops_at_its_cleanup_leaves_everything_as_before() {
    for method in ["CreateNasDatastore", "CreateVM_Task", "ReconfigVM_Task", "PowerOnVM_Task"] {
        let site = Trial::new().await;
        // Every host, or the first machine alone.
        site.refuse(method, if method == "CreateNasDatastore" { 1000 } else { 1 });
        let job = site.test().await;
        assert!(job.state == JobState::Failed || !job.warnings.is_empty(), "{method}: {job:?}");
        succeeded(&site.clean_up().await);
        assert_eq!(site.scene.facts().await, site.before, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_whose_time_has_come_is_cleaned_up_by_itself() {
    let site = Trial::new().await;
    succeeded(&site.run("test_failover", |input| input["cleanup_minutes"] = 60.into()).await);
    let (store, watch) = (&site.scene.made.store, site.watch());
    watch.run().await.unwrap();
    assert_eq!(store.recovery_run(RUN).await.unwrap().unwrap().cleanup_job, None, "not before its time");
    site.clock.advance(Duration::from_secs(3601));
    watch.run().await.unwrap();
    site.engine.run_until_idle().await.unwrap();
    assert!(store.recovery_run(RUN).await.unwrap().unwrap().cleaned_at.is_some());
    site.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_and_its_cleanup_do_not_lock_replication_out() {
    let site = Trial::new().await;
    let input = serde_json::to_value(&site.scene.plan).unwrap();
    let (targets, vcenters) = site.scene.made.grounds();
    for kind in [
        zerfaux::jobs::test_failover::definition(targets.clone(), vcenters.clone()),
        zerfaux::jobs::clean_up_test::definition(targets.clone(), vcenters.clone()),
    ] {
        let locks = (kind.locks)(&input).unwrap();
        assert!(locks.iter().all(|lock| !lock.as_str().starts_with("replica:")), "{locks:?}");
        assert!(locks.iter().any(|lock| lock.as_str().starts_with("recovery:")), "{locks:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_loaded_for_a_clone_that_was_then_not_made_is_unloaded() {
    let shelled = ShelledWorld { encrypted: true, ..ShelledWorld::default() };
    let site = Trial::of(TestedWorld { shelled }).await;
    // There is no such pool: the key is loaded, and then nothing can be made.
    let nowhere = |input: &mut serde_json::Value| input["clone"] = "nopool/zerfaux/run/x".into();
    let job = site.run("test_failover", nowhere).await;
    assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some("clone")), "{job:?}");
    let key = || site.zfs(&format!("zfs get -H -o value keystatus {}", replica())).trim().to_owned();
    assert_eq!(key(), "available");
    succeeded(&site.run("clean_up_test", nowhere).await);
    assert_eq!(key(), "unavailable");
    site.is_as_before().await;
}
