//! Verbs beside the usual way of a virtual machine: names and folders, reverting, networks, guests, events, limits.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use zerfaux::domain::moref::{DatacenterRef, DatastoreRef, EsxiRef, ManagedRef, VmRef};
use zerfaux::domain::privileges::NEEDED;
use zerfaux::vsphere::verbs::{
    Addressing, CustomizationOutcome, DeviceChange, LinuxCustomization, NasMount, NfsVersion, NicAddress,
    NicConnection, NicSpec, Reconfigure, RegisterVm, RelocateVm, StaticIpv4,
};
use zerfaux::vsphere::{Client, PropertySet, Reason, Scope, VsphereError};

use crate::inventory::{first, machines};
use crate::machines::{clone_of, done, hardware, one_that_is_off, root_folder};
use crate::vcenter::Server;

async fn text(client: &Client, vm: &VmRef, path: &'static str) -> Option<String> {
    let found = client.properties(vm, VmRef::KIND, &[path]).await.unwrap();
    found.text(path).map(str::to_owned)
}

async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !check().await {
        assert!(Instant::now() < limit, "never: {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

pub async fn a_machine_is_renamed_and_moved_to_another_folder(server: &Server) {
    let client = server.client().await;
    let (_, vm) = machines(&client).await.swap_remove(0);
    let root = root_folder(&client).await;
    let folder = client.create_folder(&root, "elsewhere").await.unwrap();
    done(&client, &client.rename(&vm, "another name").await.unwrap()).await.unwrap();
    done(&client, &client.move_into_folder(&folder, &[(&vm).into()]).await.unwrap()).await.unwrap();
    assert_eq!(client.find_child(&folder, "another name").await.unwrap(), Some((&vm).into()));
    let found = client.properties(&vm, VmRef::KIND, &["name", "parent"]).await.unwrap();
    assert_eq!(found.text("name"), Some("another name"));
    assert_eq!(found.get("parent").unwrap().reference(), Some((&folder).into()));
}

pub async fn a_machine_is_reverted_to_a_snapshot(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let snapshot = async |name: &str| {
        let task = client.create_snapshot(&vm, name, "", false).await.unwrap();
        done(&client, &task).await.unwrap();
    };
    snapshot("before").await;
    let cpus = text(&client, &vm, "config.hardware.numCPU").await;
    let change = Reconfigure { cpus: Some(7), ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &change).await.unwrap()).await.unwrap();
    snapshot("after").await;
    let known = client.snapshots(&vm).await.unwrap();
    let before = known.iter().find(|one| one.name == "before").unwrap();
    done(&client, &client.revert_to_snapshot(&before.snapshot).await.unwrap()).await.unwrap();
    let current = client.properties(&vm, VmRef::KIND, &["snapshot.currentSnapshot"]).await.unwrap();
    let current = current.get("snapshot.currentSnapshot").unwrap().reference().unwrap();
    assert_eq!(current.id, before.snapshot.id());
    // vcsim keeps the hardware as it was changed.
    if server.can.duplicate_names {
        assert_eq!(text(&client, &vm, "config.hardware.numCPU").await, cpus);
    }
    for one in client.snapshots(&vm).await.unwrap().iter().rev() {
        done(&client, &client.remove_snapshot(&one.snapshot).await.unwrap()).await.unwrap();
    }
}

pub async fn a_nic_is_added_to_a_distributed_port_group_and_removed(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let before = hardware(&client, &vm).await.nics.len();
    let portgroup = first(&client, "DistributedVirtualPortgroup").await;
    let paths = ["key", "config.distributedVirtualSwitch"];
    let found = client.properties(portgroup.clone(), "DistributedVirtualPortgroup", &paths).await.unwrap();
    let switch = found.get("config.distributedVirtualSwitch").unwrap().reference().unwrap();
    let uuid = client.properties(switch, "DistributedVirtualSwitch", &["uuid"]).await.unwrap();
    let connection = NicConnection::Distributed {
        switch: uuid.text("uuid").unwrap().to_owned(),
        portgroup: found.text("key").unwrap().to_owned(),
    };
    let nic = NicSpec {
        kind: "VirtualVmxnet3".to_owned(),
        connection: connection.clone(),
        mac: Some("00:50:56:01:02:03".to_owned()),
        start_connected: true,
    };
    let add = Reconfigure { devices: vec![DeviceChange::AddNic(nic)], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &add).await.unwrap()).await.unwrap();
    let nics = hardware(&client, &vm).await.nics;
    let added = nics.iter().find(|nic| nic.mac.as_deref() == Some("00:50:56:01:02:03")).unwrap().clone();
    assert_eq!((nics.len(), NicConnection::of(&added.network)), (before + 1, Some(connection)));
    // The machine says which networks it is on.
    let networks = client.properties(&vm, VmRef::KIND, &["network"]).await.unwrap();
    let networks: Vec<_> =
        networks.get("network").unwrap().children().iter().filter_map(|one| one.reference()).collect();
    assert!(networks.contains(&portgroup), "{networks:?}");
    let remove = Reconfigure { devices: vec![DeviceChange::RemoveNic(added)], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &remove).await.unwrap()).await.unwrap();
    assert_eq!(hardware(&client, &vm).await.nics.len(), before);
}

pub fn customization(address: Option<Ipv4Addr>) -> LinuxCustomization {
    let addressing = match address {
        None => Addressing::Dhcp,
        Some(address) => Addressing::Static(StaticIpv4 {
            address,
            mask: Ipv4Addr::new(255, 255, 255, 0),
            gateways: vec![Ipv4Addr::new(10, 99, 0, 1)],
        }),
    };
    LinuxCustomization {
        host_name: "zfs-dr".to_owned(),
        domain: "local".to_owned(),
        nics: vec![NicAddress { mac: None, addressing }],
        dns_servers: vec![Ipv4Addr::new(10, 99, 0, 2).into()],
        dns_search: vec!["local".to_owned()],
    }
}

/// A Linux that is off and has one NIC.
async fn linux(server: &Server, client: &Client) -> VmRef {
    if !server.can.clone_in_one {
        return one_that_is_off(client).await;
    }
    let template = machines(client).await.into_iter().find(|(name, _)| name == "debian-12").unwrap().1;
    let clone = clone_of(client, &template, "a linux").await;
    let made = done(client, &client.clone_vm(&clone).await.unwrap()).await.unwrap();
    VmRef::new(made.unwrap().reference().unwrap().id)
}

pub async fn a_guest_is_customised_with_a_fixed_address(server: &Server) {
    let client = server.client().await;
    let vm = linux(server, &client).await;
    let address = Ipv4Addr::new(10, 99, 0, 7);
    done(&client, &client.customize(&vm, &customization(Some(address))).await.unwrap()).await.unwrap();
    done(&client, &client.power_on(&vm, None).await.unwrap()).await.unwrap();
    until("the guest has its address", async || {
        text(&client, &vm, "guest.ipAddress").await.as_deref() == Some("10.99.0.7")
    })
    .await;
    assert_eq!(text(&client, &vm, "guest.hostName").await.as_deref(), Some("zfs-dr"));
    if server.can.clone_in_one {
        // vcsim has no events of customisations.
        until("an event says so", async || {
            client.customization_outcome(&vm, 0).await.unwrap() == Some(CustomizationOutcome::Succeeded)
        })
        .await;
    }
    // Too many addresses for its NICs.
    done(&client, &client.power_off(&vm).await.unwrap()).await.unwrap();
    let mut two = customization(Some(address));
    two.nics.push(two.nics[0].clone());
    let error = match client.customize(&vm, &two).await {
        Ok(task) => done(&client, &task).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error.reason(), Some(Reason::Customization)), "{error:?}");
}

pub async fn a_guest_is_asked_to_shut_down(server: &Server) {
    let client = server.client().await;
    let vm = linux(server, &client).await;
    done(&client, &client.power_on(&vm, None).await.unwrap()).await.unwrap();
    if server.can.clone_in_one {
        until("tools run", async || {
            text(&client, &vm, "guest.toolsRunningStatus").await.as_deref() == Some("guestToolsRunning")
        })
        .await;
    }
    client.shut_down_guest(&vm).await.unwrap();
    until("it is off", async || {
        text(&client, &vm, "runtime.powerState").await.as_deref() == Some("poweredOff")
    })
    .await;
    let error = client.shut_down_guest(&vm).await.unwrap_err();
    assert!(matches!(error.reason(), Some(Reason::InvalidPowerState { .. })), "{error:?}");
}

pub async fn what_happened_to_a_machine_is_in_the_events(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    done(&client, &client.power_on(&vm, None).await.unwrap()).await.unwrap();
    let events = client.events(&vm, 100).await.unwrap();
    let on = events.iter().filter(|event| event.kind == "VmPoweredOnEvent").max_by_key(|event| event.key);
    let on = on.unwrap_or_else(|| panic!("{events:?}"));
    assert!(on.at.is_some() && on.key > 0 && !on.message.is_empty(), "{on:?}");
    assert_eq!(client.customization_outcome(&vm, 0).await.unwrap(), None);
}

pub async fn storage_is_moved_to_another_datastore(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let found = client.properties(&vm, VmRef::KIND, &["runtime.host"]).await.unwrap();
    let host = EsxiRef::new(found.get("runtime.host").unwrap().reference().unwrap().id);
    let mount = NasMount {
        remote_host: "10.9.8.7".to_owned(),
        remote_path: "/tank/zerfaux/live/three".to_owned(),
        name: "moved-to".to_owned(),
        version: NfsVersion::V3,
        read_only: false,
    };
    let other = client.create_nas_datastore(&host, &mount).await.unwrap().unwrap();
    let to = RelocateVm { datastore: Some(other.clone()), ..RelocateVm::default() };
    done(&client, &client.relocate_vm(&vm, &to).await.unwrap()).await.unwrap();
    let now = client.properties(&vm, VmRef::KIND, &["datastore"]).await.unwrap();
    let now: Vec<_> =
        now.get("datastore").unwrap().children().iter().filter_map(|one| one.reference()).collect();
    assert_eq!(now, [(&other).into()]);
    if server.can.disk_paths {
        let disk = hardware(&client, &vm).await.disks[0].clone();
        assert_eq!(disk.datastore, Some(other));
    }
}

pub async fn files_are_copied_and_moved_but_never_over_others(server: &Server) {
    let client = server.client().await;
    let (_, vm) = machines(&client).await.swap_remove(0);
    let file = hardware(&client, &vm).await.disks[0].file.clone().unwrap();
    let datacenter = DatacenterRef::new(first(&client, "Datacenter").await.id);
    let store = file.split(']').next().unwrap().to_owned() + "]";
    let (folder, copy) = (format!("{store} kept"), format!("{store} kept/copy.vmx"));
    client.make_directory(&folder, &datacenter).await.unwrap();
    let vmx = text(&client, &vm, "config.files.vmPathName").await.unwrap();
    done(&client, &client.copy_file(&vmx, &copy, &datacenter).await.unwrap()).await.unwrap();
    let error = match client.copy_file(&vmx, &copy, &datacenter).await {
        Ok(task) => done(&client, &task).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error.reason(), Some(Reason::FileAlreadyExists { .. })), "{error:?}");
    let moved = format!("{store} kept/moved.vmx");
    done(&client, &client.move_file(&copy, &moved, &datacenter).await.unwrap()).await.unwrap();
    let disk = DatastoreRef::new(hardware(&client, &vm).await.disks[0].datastore.clone().unwrap().id());
    let listed = client.search_datastore(&disk, &folder, false).await.unwrap();
    let listed = Client::read_listing(&done(&client, &listed).await.unwrap().unwrap());
    let names: Vec<_> = listed.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["moved.vmx"]);
    done(&client, &client.delete_file(&folder, &datacenter).await.unwrap()).await.unwrap();
}

pub async fn what_our_user_may_is_asked_by_name(server: &Server) {
    let client = server.client().await;
    let root = client.content().root_folder.clone();
    let wanted = ["VirtualMachine.Interact.PowerOn", "Folder.Create", "VirtualMachine.Inventory.Delete"];
    assert_eq!(client.missing_privileges(&root, &wanted).await.unwrap(), Vec::new());
}

// ---- what only vcsim can

/// vcsim's role of administrators was read from a real vCenter: an id that is not in it is one that we made up.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs vcsim: tests/run"]
async fn the_privileges_that_we_need_are_ones_that_vcenter_has() {
    let server = Server::vcsim(&[]);
    let client = server.client().await;
    let manager = ManagedRef::new("AuthorizationManager", "AuthorizationManager");
    let found = client.properties(manager, "AuthorizationManager", &["roleList"]).await.unwrap();
    let known: BTreeSet<&str> = found
        .get("roleList")
        .unwrap()
        .children()
        .iter()
        .flat_map(|role| role.all("privilege").map(|one| one.text()))
        .collect();
    assert!(known.len() >= NEEDED.len(), "{known:?}");
    let unknown: Vec<_> = NEEDED.iter().filter(|(id, _)| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

// ---- what only our own simulator can

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_question_is_answered_by_what_it_is_about() {
    let server = Server::our_own(&[]);
    let client = server.client().await;
    let vm = linux(&server, &client).await;
    let path = text(&client, &vm, "config.files.vmPathName").await.unwrap();
    let uuid = text(&client, &vm, "config.uuid").await;
    let datacenter = DatacenterRef::new(first(&client, "Datacenter").await.id);
    let place = clone_of(&client, &vm, "x").await;
    client.unregister_vm(&vm).await.unwrap();
    // Its files are moved behind vCenter's back, and it asks what happened to it.
    let (home, name) = path.rsplit_once('/').unwrap();
    let elsewhere = format!("{home} elsewhere");
    done(&client, &client.move_file(home, &elsewhere, &datacenter).await.unwrap()).await.unwrap();
    let register = RegisterVm {
        folder: place.folder,
        pool: place.pool,
        host: None,
        path: format!("{elsewhere}/{name}"),
        name: None,
    };
    let made = done(&client, &client.register_vm(&register).await.unwrap()).await.unwrap();
    let vm = VmRef::new(made.unwrap().reference().unwrap().id);
    let task = client.power_on(&vm, None).await.unwrap();
    until("it asks", async || client.question(&vm).await.unwrap().is_some()).await;
    let question = client.question(&vm).await.unwrap().unwrap();
    assert_eq!((question.message.as_str(), question.choices.len()), ("msg.uuid.altered", 3), "{question:?}");
    let wrong = client.answer_question(&vm, "no such question", "1").await.unwrap_err();
    assert!(matches!(wrong.reason(), Some(Reason::InvalidArgument { .. })), "{wrong:?}");
    let moved = question.choice("button.uuid.movedTheVM").unwrap();
    client.answer_question(&vm, &question.id, &moved.key).await.unwrap();
    done(&client, &task).await.unwrap();
    assert_eq!(client.question(&vm).await.unwrap(), None);
    assert_eq!(text(&client, &vm, "config.uuid").await, uuid, "a moved one stays the same");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_failed_customisation_is_told_with_its_words() {
    let server = Server::our_own(&[]);
    let client = server.client().await;
    let vm = linux(&server, &client).await;
    let fail = Reconfigure {
        extra_config: vec![("sim.customization".to_owned(), "fail".to_owned())],
        ..Reconfigure::default()
    };
    done(&client, &client.reconfigure(&vm, &fail).await.unwrap()).await.unwrap();
    done(&client, &client.customize(&vm, &customization(None)).await.unwrap()).await.unwrap();
    done(&client, &client.power_on(&vm, None).await.unwrap()).await.unwrap();
    until("it is told", async || client.customization_outcome(&vm, 0).await.unwrap().is_some()).await;
    match client.customization_outcome(&vm, 0).await.unwrap() {
        Some(CustomizationOutcome::Failed { kind, message, .. }) => {
            assert!(kind.starts_with("Customization") && !message.is_empty(), "{kind}: {message}");
        }
        other => panic!("{other:?}"),
    }
    let last = client.events(&vm, 100).await.unwrap().iter().map(|event| event.key).max().unwrap();
    assert_eq!(
        client.customization_outcome(&vm, last).await.unwrap(),
        None,
        "an old event is not taken for a new one"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_move_of_storage_tells_how_far_it_is_and_stops_when_asked() {
    let server = Server::our_own(&["--pace", "1"]);
    let client = server.client().await;
    let (_, vm) = machines(&client).await.into_iter().find(|(name, _)| name == "erp01").unwrap();
    let before = hardware(&client, &vm).await.disks;
    let sets = [PropertySet { kind: "Datastore", paths: vec!["name"] }];
    let scope = Scope::everything(&client, &["Datastore"]).await.unwrap();
    let stores = client.retrieve(&sets, &scope).await.unwrap();
    let other = stores.iter().find(|one| {
        one.text("name").is_some_and(|name| name.starts_with("nfs-") || name.starts_with("san-"))
            && before[0].datastore.as_ref().is_some_and(|at| at.id() != one.object.id)
    });
    let to = RelocateVm {
        datastore: Some(DatastoreRef::new(&*other.unwrap().object.id)),
        ..RelocateVm::default()
    };
    let task = client.relocate_vm(&vm, &to).await.unwrap();
    let (cancel, percents) = (tokio_util::sync::CancellationToken::new(), std::sync::Mutex::new(Vec::new()));
    let outcome = client
        .wait_for_task(&task, "move it", &cancel, |seen| {
            let mut percents = percents.lock().unwrap();
            percents.extend(seen.percent);
            if percents.len() > 2 {
                cancel.cancel();
            }
        })
        .await;
    assert!(matches!(outcome, Err(VsphereError::Cancelled { .. })), "{outcome:?}");
    let percents = percents.into_inner().unwrap();
    assert!(
        percents.len() > 2 && percents.is_sorted() && percents.iter().all(|one| *one < 100),
        "{percents:?}"
    );
    assert_eq!(hardware(&client, &vm).await.disks, before, "it is where it was");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_host_says_how_many_nfs_datastores_it_mounts_and_sizes_are_read_anew() {
    let server = Server::our_own(&[]);
    let client = server.client().await;
    let host = EsxiRef::new(first(&client, "HostSystem").await.id);
    assert_eq!(client.max_nfs_volumes(&host).await.unwrap(), Some(64));
    let datastore = first(&client, "Datastore").await;
    client.refresh_datastore(&DatastoreRef::new(datastore.id)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn faults_from_a_file_hit_what_they_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rules = r#"[{"method": "PowerOffVM_Task", "object": "erp01", "fault": "HostNotConnected", "in_task": true, "count": 1}]"#;
    std::fs::write(file.path(), rules).unwrap();
    let server = Server::our_own(&["--faults", file.path().to_str().unwrap()]);
    let client = server.client().await;
    let (_, vm) = machines(&client).await.into_iter().find(|(name, _)| name == "erp01").unwrap();
    let error = done(&client, &client.power_off(&vm).await.unwrap()).await.unwrap_err();
    assert!(matches!(error.reason(), Some(Reason::HostUnreachable)), "{error:?}");
    done(&client, &client.power_off(&vm).await.unwrap()).await.unwrap();
}
