//! Virtual machines: made, changed, powered, taken away.

use tokio_util::sync::CancellationToken;
use zerfaux::domain::hardware::{Hardware, NicNetwork};
use zerfaux::domain::moref::{DatacenterRef, PoolRef, TaskRef, VmRef};
use zerfaux::vsphere::verbs::{
    AttachDisk, CloneVm, CreateVm, DeviceChange, NewDisk, NicConnection, Reconfigure,
};
use zerfaux::vsphere::{Client, Node, Reason, VsphereError, read_hardware};

use crate::inventory::{first, machines};
use crate::vcenter::Server;

/// Waits for a task.
pub async fn done(client: &Client, task: &TaskRef) -> Result<Option<Node>, VsphereError> {
    client.wait_for_task(task, "do it", &CancellationToken::new(), |_| ()).await
}

async fn power_state(client: &Client, vm: &VmRef) -> String {
    let found = client.properties(vm, "VirtualMachine", &["runtime.powerState"]).await.unwrap();
    found.text("runtime.powerState").unwrap().to_owned()
}

pub async fn hardware(client: &Client, vm: &VmRef) -> Hardware {
    let found = client.properties(vm, "VirtualMachine", &["config.hardware.device"]).await.unwrap();
    read_hardware(found.get("config.hardware.device").unwrap())
}

/// A virtual machine that is off.
pub async fn one_that_is_off(client: &Client) -> VmRef {
    let (_, vm) = machines(client).await.swap_remove(0);
    if power_state(client, &vm).await == "poweredOn" {
        done(client, &client.power_off(&vm).await.unwrap()).await.unwrap();
    }
    vm
}

pub async fn clone_of(client: &Client, source: &VmRef, name: &str) -> CloneVm {
    let datacenter = DatacenterRef::new(first(client, "Datacenter").await.id);
    CloneVm {
        source: source.clone(),
        name: name.to_owned(),
        folder: client.vm_folder(&datacenter).await.unwrap().unwrap(),
        pool: PoolRef::new(first(client, "ResourcePool").await.id),
        datastore: None,
        host: None,
        config: None,
        customization: None,
        power_on: false,
    }
}

/// Where virtual machines' folders are made.
pub async fn root_folder(client: &Client) -> zerfaux::domain::moref::FolderRef {
    let datacenter = DatacenterRef::new(first(client, "Datacenter").await.id);
    client.vm_folder(&datacenter).await.unwrap().unwrap()
}

fn made(result: Option<Node>) -> VmRef {
    VmRef::new(result.unwrap().reference().unwrap().id)
}

pub async fn a_clone_is_a_virtual_machine_of_its_own(server: &Server) {
    let client = server.client().await;
    let source = one_that_is_off(&client).await;
    let before = machines(&client).await.len();
    let clone = clone_of(&client, &source, "a <clone> & \"more\"").await;
    let vm = made(done(&client, &client.clone_vm(&clone).await.unwrap()).await.unwrap());
    let after = machines(&client).await;
    assert_eq!(after.len(), before + 1);
    assert!(after.contains(&(clone.name.clone(), vm.clone())), "{after:?}");
    let paths = ["config.uuid", "config.instanceUuid"];
    let (one, other) = (
        client.properties(&source, "VirtualMachine", &paths).await.unwrap(),
        client.properties(&vm, "VirtualMachine", &paths).await.unwrap(),
    );
    for path in paths {
        assert_ne!(one.text(path).unwrap(), other.text(path).unwrap(), "{path}");
    }
    if server.can.disk_paths {
        assert_ne!(
            hardware(&client, &source).await.disks[0].file,
            hardware(&client, &vm).await.disks[0].file
        );
    }
    if server.can.duplicate_names {
        let error = done(&client, &client.clone_vm(&clone).await.unwrap()).await.unwrap_err();
        assert!(matches!(error.reason(), Some(Reason::DuplicateName { name, .. }) if *name == clone.name));
    }
}

pub async fn power_goes_on_and_off(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    done(&client, &client.power_on(&vm, None).await.unwrap()).await.unwrap();
    assert_eq!(power_state(&client, &vm).await, "poweredOn");
    done(&client, &client.reset(&vm).await.unwrap()).await.unwrap();
    done(&client, &client.power_off(&vm).await.unwrap()).await.unwrap();
    assert_eq!(power_state(&client, &vm).await, "poweredOff");
}

pub async fn a_task_that_fails_says_why(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let task = client.power_off(&vm).await;
    // Either at once or in the task, as servers please.
    let error = match task {
        Ok(task) => done(&client, &task).await.unwrap_err(),
        Err(error) => error,
    };
    match error.reason() {
        Some(Reason::InvalidPowerState { existing, .. }) => {
            assert_eq!(existing.as_deref(), Some("poweredOff"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("poweredOff") && !error.is_transient(), "{error}");
}

pub async fn hardware_is_changed_and_detached_files_stay(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let before = hardware(&client, &vm).await;
    let (controller, unit) = before.free_scsi_unit().unwrap();
    let add = Reconfigure {
        cpus: Some(2),
        memory_mib: Some(512),
        devices: vec![DeviceChange::AddDisk(NewDisk {
            controller,
            unit,
            capacity_bytes: 64 << 20,
            thin: true,
            file: None,
        })],
        ..Reconfigure::default()
    };
    done(&client, &client.reconfigure(&vm, &add).await.unwrap()).await.unwrap();
    let found = client
        .properties(&vm, "VirtualMachine", &["config.hardware.numCPU", "config.hardware.memoryMB"])
        .await;
    let found = found.unwrap();
    assert_eq!(
        (found.text("config.hardware.numCPU"), found.text("config.hardware.memoryMB")),
        (Some("2"), Some("512"))
    );
    let with = hardware(&client, &vm).await;
    let new =
        with.disks.iter().find(|disk| (disk.controller, disk.unit) == (controller, unit)).unwrap().clone();
    assert_eq!((with.disks.len(), new.capacity_bytes), (before.disks.len() + 1, 64 << 20));
    let file = new.file.clone().unwrap();

    let detach = Reconfigure { devices: vec![DeviceChange::DetachDisk(new)], ..Reconfigure::default() };
    done(&client, &client.reconfigure(&vm, &detach).await.unwrap()).await.unwrap();
    assert_eq!(hardware(&client, &vm).await.disks, before.disks);

    // The file is still there: it can be attached again, and a file that is not there cannot.
    let attach = |unit: i32, file: &str| Reconfigure {
        devices: vec![DeviceChange::AttachDisk(AttachDisk {
            controller,
            unit,
            file: file.to_owned(),
            capacity_bytes: Some(64 << 20),
        })],
        ..Reconfigure::default()
    };
    done(&client, &client.reconfigure(&vm, &attach(unit, &file)).await.unwrap()).await.unwrap();
    assert!(hardware(&client, &vm).await.disks.iter().any(|disk| disk.file.as_deref() == Some(&file)));
    let missing = file.replace(".vmdk", "-missing.vmdk");
    let attempt = attach(hardware(&client, &vm).await.free_scsi_unit().unwrap().1, &missing);
    let error = match client.reconfigure(&vm, &attempt).await {
        Ok(task) => done(&client, &task).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error.reason(), Some(Reason::FileNotFound { .. })), "{error:?}");
}

pub async fn a_nic_moves_between_kinds_of_networks(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let nic = hardware(&client, &vm).await.nics[0].clone();
    let portgroup = first(&client, "DistributedVirtualPortgroup").await;
    let found = client
        .properties(portgroup, "DistributedVirtualPortgroup", &["key", "config.distributedVirtualSwitch"])
        .await
        .unwrap();
    let switch = found.get("config.distributedVirtualSwitch").unwrap().reference().unwrap();
    let uuid = client.properties(switch, "DistributedVirtualSwitch", &["uuid"]).await.unwrap();
    let distributed = NicConnection::Distributed {
        switch: uuid.text("uuid").unwrap().to_owned(),
        portgroup: found.text("key").unwrap().to_owned(),
    };
    let standard = NicConnection::Standard { name: "VM Network".to_owned() };
    for connection in [standard.clone(), distributed, standard] {
        let change = Reconfigure {
            devices: vec![DeviceChange::ConnectNic(nic.clone(), connection.clone())],
            ..Reconfigure::default()
        };
        done(&client, &client.reconfigure(&vm, &change).await.unwrap()).await.unwrap();
        let now = hardware(&client, &vm).await.nics[0].clone();
        assert_eq!(NicConnection::of(&now.network), Some(connection), "{now:?}");
        assert_eq!((now.mac, now.kind), (nic.mac.clone(), nic.kind.clone()));
        assert!(!matches!(now.network, NicNetwork::Other));
    }
}

pub async fn snapshots_come_and_go(server: &Server) {
    let client = server.client().await;
    let (_, vm) = machines(&client).await.swap_remove(0);
    assert_eq!(client.snapshots(&vm).await.unwrap(), Vec::new());
    for name in ["zx-1", "zx-2"] {
        let task = client.create_snapshot(&vm, name, "for a checkpoint", false).await.unwrap();
        done(&client, &task).await.unwrap();
    }
    let found = client.snapshots(&vm).await.unwrap();
    let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((names, found[0].description.as_str()), (vec!["zx-1", "zx-2"], "for a checkpoint"));
    for one in &found {
        done(&client, &client.remove_snapshot(&one.snapshot).await.unwrap()).await.unwrap();
    }
    assert_eq!(client.snapshots(&vm).await.unwrap(), Vec::new());
}

pub async fn a_template_is_made_and_unmade(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let is_template = || async {
        let found = client.properties(&vm, "VirtualMachine", &["config.template"]).await.unwrap();
        found.get("config.template").and_then(Node::flag)
    };
    client.mark_as_template(&vm).await.unwrap();
    assert_eq!(is_template().await, Some(true));
    let mut clone = clone_of(&client, &vm, "from-template").await;
    clone.config = Some(Reconfigure { cpus: Some(4), memory_mib: Some(256), ..Reconfigure::default() });
    let from = made(done(&client, &client.clone_vm(&clone).await.unwrap()).await.unwrap());
    let cpus = client.properties(&from, "VirtualMachine", &["config.hardware.numCPU"]).await.unwrap();
    if server.can.clone_in_one {
        assert_eq!(cpus.text("config.hardware.numCPU"), Some("4"));
    }
    client.mark_as_vm(&vm, &clone.pool).await.unwrap();
    assert_eq!(is_template().await, Some(false));
}

pub async fn a_machine_is_unregistered_and_destroyed(server: &Server) {
    let client = server.client().await;
    let source = one_that_is_off(&client).await;
    let place = clone_of(&client, &source, "x").await;
    let home = hardware(&client, &source).await.disks[0].file.clone().unwrap();
    let datastore = home.split(']').next().unwrap().to_owned() + "]";
    for name in ["made-1", "made-2"] {
        let config = Reconfigure {
            name: Some(name.to_owned()),
            guest_id: Some("otherLinux64Guest".to_owned()),
            cpus: Some(1),
            memory_mib: Some(128),
            devices: vec![
                DeviceChange::AddController { key: -1, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 },
                DeviceChange::AddDisk(NewDisk {
                    controller: -1,
                    unit: 0,
                    capacity_bytes: 1 << 20,
                    thin: true,
                    file: None,
                }),
            ],
            ..Reconfigure::default()
        };
        let create = CreateVm {
            folder: place.folder.clone(),
            pool: place.pool.clone(),
            host: None,
            home: datastore.clone(),
            config,
        };
        let vm = made(done(&client, &client.create_vm(&create).await.unwrap()).await.unwrap());
        assert_eq!(hardware(&client, &vm).await.disks.len(), 1);
        if name == "made-1" {
            client.unregister_vm(&vm).await.unwrap();
        } else {
            done(&client, &client.destroy_vm(&vm).await.unwrap()).await.unwrap();
        }
        let error = client.properties(&vm, "VirtualMachine", &["name"]).await.unwrap_err();
        assert!(matches!(error.reason(), Some(Reason::ObjectNotFound { .. })), "{error:?}");
    }
}

/// A process that was killed after it had recorded the task: another client has nothing but the reference.
pub async fn a_task_is_picked_up_by_its_reference(server: &Server) {
    let client = server.client().await;
    let source = one_that_is_off(&client).await;
    let clone = clone_of(&client, &source, "picked-up").await;
    let recorded = client.clone_vm(&clone).await.unwrap().id().to_owned();
    drop(client);
    let another = server.client().await;
    let vm = made(done(&another, &TaskRef::new(recorded)).await.unwrap());
    let named: Vec<_> =
        machines(&another).await.into_iter().filter(|(name, _)| name == "picked-up").collect();
    assert_eq!(named, [("picked-up".to_owned(), vm)]);
    let error = done(&another, &TaskRef::new("task-999999")).await.unwrap_err();
    assert!(matches!(error, VsphereError::TaskLost { .. }), "{error:?}");
}

pub async fn options_are_set(server: &Server) {
    let client = server.client().await;
    let vm = one_that_is_off(&client).await;
    let set = |value: &str| Reconfigure {
        extra_config: vec![("disk.EnableUUID".to_owned(), value.to_owned())],
        ..Reconfigure::default()
    };
    let values = || async {
        let found = client.properties(&vm, "VirtualMachine", &["config.extraConfig"]).await.unwrap();
        let options = found.get("config.extraConfig").unwrap().clone();
        let of = options.children().iter().filter(|one| one.text_at("key") == Some("disk.EnableUUID"));
        of.filter_map(|one| one.string_at("value")).collect::<Vec<_>>()
    };
    done(&client, &client.reconfigure(&vm, &set("TRUE")).await.unwrap()).await.unwrap();
    assert_eq!(values().await, ["TRUE"]);
    if server.can.delete_options {
        done(&client, &client.reconfigure(&vm, &set("")).await.unwrap()).await.unwrap();
        assert_eq!(values().await, Vec::<String>::new());
    }
}

/// Only our own simulator has tasks that run for a while.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_running_task_stops_when_asked() {
    let server = Server::our_own(&[]);
    let client = server.client().await;
    let source = one_that_is_off(&client).await;
    let clone = clone_of(&client, &source, "never made").await;
    let task = client.clone_vm(&clone).await.unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = client.wait_for_task(&task, "clone it", &cancel, |_| ()).await.unwrap_err();
    assert!(matches!(error, VsphereError::Cancelled { .. }), "{error:?}");
    assert!(machines(&client).await.iter().all(|(name, _)| name != "never made"));
}
