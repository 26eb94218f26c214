//! Reading the inventory, and following it.

use std::time::Duration;

use zerfaux::domain::moref::{ManagedRef, VmRef};
use zerfaux::vsphere::{Change, Client, PropertySet, Scope, UpdateStream, VsphereError};

use crate::vcenter::Server;

/// All virtual machines by name.
pub async fn machines(client: &Client) -> Vec<(String, VmRef)> {
    let sets = [PropertySet { kind: "VirtualMachine", paths: vec!["name"] }];
    let scope = Scope::everything(client, &["VirtualMachine"]).await.unwrap();
    let found = client.retrieve(&sets, &scope).await.unwrap();
    scope.close(client).await;
    let mut all: Vec<_> = found
        .into_iter()
        .map(|one| (one.text("name").unwrap().to_owned(), VmRef::new(one.object.id)))
        .collect();
    all.sort();
    all
}

/// The first object of a type.
pub async fn first(client: &Client, kind: &'static str) -> ManagedRef {
    let sets = [PropertySet { kind, paths: vec!["name"] }];
    let scope = Scope::everything(client, &[kind]).await.unwrap();
    let mut found = client.retrieve(&sets, &scope).await.unwrap();
    found.sort_by_key(|one| one.text("name").unwrap_or_default().to_owned());
    found.swap_remove(0).object
}

pub async fn everything_is_read_with_its_properties(server: &Server) {
    let client = server.client().await;
    let sets = [
        PropertySet {
            kind: "VirtualMachine",
            paths: vec!["name", "runtime.powerState", "config.hardware.device"],
        },
        PropertySet { kind: "HostSystem", paths: vec!["name", "datastore"] },
        PropertySet { kind: "Datastore", paths: vec!["name", "summary.capacity"] },
    ];
    let scope = Scope::everything(&client, &["VirtualMachine", "HostSystem", "Datastore"]).await.unwrap();
    let found = client.retrieve(&sets, &scope).await.unwrap();
    let of = |kind: &'static str| found.iter().filter(move |one| one.object.kind == kind);
    assert!(
        of("VirtualMachine").count() >= 2 && of("HostSystem").count() >= 1 && of("Datastore").count() >= 1
    );
    for vm in of("VirtualMachine") {
        assert!(["poweredOn", "poweredOff"].contains(&vm.text("runtime.powerState").unwrap()));
        let hardware = zerfaux::vsphere::read_hardware(vm.get("config.hardware.device").unwrap());
        assert!(!hardware.disks.is_empty() && !hardware.controllers.is_empty(), "{hardware:?}");
        for disk in &hardware.disks {
            assert!(disk.file.as_ref().unwrap().starts_with('['), "{disk:?}");
            assert!(hardware.controllers.iter().any(|one| one.key == disk.controller), "{hardware:?}");
        }
    }
    for datastore in of("Datastore") {
        assert!(datastore.text("summary.capacity").unwrap().parse::<u64>().unwrap() > 0);
    }
}

pub async fn what_is_unset_is_neither_there_nor_missing(server: &Server) {
    let client = server.client().await;
    let (_, vm) = machines(&client).await.swap_remove(0);
    let found = client.properties(&vm, "VirtualMachine", &["name", "snapshot"]).await.unwrap();
    assert!(found.get("name").is_some() && found.get("snapshot").is_none());
    assert_eq!(found.missing, Vec::<String>::new());
}

pub async fn paths_of_names_are_found(server: &Server) {
    let client = server.client().await;
    let (name, vm) = machines(&client).await.swap_remove(0);
    let uuids =
        client.properties(&vm, "VirtualMachine", &["config.uuid", "config.instanceUuid"]).await.unwrap();
    for (path, instance) in [("config.uuid", false), ("config.instanceUuid", true)] {
        let found = client.find_vms_by_uuid(uuids.text(path).unwrap(), instance).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&vm), "{name} by {path}");
    }
    let nobody = "00000000-0000-0000-0000-00000000dead";
    assert_eq!(client.find_vms_by_uuid(nobody, true).await.unwrap(), Vec::new());
}

pub async fn changes_arrive_by_the_stream(server: &Server) {
    let (client, other) = (server.client().await, server.client().await);
    let sets = [PropertySet { kind: "VirtualMachine", paths: vec!["name", "runtime.powerState"] }];
    let scope = Scope::everything(&client, &["VirtualMachine"]).await.unwrap();
    let mut stream = UpdateStream::open(&client, &sets, &scope).await.unwrap();
    let mut entered = Vec::new();
    loop {
        let updates = stream.next(Duration::from_secs(5)).await.unwrap();
        assert!(updates.objects.iter().all(|one| one.change == Change::Entered));
        entered.extend(updates.objects.into_iter().map(|one| one.object));
        if !updates.truncated {
            break;
        }
    }
    let known = machines(&other).await;
    assert_eq!(entered.len(), known.len());

    // Nothing changes: an empty answer, within the time.
    assert_eq!(stream.next(Duration::from_secs(1)).await.unwrap().objects, Vec::new());

    let (_, vm) = &known[0];
    let state = other.properties(vm, "VirtualMachine", &["runtime.powerState"]).await.unwrap();
    let task = match state.text("runtime.powerState") {
        Some("poweredOn") => other.power_off(vm).await.unwrap(),
        _ => other.power_on(vm, None).await.unwrap(),
    };
    crate::machines::done(&other, &task).await.unwrap();
    let began = std::time::Instant::now();
    let update = loop {
        let updates = stream.next(Duration::from_secs(5)).await.unwrap();
        if let Some(update) = updates.objects.into_iter().find(|one| one.object == ManagedRef::from(vm)) {
            break update;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the change did not arrive");
    };
    assert_eq!(update.change, Change::Modified);
    let now = update.get("runtime.powerState").unwrap().text().to_owned();
    assert_ne!(Some(now.as_str()), state.text("runtime.powerState"));
    stream.close().await;
}

/// A view that is gone is said to be gone; it does not look like an empty inventory.
#[tokio::test]
#[ignore = "needs vcsim: tests/run"]
async fn a_lost_session_takes_its_views_along() {
    let server = Server::vcsim(&[]);
    let client = server.client().await;
    let scope = Scope::everything(&client, &["VirtualMachine"]).await.unwrap();
    client.log_out().await.unwrap();
    let sets = [PropertySet { kind: "VirtualMachine", paths: vec!["name"] }];
    let error = client.retrieve(&sets, &scope).await.unwrap_err();
    assert!(matches!(error, VsphereError::Fault { .. }), "{error:?}");
}
