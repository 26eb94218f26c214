//! Guests at rest: every so many checkpoints, as many as can be, and nothing of it left behind.

use std::time::Duration;

use zerfaux::domain::checkpoint::CheckpointKind;
use zerfaux::domain::job::JobState;
use zerfaux::domain::manifest::Rest;
use zerfaux::domain::moref::VmRef;
use zerfaux::domain::protection_group::Quiesce;
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::jobs::vm_snapshot_watch::VmSnapshotWatch;
use zerfaux::sim::vcenter::Rule;
use zerfaux::vsphere::Client;
use zerfaux::vsphere::verbs::Reconfigure;

use crate::guests::GROUP;
use crate::site::Site;

async fn done(client: &Client, task: zerfaux::domain::moref::TaskRef) {
    client.wait_for_task(&task, "do it", &Default::default(), |_| ()).await.unwrap();
}

/// Two that run and one that is off: two `CreateSnapshot_Task` in each quiesced run.
#[tokio::test(flavor = "multi_thread")]
async fn every_second_checkpoint_is_quiesced_and_names_the_disks_that_were_frozen() {
    let site = Site::new(Quiesce::Every(2)).await;
    let client = site.ground.client().await;
    let by_hand =
        client.create_snapshot(&site.ground.vm(0), "zerfaux-before the update", "", false).await.unwrap();
    done(&client, by_hand).await;
    let before = client.machine(&site.ground.vm(0)).await.unwrap();
    for seed in 1..5 {
        site.brings(seed).await;
    }
    use CheckpointKind::{CrashConsistent, Quiesced};
    assert_eq!(site.kinds().await, [Quiesced, CrashConsistent, Quiesced, CrashConsistent]);
    let all = site.store.checkpoints(GROUP, false).await.unwrap();
    let manifest = site.manifest(&all[1]).await;
    let rests: Vec<Rest> = manifest.vms.iter().map(|vm| vm.rest.clone()).collect();
    assert_eq!(rests.iter().filter(|rest| **rest == Rest::Quiesced).count(), 2, "{rests:?}");
    assert_eq!(rests.iter().filter(|rest| **rest == Rest::Off).count(), 1, "{rests:?}");
    // What it wrote to before its guest was at rest is what was frozen, and is what a recovery attaches.
    let vm = manifest.vms.iter().find(|vm| vm.vm == site.ground.vm(0)).unwrap();
    let files = |machine: &zerfaux::domain::machine::Machine| {
        machine.hardware.disks.iter().map(|disk| disk.file.clone().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(files(vm.machine.as_ref().unwrap()), files(&before));
    let left: Vec<String> = site.ground.vm_snapshots().await.into_iter().map(|(_, name)| name).collect();
    assert_eq!(left, ["zerfaux-before the update"], "somebody else's stays, ours are gone");
    assert_eq!(site.store.vm_snapshots().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_brought_to_rest_is_named_and_the_others_are_at_rest() {
    let site = Site::new(Quiesce::Every(1)).await;
    let client = site.ground.client().await;
    let stubborn =
        Reconfigure { extra_config: vec![("sim.quiesce".into(), "fail".into())], ..Reconfigure::default() };
    done(&client, client.reconfigure(&site.ground.vm(1), &stubborn).await.unwrap()).await;
    let (checkpoint, job) = site.brings(1).await;
    assert_eq!(checkpoint.kind, CheckpointKind::Partly);
    let manifest = site.manifest(&checkpoint).await;
    let not = manifest.not_quiesced();
    assert_eq!(not.len(), 1, "{not:?}");
    assert_eq!(not[0].0, site.ground.vm_name(1));
    assert!(not[0].1.contains("quiescing"), "{not:?}");
    assert!(job.warnings.iter().any(|line| line.contains(&site.ground.vm_name(1))), "{:?}", job.warnings);
    let (here, there) = site.beside().await;
    assert_eq!(here, there);
    let marks =
        site.ground.two.target.root("zfs get -H -s local -o value -r -t snapshot zerfaux:checkpoint dst");
    assert_eq!(marks.trim(), "partly");
    assert_eq!(site.ground.vm_snapshots().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_removed_at_once_is_told_and_removed_later() {
    let site = Site::new(Quiesce::Every(1)).await;
    site.ground
        .vcenter
        .add_rule(Rule {
            method: Some("RemoveSnapshot_Task".into()),
            fault: Some("NoPermission".into()),
            ..Rule::default()
        })
        .unwrap();
    let (checkpoint, job) = site.brings(1).await;
    assert_eq!(
        checkpoint.kind,
        CheckpointKind::Quiesced,
        "what is left behind does not spoil the checkpoint"
    );
    assert!(job.warnings.iter().any(|line| line.contains("could not be removed")), "{:?}", job.warnings);
    assert_eq!(site.ground.vm_snapshots().await.len(), 2);
    let watch = VmSnapshotWatch::new(site.vcenters.clone(), site.clock.clone());
    for tries in 1..4 {
        assert!(watch.run().await.is_err());
        let noted = site.store.vm_snapshots().await.unwrap();
        assert!(noted.iter().all(|one| one.tries == tries && one.why.is_some()), "{noted:?}");
    }
    site.ground.vcenter.clear_rules();
    watch.run().await.unwrap();
    assert_eq!(
        (site.ground.vm_snapshots().await, site.store.vm_snapshots().await.unwrap()),
        (vec![], vec![])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_finds_what_was_left_behind_by_name_and_age_and_nothing_else() {
    let site = Site::new(Quiesce::Every(1)).await;
    let client = site.ground.client().await;
    let job = zerfaux::domain::ids::JobId::new();
    let ours = format!("zerfaux-{}-{job}", GROUP.short());
    let foreign = format!("zerfaux-00000000-{job}");
    for (name, description) in
        [(&*ours, format!("for {GROUP}")), (&*foreign, format!("for {GROUP}")), ("mine", String::new())]
    {
        let task = client.create_snapshot(&site.ground.vm(0), name, &description, false).await.unwrap();
        done(&client, task).await;
    }
    // Ours by name, but not what we write about it.
    let task = client.create_snapshot(&site.ground.vm(1), &ours, "copied", false).await.unwrap();
    done(&client, task).await;
    let names = |all: Vec<(String, String)>| all.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    VmSnapshotWatch::new(site.vcenters.clone(), site.clock.clone()).run().await.unwrap();
    assert_eq!(names(site.ground.vm_snapshots().await).len(), 4, "a run that nobody knows may still go on");
    site.clock.advance(Duration::from_secs(25 * 3600));
    VmSnapshotWatch::new(site.vcenters.clone(), site.clock.clone()).run().await.unwrap();
    let mut left = names(site.ground.vm_snapshots().await);
    left.sort();
    let mut expected = vec![foreign, "mine".to_owned(), ours];
    expected.sort();
    assert_eq!(left, expected, "the one of ours that said so is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_while_guests_come_to_rest_leaves_nothing() {
    let site = Site::new(Quiesce::Every(1)).await;
    // The answer comes late, while the run is asked to stop.
    site.ground
        .vcenter
        .add_rule(Rule { method: Some("CreateSnapshot_Task".into()), delay_ms: 1500, ..Rule::default() })
        .unwrap();
    site.clock.advance(Duration::from_secs(61));
    site.runs.run().await.unwrap();
    let engine = site.engine.clone();
    let working = tokio::spawn(async move { engine.run_until_idle().await });
    let id = site.store.jobs(&Default::default()).await.unwrap()[0].id;
    while site.store.vm_snapshots().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site.engine.cancel(id).await.unwrap();
    working.await.unwrap().unwrap();
    let job = site.engine.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled, "{:?}", job.failure);
    assert_eq!(
        (site.ground.vm_snapshots().await, site.store.vm_snapshots().await.unwrap()),
        (vec![], vec![])
    );
    assert_eq!(site.ground.two.source.tags(crate::guests::LIVE), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_takes_too_long_is_not_waited_for_and_what_comes_late_goes_too() {
    let site = Site::new(Quiesce::Every(1)).await;
    site.ground
        .vcenter
        .add_rule(Rule {
            method: Some("CreateSnapshot_Task".into()),
            object: Some(site.ground.vm_name(1)),
            delay_ms: 4000,
            ..Rule::default()
        })
        .unwrap();
    let group = site.store.protection_group(GROUP).await.unwrap().unwrap();
    let now = zerfaux::engine::Clock::now(&*site.clock);
    let mut input = zerfaux::jobs::group_runs::input_of(&site.targets, &group, now).await.unwrap();
    input["guests"]["limit_seconds"] = 1.into();
    let id = site.engine.enqueue("replicate", input, "test").await.unwrap();
    site.engine.run_until_idle().await.unwrap();
    let job = site.engine.job(id).await.unwrap();
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
    let manifest = site.store.newest_manifest(GROUP).await.unwrap().unwrap();
    assert_eq!(manifest.kind, CheckpointKind::Partly);
    let not = manifest.not_quiesced();
    assert_eq!((not.len(), not[0].0), (1, &*site.ground.vm_name(1)), "{not:?}");
    assert!(not[0].1.contains("in time"), "{not:?}");
    // Whatever becomes of the request that is still on its way.
    tokio::time::sleep(Duration::from_secs(5)).await;
    VmSnapshotWatch::new(site.vcenters.clone(), site.clock.clone()).run().await.unwrap();
    assert_eq!(
        (site.ground.vm_snapshots().await, site.store.vm_snapshots().await.unwrap()),
        (vec![], vec![])
    );
}
