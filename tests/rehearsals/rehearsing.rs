//! What a test is.

use serde_json::json;
use zerfaux::domain::job::JobState;
use zerfaux::domain::recovery_run::RunVmState;

use crate::shelled::{SOURCE, ShelledWorld, inventory, replica};
use crate::tested::{DATASTORE, RUN, SECOND_UUID, TestedWorld, test_network};
use crate::trial::{Trial, succeeded};

/// The replica as ZFS sees it: nothing of it may change.
fn untouched(site: &Trial) -> String {
    let columns = "name,guid,used,written,mounted,mountpoint,sharenfs,readonly,canmount";
    site.zfs(&format!("zfs list -Hp -r -t filesystem -o {columns} {}", replica()))
}

#[tokio::test(flavor = "multi_thread")]
async fn test_machines_run_from_a_clone_as_somebody_else_and_the_replica_is_never_touched() {
    let site = Trial::new().await;
    let replica_before = untouched(&site);
    let job = site.test().await;
    succeeded(&job);
    assert_eq!(untouched(&site), replica_before, "the replica is never touched");
    let vms = site.vms().await;
    assert!(vms.iter().all(|vm| vm.state == RunVmState::Up), "{vms:?}");
    let source = site.scene.made.machine();
    let (first, second) = (vms[0].vm.clone().unwrap(), vms[1].vm.clone().unwrap());
    let made = site.machine(&first).await;
    assert_eq!(made.name, format!("{SOURCE}-test"));
    assert_ne!(made.instance_uuid, source.instance_uuid);
    assert_ne!(made.bios_uuid, source.bios_uuid);
    assert_eq!(
        (made.cpus, made.memory_mib, made.firmware),
        (source.cpus, source.memory_mib, source.firmware)
    );
    let files: Vec<String> = made.hardware.disks.iter().filter_map(|disk| disk.file.clone()).collect();
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| file.starts_with(&format!("[{DATASTORE}] {SOURCE}/"))), "{files:?}");
    let nic = &made.hardware.nics[0];
    assert_ne!(nic.mac, source.hardware.nics[0].mac, "a test never has the address of what may still run");
    let client = site.client().await;
    let found = inventory(&client).await;
    let wanted = test_network(&source, &found);
    let network = found.networks.iter().find(|one| one.object == wanted).unwrap();
    let key = nic.network.key().unwrap();
    let is_it =
        network.portgroup_key.as_deref() == Some(key) || network.object.id == key || network.name == key;
    assert!(nic.start_connected && is_it, "{nic:?} is on {network:?}");
    assert_eq!(
        (site.power(&first).await, site.power(&second).await),
        ("poweredOn".into(), "poweredOn".into())
    );
    assert_eq!(site.machine(&second).await.hardware.disks.len(), 0);
    let clone = &site.scene.plan.clone;
    let facts = site.zfs(&format!("zfs get -Hp -o value origin,zerfaux:role,zerfaux:run {clone}"));
    assert_eq!(facts.trim(), format!("{}@zx-1\nrun\n{RUN}", replica()));
    let run = site.scene.made.store.recovery_run(RUN).await.unwrap().unwrap();
    assert_eq!(run.checkpoint.unwrap().snapshot.as_str(), "zx-1");
    assert!(run.up_at.is_some() && run.cleaned_at.is_none());
    assert!(site.evidence(Some(SECOND_UUID), "check").await.contains("VMware Tools run"));
    succeeded(&site.clean_up().await);
    site.is_as_before().await;
    let run = site.scene.made.store.recovery_run(RUN).await.unwrap().unwrap();
    assert!(run.cleaned_at.is_some());
    assert!(site.vms().await.iter().all(|vm| vm.state == RunVmState::Removed));
}

#[tokio::test(flavor = "multi_thread")]
async fn lock_files_are_removed_in_the_clone_and_stay_in_the_checkpoint() {
    let site = Trial::new().await;
    succeeded(&site.test().await);
    let path = site.scene.plan.path();
    let left = site.zfs(&format!("find {path}/erp -type f"));
    assert!(!left.contains(".lck"), "{left}");
    assert!(site.evidence(None, "remove_stale_locks").await.starts_with("2 stale lock files were removed"));
    site.zfs(&format!("zfs clone -o mountpoint=/srv/look {}@zx-1 tank/look", replica()));
    site.zfs("zfs mount tank/look || true");
    let kept = site.zfs("find /srv/look/erp -type f");
    assert!(kept.contains(".lck-0123456789abcdef") && kept.contains("erp.vmx.lck"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_tier_starts_after_the_first_one_has_passed_its_checks() {
    let site = Trial::new().await;
    succeeded(&site.test().await);
    let steps = site.scene.made.store.run_steps(RUN).await.unwrap();
    let of = |second: bool, step: &str| {
        let is_it = |uuid: Option<&str>| uuid.is_some_and(|uuid| (uuid == SECOND_UUID) == second);
        steps.iter().find(|one| is_it(one.source_uuid.as_deref()) && one.step == step).unwrap()
    };
    let pause = of(true, "power_on").begun_at.duration_since(of(false, "check").ended_at.unwrap());
    assert!(pause.as_secs() >= 5, "the delay after the first tier: {pause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_in_the_map_a_card_stays_disconnected() {
    let site = Trial::new().await;
    let job = site
        .run("test_failover", |input| {
            input["vms"][0]["networks"] = json!([null]);
            input["vms"][1]["networks"][0]["name"] = json!("another name");
        })
        .await;
    succeeded(&job);
    for vm in site.vms().await {
        let made = site.machine(&vm.vm.unwrap()).await;
        assert!(!made.hardware.nics[0].start_connected, "{:?}", made.hardware.nics);
    }
    let said = site.evidence(Some(SECOND_UUID), "connect_networks").await;
    assert!(said.contains("stays disconnected: the network \"another name\" of the map is called"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_made_stops_none_of_the_others_and_can_be_tried_again() {
    let site = Trial::new().await;
    let job = site
        .run("test_failover", |input| input["vms"][0]["spec"]["disks"][1]["path"] = json!("erp/gone.vmdk"))
        .await;
    succeeded(&job);
    let result = job.result.unwrap();
    assert_eq!((&result["vms_up"], &result["vms_failed"]), (&json!(1), &json!(1)));
    let vms = site.vms().await;
    assert_eq!((vms[0].state, vms[1].state), (RunVmState::Failed, RunVmState::Up));
    assert!(vms[0].failure.as_deref().unwrap().contains("gone.vmdk"), "{:?}", vms[0].failure);
    // Somebody has put the file there; only that one is tried again, and the other one runs on.
    let boots = site.power(vms[1].vm.as_ref().unwrap()).await;
    let source = vms[0].source_uuid.clone();
    let again = site.run("test_failover", |input| input["only"] = json!([source])).await;
    succeeded(&again);
    let vms = site.vms().await;
    assert!(vms.iter().all(|vm| vm.state == RunVmState::Up && vm.failure.is_none()), "{vms:?}");
    assert_eq!(site.power(vms[1].vm.as_ref().unwrap()).await, boots);
    succeeded(&site.clean_up().await);
    site.is_as_before().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_not_there_is_named_and_nothing_is_made() {
    let site = Trial::new().await;
    for (wish, says) in [
        (json!({ "which": "this", "snapshot": "zx-9" }), "has no checkpoint zx-9 of this group"),
        (json!({ "which": "newest_quiesced" }), "has no checkpoint whose guests all were at rest"),
    ] {
        let job = site.run("test_failover", |input| input["checkpoint"] = wish.clone()).await;
        assert_eq!((job.state, job.failed_phase.as_deref()), (JobState::Failed, Some("choose_checkpoint")));
        assert!(job.failure.as_ref().unwrap().message.contains(says), "{:?}", job.failure);
        site.is_as_before().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_the_name_of_a_test_machine_already_is_left_alone() {
    let site = Trial::new().await;
    succeeded(&site.test().await);
    let before = site.scene.facts().await;
    // Another run of the same names: everything of the first one stays.
    let other = "0192ffff-0000-7000-8000-000000000001";
    let change = |input: &mut serde_json::Value| {
        input["run_id"] = json!(other);
        input["group_id"] = json!("0192ffff-0000-7000-8000-000000000002");
        input["clone"] = json!("tank/zerfaux/run/other");
        input["datastore"] = json!("zx-test-other");
        input["checkpoint"] = json!({ "which": "newest" });
    };
    let job = site.run("test_failover", change).await;
    assert_eq!(job.failed_phase.as_deref(), Some("choose_checkpoint"), "no checkpoint is that group's");
    let job = site.run("clean_up_test", change).await;
    succeeded(&job);
    assert_eq!(site.scene.facts().await, before, "the cleanup of another run takes nothing of this one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_group_is_tested_with_its_key_and_locked_again_or_refused_without_it() {
    let encrypted = || {
        let shelled = ShelledWorld { encrypted: true, ..ShelledWorld::default() };
        Trial::of(TestedWorld { shelled })
    };
    let site = encrypted().await;
    let lock =
        |site: &Trial| site.zfs(&format!("zfs get -H -o value keystatus {}", replica())).trim().to_owned();
    assert_eq!(lock(&site), "unavailable");
    succeeded(&site.test().await);
    let vms = site.vms().await;
    assert!(vms.iter().all(|vm| vm.state == RunVmState::Up), "{vms:?}");
    assert_eq!(lock(&site), "available");
    succeeded(&site.clean_up().await);
    assert_eq!(lock(&site), "unavailable", "locked again with its last clone");
    assert!(!site.zfs("zfs list -H -o name").contains("/run/"), "no clone is left");

    let site = encrypted().await;
    site.scene.made.store.delete_group_key(crate::shelled::GROUP, crate::deployed::line()).await.unwrap();
    let job = site.test().await;
    let failure = job.failure.as_ref().unwrap();
    assert_eq!(job.failed_phase.as_deref(), Some("choose_checkpoint"), "{failure:?}");
    assert!(failure.message.contains("Zerfaux keeps no key for this group"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linux_guest_starts_with_the_addresses_of_the_plan() {
    let site = Trial::new().await;
    let job = site
        .run("test_failover", |input| {
            let vm = &mut input["vms"][0];
            let cards = vm["spec"]["nics"].as_array().unwrap().len();
            let fixed = |n| json!({ "kind": "static", "address": format!("10.9.0.{}", 7 + n), "prefix": 24, "gateway": "10.9.0.1" });
            vm["guest"] = json!({
                "host_name": "erp-dr", "domain": "shop.example", "dns": ["10.9.0.53"],
                "nics": (0..cards).map(fixed).collect::<Vec<_>>(),
            });
        })
        .await;
    succeeded(&job);
    let own = site.vms().await[0].clone();
    assert_eq!(own.state, RunVmState::Up, "{own:?}");
    let (client, vm) = (site.client().await, own.vm.unwrap());
    let paths = ["guest.ipAddress", "guest.hostName"];
    let found = client.properties(&vm, zerfaux::domain::moref::VmRef::KIND, &paths).await.unwrap();
    assert_eq!(found.text("guest.ipAddress"), Some("10.9.0.7"));
    assert!(found.text("guest.hostName").is_some_and(|name| name.starts_with("erp-dr")), "{found:?}");
    let uuid = Some(own.source_uuid.as_str());
    assert!(site.evidence(uuid, "customise").await.contains("10.9.0.7/24"));
    assert_eq!(site.evidence(uuid, "guest_addresses").await, "the guest took its addresses");
    succeeded(&site.clean_up().await);
    site.is_as_before().await;
}
