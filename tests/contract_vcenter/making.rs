//! What a recovery does: a virtual machine made around disks that are there already, its firmware, a guest brought to
//! rest, a datastore on several hosts.

use std::time::{Duration, Instant};

use zerfaux::domain::hardware::Firmware;
use zerfaux::domain::moref::{DatastoreRef, EsxiRef, VmRef};
use zerfaux::vsphere::verbs::{
    AttachDisk, CreateVm, DeviceChange, NasMount, NewDisk, NfsVersion, NicConnection, NicSpec, Reconfigure,
};
use zerfaux::vsphere::{Node, PropertySet, Reason, Scope};

use crate::inventory::machines;
use crate::machines::{clone_of, done, hardware, one_that_is_off};
use crate::vcenter::Server;

pub async fn a_machine_is_made_around_a_disk_that_is_there_and_destroyed_without_it(server: &Server) {
    let client = server.client().await;
    let source = one_that_is_off(&client).await;
    let (controller, unit) = hardware(&client, &source).await.free_scsi_unit().unwrap();
    let new = NewDisk { controller, unit, capacity_bytes: 8 << 20, thin: true, file: None };
    let add = Reconfigure { devices: vec![DeviceChange::AddDisk(new)], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&source, &add).await.unwrap()).await.unwrap();
    let disks = hardware(&client, &source).await.disks;
    let disk = disks.into_iter().find(|disk| (disk.controller, disk.unit) == (controller, unit)).unwrap();
    let file = disk.file.clone().unwrap();
    let detach = Reconfigure { devices: vec![DeviceChange::DetachDisk(disk)], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&source, &detach).await.unwrap()).await.unwrap();

    let place = clone_of(&client, &source, "x").await;
    let datastore = file.split(']').next().unwrap().to_owned() + "]";
    let config = Reconfigure {
        name: Some("around a disk".to_owned()),
        guest_id: Some("otherLinux64Guest".to_owned()),
        cpus: Some(2),
        memory_mib: Some(256),
        firmware: Some(Firmware::Efi),
        devices: vec![
            DeviceChange::AddController { key: -1, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 },
            DeviceChange::AttachDisk(AttachDisk {
                controller: -1,
                unit: 0,
                file: file.clone(),
                capacity_bytes: Some(8 << 20),
            }),
            DeviceChange::AddNic(NicSpec {
                kind: "VirtualVmxnet3".to_owned(),
                connection: NicConnection::Standard { name: "VM Network".to_owned() },
                mac: None,
                start_connected: true,
            }),
        ],
        ..Reconfigure::default()
    };
    let create = CreateVm {
        folder: place.folder.clone(),
        pool: place.pool.clone(),
        host: None,
        home: datastore,
        config,
    };
    let made = done(&client, &client.create_vm(&create).await.unwrap()).await.unwrap();
    let vm = VmRef::new(made.unwrap().reference().unwrap().id);
    let now = hardware(&client, &vm).await;
    assert_eq!(
        (now.disks.len(), now.disks[0].file.as_deref(), now.nics.len()),
        (1, Some(&*file), 1),
        "{now:?}"
    );
    let paths = ["config.firmware", "config.hardware.numCPU"];
    let found = client.properties(&vm, VmRef::KIND, &paths).await.unwrap();
    assert_eq!((found.text(paths[0]), found.text(paths[1])), (Some("efi"), Some("2")));

    // It goes away, the disk stays: detached first, looked at, destroyed then.
    let detach = DeviceChange::DetachDisk(now.disks[0].clone());
    let detach = Reconfigure { devices: vec![detach], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &detach).await.unwrap()).await.unwrap();
    assert_eq!(hardware(&client, &vm).await.disks, Vec::new());
    done(&client, &client.destroy_vm(&vm).await.unwrap()).await.unwrap();
    let gone = client.properties(&vm, VmRef::KIND, &["name"]).await.unwrap_err();
    assert!(matches!(gone.reason(), Some(Reason::ObjectNotFound { .. })), "{gone:?}");
    let attach =
        DeviceChange::AttachDisk(AttachDisk { controller, unit, file, capacity_bytes: Some(8 << 20) });
    let attach = Reconfigure { devices: vec![attach], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&source, &attach).await.unwrap()).await.unwrap();
}

pub async fn firmware_and_remarks_are_changed(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    for firmware in [Firmware::Efi, Firmware::Bios] {
        let change = Reconfigure {
            firmware: Some(firmware),
            annotation: Some(format!("boots by {}", firmware.as_str())),
            ..Reconfigure::default()
        };
        done(&client, &client.reconfigure(&vm, &change).await.unwrap()).await.unwrap();
        let found =
            client.properties(&vm, VmRef::KIND, &["config.firmware", "config.annotation"]).await.unwrap();
        assert_eq!(found.text("config.firmware"), Some(firmware.as_str()));
        assert_eq!(found.text("config.annotation"), Some(format!("boots by {}", firmware.as_str()).as_str()));
    }
}

pub async fn a_guest_is_brought_to_rest_and_what_was_left_is_found(server: &Server) {
    let client = server.client().await;
    let (_, vm) = machines(&client)
        .await
        .into_iter()
        .find(|(name, _)| !server.can.clone_in_one || name == "erp01")
        .unwrap();
    let state = client.properties(&vm, VmRef::KIND, &["runtime.powerState"]).await.unwrap();
    if state.text("runtime.powerState") != Some("poweredOn") {
        done(&client, &client.power_on(&vm, None).await.unwrap()).await.unwrap();
    }
    if server.can.clone_in_one {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let tools = client.properties(&vm, VmRef::KIND, &["guest.toolsRunningStatus"]).await.unwrap();
            if tools.text("guest.toolsRunningStatus") == Some("guestToolsRunning") {
                break;
            }
            assert!(Instant::now() < limit, "tools never run");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for (name, quiesced) in [("zx-left-1", true), ("somebody's", false), ("zx-left-2", true)] {
        let task = client.create_snapshot(&vm, name, "", quiesced).await.unwrap();
        done(&client, &task).await.unwrap();
    }
    let known = client.snapshots(&vm).await.unwrap();
    assert_eq!(known.iter().map(|one| one.quiesced).collect::<Vec<_>>(), [true, false, true], "{known:?}");
    // Ours go, theirs stays, in any order.
    for one in known.iter().filter(|one| one.name.starts_with("zx-")) {
        done(&client, &client.remove_snapshot(&one.snapshot).await.unwrap()).await.unwrap();
    }
    let left: Vec<_> = client.snapshots(&vm).await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(left, ["somebody's"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn an_export_on_two_hosts_is_one_datastore_until_both_let_it_go() {
    let server = Server::our_own(&[]);
    let client = server.client().await;
    let sets = [PropertySet { kind: "HostSystem", paths: vec!["name"] }];
    let scope = Scope::everything(&client, &["HostSystem"]).await.unwrap();
    let hosts = client.retrieve(&sets, &scope).await.unwrap();
    let hosts: Vec<_> = hosts.into_iter().take(2).map(|one| EsxiRef::new(one.object.id)).collect();
    let mount = NasMount {
        remote_host: "10.9.8.7".to_owned(),
        remote_path: "/tank/zerfaux/live/two".to_owned(),
        name: "on-two-hosts".to_owned(),
        version: NfsVersion::V3,
        read_only: false,
    };
    let first = client.create_nas_datastore(&hosts[0], &mount).await.unwrap().unwrap();
    // Newer servers answer the second mount with an empty reference.
    if let Some(second) = client.create_nas_datastore(&hosts[1], &mount).await.unwrap() {
        assert_eq!(second, first);
    }
    let mounted = async || {
        let found = client.properties(&first, DatastoreRef::KIND, &["host"]).await?;
        let on = found.get("host").map(Node::children).unwrap_or_default();
        let mut on: Vec<_> = on.iter().filter_map(|mount| mount.string_at("key")).collect();
        on.sort();
        Ok::<_, zerfaux::vsphere::VsphereError>(on)
    };
    let mut both: Vec<_> = hosts.iter().map(|host| host.id().to_owned()).collect();
    both.sort();
    assert_eq!(mounted().await.unwrap(), both);
    client.remove_datastore(&hosts[0], &first).await.unwrap();
    assert_eq!(mounted().await.unwrap(), [hosts[1].id()]);
    client.remove_datastore(&hosts[1], &first).await.unwrap();
    let gone = mounted().await.unwrap_err();
    assert!(matches!(gone.reason(), Some(Reason::ObjectNotFound { .. })), "{gone:?}");
}
