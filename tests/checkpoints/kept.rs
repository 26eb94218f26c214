//! Manifests: on both sides and in the database, of the moment of their checkpoint.

use zerfaux::domain::checkpoint::CheckpointKind;
use zerfaux::domain::manifest::{Read, Rest};
use zerfaux::domain::protection_group::Quiesce;
use zerfaux::engine::reconcile::Reconciler;
use zerfaux::jobs::checkpoint_watch::CheckpointWatch;
use zerfaux::vsphere::verbs::Reconfigure;

use crate::guests::{GROUP, REPLICA};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn an_old_checkpoint_keeps_the_hardware_of_then_on_both_sides_and_in_the_database() {
    let site = Site::new(Quiesce::Never).await;
    let (first, _) = site.brings(1).await;
    assert_eq!(first.kind, CheckpointKind::CrashConsistent);
    let client = site.ground.client().await;
    // One is off, so that its size can be changed.
    let change =
        Reconfigure { cpus: Some(7), name: Some("'; rm -rf $HOME\t#".into()), ..Reconfigure::default() };
    let task = client.reconfigure(&site.ground.vm(2), &change).await.unwrap();
    client.wait_for_task(&task, "change it", &Default::default(), |_| ()).await.unwrap();
    let (second, _) = site.brings(2).await;

    let (here, there) = site.beside().await;
    assert_eq!(here, there, "the same on both sides");
    assert_eq!(here.len(), 2);
    for checkpoint in [&first, &second] {
        assert_eq!(
            site.manifest(checkpoint).await,
            here[checkpoint.snapshot.as_str()],
            "and in the database"
        );
    }
    let of = |one: &zerfaux::domain::checkpoint::Checkpoint| {
        let vm =
            here[one.snapshot.as_str()].vms.iter().find(|vm| vm.vm == site.ground.vm(2)).unwrap().clone();
        (vm.name.clone(), vm.machine.unwrap().cpus)
    };
    assert_ne!(of(&first).1, 7);
    assert_eq!(of(&second), ("'; rm -rf $HOME\t#".to_owned(), 7));
    let manifest = &here[second.snapshot.as_str()];
    assert!(manifest.vms.iter().all(|vm| vm.read == Read::Vcenter && vm.rest == Rest::NotAsked));
    assert_eq!((manifest.vms.len(), manifest.group_name.as_str()), (3, "ERP & co"));
    assert!(manifest.epoch.starts_with("1:"), "{}", manifest.epoch);
    let disks = manifest.vms[0].disks();
    assert!(disks[0].capacity_bytes > 0 && disks[0].files[0].ends_with(".vmdk"), "{disks:?}");

    // What retention lets go of takes its manifest with it.
    for seed in 3..7 {
        site.brings(seed).await;
    }
    CheckpointWatch::new(site.targets.clone(), site.clock.clone()).run().await.unwrap();
    assert_eq!(site.store.manifest(GROUP, first.guid).await.unwrap(), None);
    let mut left: Vec<_> = site.store.checkpoints(GROUP, false).await.unwrap();
    left.reverse();
    let tags: Vec<String> = left.iter().map(|one| one.snapshot.to_string()).collect();
    assert_eq!(tags, site.ground.two.target.tags(REPLICA));
    let mut known = site.store.manifests_known(GROUP).await.unwrap();
    let mut kept: Vec<_> = left.iter().map(|one| one.guid).collect();
    known.sort();
    kept.sort();
    assert_eq!(known, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_without_its_vcenter_and_says_so() {
    let site = Site::new(Quiesce::Every(1)).await;
    let (_, job) = site.brings(1).await;
    assert_eq!(job.warnings, Vec::<String>::new());
    site.vcenters.log_out().await;
    site.ground
        .vcenter
        .add_rule(zerfaux::sim::vcenter::Rule {
            method: Some("Login".into()),
            fault: Some("InvalidLogin".into()),
            ..Default::default()
        })
        .unwrap();
    let (second, job) = site.brings(2).await;
    assert_eq!(second.kind, CheckpointKind::CrashConsistent);
    assert!(
        job.warnings.iter().any(|line| line.contains("was not read from their vCenter")),
        "{:?}",
        job.warnings
    );
    let manifest = site.manifest(&second).await;
    let vm = &manifest.vms[0];
    assert!(matches!(&vm.read, Read::Inventory { because, .. } if !because.is_empty()), "{vm:?}");
    assert!(matches!(&vm.rest, Rest::NotQuiesced { .. }), "{vm:?}");
    assert!(
        vm.machine.as_ref().is_some_and(|machine| !machine.hardware.disks.is_empty()),
        "as it was before"
    );
}
