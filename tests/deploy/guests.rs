//! Guests that do not come up as they should, and hosts and places that refuse: right message, right number of attempts,
//! right pauses, and nothing left after a cleanup.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zerfaux::domain::job::JobState;
use zerfaux::sim::appliance::{FaultRule, PoolHealth};
use zerfaux::sim::vcenter::Rule;

use super::{Ended, deploy, deploy_in};
use crate::deployed::{DeployWorld, Differs, Plug, VM, isolated};
use crate::laws::Scene as _;

/// The clone asks for its address.
fn by_dhcp(input: &mut Value) {
    input["guest"]["fixed"] = Value::Null;
}

fn fault(method: &str, fault: &str) -> Rule {
    Rule { fault: Some(fault.to_owned()), ..Rule::on(method) }
}

fn in_task(method: &str, name: &str) -> Rule {
    Rule { in_task: true, ..fault(method, name) }
}

fn on_host(host: &str) -> Rule {
    Rule { object: Some(host.to_owned()), ..fault("CreateNasDatastore", "PlatformConfigFault") }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_never_come_are_waited_for_twice_five_minutes() {
    let differs = Differs { options: vec![("sim.tools", "never")], ..Differs::default() };
    let ended = deploy(differs, by_dhcp).await;
    ended
        .failed("wait_tools", "VMware Tools not responding", "may not have booted")
        .waited(600..=620)
        .attempts(2)
        .await
        .cleans_up()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tools_a_fixed_address_that_answers_with_the_published_key_will_do() {
    // The tests' appliance listens at another port than 22, which the deployment names.
    let options = vec![("sim.tools", "never")];
    let ended =
        deploy(Differs { options: options.clone(), publishes: true, ..Differs::default() }, |_| ()).await;
    assert_eq!(ended.job.state, JobState::Succeeded, "{:?}", ended.job.failure);
    assert!(
        ended.job.warnings.iter().any(|one| one.contains("VMware Tools do not run")),
        "{:?}",
        ended.job.warnings
    );
    ended.waited(300..=320);
    // One that nobody has published is no proof that it is this machine.
    let ended = deploy(Differs { options, ..Differs::default() }, |_| ()).await;
    ended.failed("wait_tools", "VMware Tools not responding", "console in vCenter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_customisation_failed_is_powered_off_and_its_log_is_named() {
    let ended =
        deploy(Differs { options: vec![("sim.customization", "fail")], ..Differs::default() }, |_| ()).await;
    ended.failed("wait_tools", "customisation", "toolsDeployPkg.log").attempts(1).await;
    assert!(ended.job.failure.as_ref().unwrap().message.contains("It was powered off"));
    let now = ended.scene.fingerprint().await;
    let vm = now.iter().find(|(name, _)| name.ends_with(VM)).unwrap();
    assert!(vm.1.contains("poweredOff"), "{vm:?}");
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_guest_gave_itself_is_none() {
    let (world, place) = (DeployWorld::default(), tempfile::tempdir().unwrap());
    let scene = world.start(place.path()).await;
    let network = isolated(&scene).await;
    let ended = deploy_in(world, place, scene, |input| {
        by_dhcp(input);
        input["place"]["network"] = network.clone();
        input["place"]["vlan"] = "199".into();
    })
    .await;
    ended
        .failed("wait_ip", "169.254.", "DHCP server on VLAN 199")
        .waited(300..=320)
        .attempts(1)
        .await
        .cleans_up()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_stands_beside_insufficient_resources() {
    let rules = vec![in_task("CloneVM_Task", "InsufficientResourcesFault")];
    let ended = deploy(Differs { rules, ..Differs::default() }, |_| ()).await;
    ended.failed("clone", "", "4 virtual CPUs, 8 GiB of memory and a disk of 10 GiB").attempts(1).await;
    assert_eq!(ended.scene.fingerprint().await, ended.before, "nothing is left of the attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_run_it_is_named_when_it_is_powered_on() {
    let rules = vec![in_task("PowerOnVM_Task", "InsufficientMemoryResourcesFault")];
    let ended = deploy(Differs { rules, ..Differs::default() }, |_| ()).await;
    ended.failed("power_on", "failed to power on", "DRS").attempts(1).await.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_that_name_is_not_taken_for_ours_and_stays_after_a_cleanup() {
    let first = deploy(Differs::default(), |_| ()).await;
    assert_eq!(first.job.state, JobState::Succeeded, "{:?}", first.job.failure);
    let Ended { scene, engine, .. } = &first;
    let before = scene.fingerprint().await;
    let id = engine.enqueue("deploy_zfs_target", scene.input(), "anna").await.unwrap();
    engine.run_until_idle().await.unwrap();
    let second = engine.job(id).await.unwrap();
    assert_eq!((second.state, second.failed_phase.as_deref()), (JobState::Failed, Some("clone")));
    let failure = second.failure.unwrap();
    assert!(failure.message.contains(VM), "{failure:?}");
    engine.cleanup(id).await.unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(scene.fingerprint().await, before, "the machine of the first deployment stays as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_blank_disks_of_one_size_neither_is_taken() {
    let ended = deploy(Differs { plug: Plug::Twins, ..Differs::default() }, |_| ()).await;
    ended.failed("zfs_create", "2 blank disks", "disk.EnableUUID").attempts(1).await;
    let appliance = &ended.scene.sites.as_ref().unwrap().appliance;
    assert!(appliance.commands().iter().all(|command| !command.contains("zpool create")));
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_cannot_be_made_is_tried_three_times() {
    let faults = vec![FaultRule {
        command: "zpool create".to_owned(),
        exit: Some(1),
        stderr: "cannot create 'tank': one or more devices is currently unavailable".to_owned(),
        ..FaultRule::default()
    }];
    let ended = deploy(Differs { faults, ..Differs::default() }, |_| ()).await;
    ended.failed("zfs_create", "currently unavailable", "lsblk").attempts(3).await;
    ended.waited(10..=20).cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_not_online_is_told_with_what_zpool_says_of_it() {
    let (world, place) = (DeployWorld::that_differs(Differs::default()), tempfile::tempdir().unwrap());
    let scene = world.start(place.path()).await;
    let appliance = Arc::clone(&scene.sites.as_ref().unwrap().appliance);
    // From when there is one, until the job has ended.
    let breaking = tokio::spawn({
        let appliance = Arc::clone(&appliance);
        async move {
            loop {
                appliance.set_pool_health("tank", PoolHealth::Degraded);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let ended = deploy_in(world, place, scene, |_| ()).await;
    breaking.abort();
    ended.failed("zfs_create", "The pool tank is not ONLINE", "guest's kernel log").attempts(3).await;
    let said = &ended.job.failure.as_ref().unwrap().message;
    assert!(said.contains("state: DEGRADED"), "{said}");
    ended.waited(10..=20);
    appliance.set_pool_health("tank", PoolHealth::Online);
    ended.cleans_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_refuse_are_warned_about_and_the_others_mount_it() {
    let rules = vec![on_host("esx02.alpha.example")];
    let (world, place) =
        (DeployWorld::that_differs(Differs { rules, ..Differs::default() }), tempfile::tempdir().unwrap());
    let scene = world.start(place.path()).await;
    let ended = deploy_in(world, place, scene, |_| ()).await;
    assert_eq!(ended.job.state, JobState::Succeeded, "{:?}", ended.job.failure);
    let warning = ended.job.warnings.join(" ");
    assert!(
        warning.contains("Mount failed on esx02.alpha.example") && warning.contains("firewall"),
        "{warning}"
    );
    let hosts = ended.job.result.as_ref().unwrap()["hosts"].clone();
    assert_eq!((&hosts[0]["result"], &hosts[1]["result"]), (&json!("done"), &json!("failed")), "{hosts}");
    // Three more times, ten seconds apart.
    ended.waited(30..=40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datastore_that_no_host_mounts_fails_the_job_after_four_attempts() {
    let rules = vec![fault("CreateNasDatastore", "PlatformConfigFault")];
    let ended = deploy(Differs { rules, ..Differs::default() }, |_| ()).await;
    ended
        .failed("register_datastore", "Mount failed on esx01.alpha.example, esx02.alpha.example", "firewall")
        .waited(30..=40)
        .attempts(1)
        .await
        .cleans_up()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_mounts_as_many_as_it_may_is_not_asked_again() {
    let ended = deploy(Differs { nfs_max: Some(0), ..Differs::default() }, |_| ()).await;
    ended.failed("register_datastore", "Mount failed", "").waited(0..=9).cleans_up().await;
    let lines = ended.store.console(ended.job.id, 0, 1000).await.unwrap();
    assert!(lines.iter().any(|line| line.message.contains("NFS.MaxVolumes allows 0")));
}
