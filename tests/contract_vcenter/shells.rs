//! What a DR shell needs: a virtual machine made with all of another one's hardware, read back, and existing disks attached to
//! and detached from controllers of several sorts.

use zerfaux::domain::hardware::{Firmware, MacRange};
use zerfaux::domain::moref::VmRef;
use zerfaux::vsphere::verbs::{
    AttachDisk, CreateVm, DeviceChange, NewDisk, NicConnection, NicSpec, Reconfigure,
};

use crate::inventory::machines;
use crate::machines::{clone_of, done, hardware, one_that_is_off};
use crate::vcenter::Server;

/// Addresses that a person typed, and that a vCenter gave.
const MACS: [&str; 2] = ["00:50:56:01:02:03", "00:50:56:8a:0b:0c"];

pub async fn a_machine_is_made_with_the_hardware_that_was_asked_for(server: &Server) {
    let client = server.client().await;
    let source = one_that_is_off(&client).await;
    let place = clone_of(&client, &source, "x").await;
    let home = hardware(&client, &source).await.disks[0].file.clone().unwrap();
    let home = home.split(']').next().unwrap().to_owned() + "]";
    let nic = |mac: &str| {
        DeviceChange::AddNic(NicSpec {
            kind: "VirtualVmxnet3".to_owned(),
            connection: NicConnection::Standard { name: "VM Network".to_owned() },
            mac: Some(mac.to_owned()),
            start_connected: true,
        })
    };
    let controller = |key, kind: &str, bus| DeviceChange::AddController { key, kind: kind.to_owned(), bus };
    let config = Reconfigure {
        name: Some("a shell".to_owned()),
        version: Some("vmx-13".to_owned()),
        guest_id: Some("otherLinux64Guest".to_owned()),
        cpus: Some(4),
        cores_per_socket: Some(2),
        memory_mib: Some(512),
        firmware: Some(Firmware::Efi),
        devices: vec![
            controller(-1, "ParaVirtualSCSIController", 0),
            controller(-2, "VirtualLsiLogicSASController", 1),
            nic(MACS[0]),
            nic(MACS[1]),
        ],
        extra_config: vec![("disk.EnableUUID".to_owned(), "TRUE".to_owned())],
        ..Reconfigure::default()
    };
    let (folder, pool) = (place.folder, place.pool);
    let create = CreateVm { folder, pool, host: None, home, config };
    let made = done(&client, &client.create_vm(&create).await.unwrap()).await.unwrap();
    let vm = VmRef::new(made.unwrap().reference().unwrap().id);

    let shell = client.machine(&vm).await.unwrap();
    assert_eq!((shell.name.as_str(), shell.version, shell.firmware), ("a shell", Some(13), Firmware::Efi));
    assert_eq!((shell.cpus, shell.cores_per_socket, shell.memory_mib), (4, 2, 512));
    assert!(shell.shows_disk_uuids && !shell.is_encrypted && !shell.template && !shell.has_snapshot);
    assert_eq!((shell.guest_id.as_deref(), shell.hardware.disks.len()), (Some("otherLinux64Guest"), 0));
    let macs: Vec<_> =
        shell.hardware.nics.iter().map(|nic| (nic.mac.clone().unwrap(), nic.mac_is_manual)).collect();
    let expected: Vec<_> =
        MACS.iter().map(|mac| ((*mac).to_owned(), MacRange::of(mac) == MacRange::Free)).collect();
    assert_eq!(macs, expected, "addresses are kept, by the rule of their range");
    let controllers: Vec<_> =
        shell.hardware.controllers.iter().map(|one| (one.kind.as_str(), one.bus)).collect();
    for wanted in [("ParaVirtualSCSIController", 0), ("VirtualLsiLogicSASController", 1)] {
        assert!(controllers.contains(&wanted), "{wanted:?} in {controllers:?}");
    }

    // Disks that are there are attached at places of several controllers in one request, and detached again.
    let key = |kind: &str| shell.hardware.controllers.iter().find(|one| one.kind == kind).unwrap().key;
    let places = [(key("ParaVirtualSCSIController"), 8), (key("VirtualLsiLogicSASController"), 3)];
    let new = places.map(|(controller, unit)| {
        let disk = NewDisk { controller, unit, capacity_bytes: 4 << 20, thin: true, file: None };
        DeviceChange::AddDisk(disk)
    });
    let change = |devices: Vec<DeviceChange>| Reconfigure { devices, ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &change(new.to_vec())).await.unwrap()).await.unwrap();
    let disks = hardware(&client, &vm).await.disks;
    let detach = change(disks.iter().cloned().map(DeviceChange::DetachDisk).collect());
    done(&client, &client.reconfigure(&vm, &detach).await.unwrap()).await.unwrap();
    assert_eq!(hardware(&client, &vm).await.disks, Vec::new());
    let attach = disks.iter().map(|disk| {
        let (controller, unit) = (disk.controller, disk.unit);
        let file = disk.file.clone().unwrap();
        DeviceChange::AttachDisk(AttachDisk { controller, unit, file, capacity_bytes: None })
    });
    done(&client, &client.reconfigure(&vm, &change(attach.collect())).await.unwrap()).await.unwrap();
    let attached = hardware(&client, &vm).await.disks;
    let at: Vec<_> = attached.iter().map(|disk| (disk.controller, disk.unit)).collect();
    assert_eq!(at, places.to_vec());
    if server.can.disk_paths {
        // The server has read it from the file. vcsim says nothing where nothing was said.
        assert!(attached.iter().all(|disk| disk.capacity_bytes == 4 << 20), "{attached:?}");
    }
}

pub async fn machines_are_read_together_and_as_they_were_at_a_snapshot(server: &Server) {
    let client = server.client().await;
    let vms: Vec<VmRef> = machines(&client).await.into_iter().map(|(_, vm)| vm).take(2).collect();
    let found = client.machines(&vms).await.unwrap();
    assert_eq!(found.len(), vms.len());
    for now in &found {
        assert_eq!(now.machine, client.machine(&now.vm).await.unwrap());
        assert_ne!(now.power, zerfaux::domain::hardware::PowerState::Unknown);
    }
    let before = &found[0];
    let task = client.create_snapshot(&before.vm, "zerfaux-x", "for a checkpoint", false).await.unwrap();
    done(&client, &task).await.unwrap();
    let all = client.snapshots_of(&vms).await.unwrap();
    let (_, snapshots) = all.iter().find(|(vm, _)| *vm == before.vm).unwrap();
    assert_eq!((all.len(), snapshots.len(), snapshots[0].name.as_str()), (vms.len(), 1, "zerfaux-x"));
    // The disks that it froze, and not those that are written to since.
    let then = client.machine_at(&snapshots[0].snapshot, &before.machine.name).await.unwrap();
    let files = |machine: &zerfaux::domain::machine::Machine| {
        machine.hardware.disks.iter().map(|disk| (disk.key, disk.file.clone())).collect::<Vec<_>>()
    };
    assert_eq!(files(&then), files(&before.machine));
    assert_eq!(
        (then.instance_uuid.clone(), then.cpus),
        (before.machine.instance_uuid.clone(), before.machine.cpus)
    );
    done(&client, &client.remove_snapshot(&snapshots[0].snapshot).await.unwrap()).await.unwrap();
    assert_eq!(files(&client.machine(&before.vm).await.unwrap()), files(&before.machine));
}
