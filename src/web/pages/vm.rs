//! `/inventory/{vcenter}/vms/{moref}`: one virtual machine, as its vCenter last told it.

use axum::extract::{Path, State};

use super::inventory::{address, power};
use crate::app::inventory::{Disk, DiskPlace, Hardware, Network, Nic, VmView};
use crate::domain::ids::VcenterId;
use crate::domain::moref::VmRef;
use crate::web::cx::Cx;
use crate::web::screens::inventory::{Readiness, VmDisk, VmNic, VmPage, VmRow};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html, size};
use crate::web::{Answer, Site};

pub(crate) async fn page(
    State(site): State<Site>,
    cx: Cx,
    Path((vcenter, moref)): Path<(VcenterId, String)>,
) -> Answer {
    let cases = site.app.vcenters()?;
    let connection = cases.get(vcenter).await?;
    let view = cases.vm_view(vcenter, &VmRef::new(moref.as_str())).await?;
    let vm = &view.vm.object;
    let mut page = cx.page(vm.name.clone(), Area::Inventory);
    page.crumbs = vec![Link { label: "Inventory".to_owned(), address: "/inventory".to_owned() }];
    let disk_bytes = vm.hardware.disks.iter().fold(0u64, |sum, disk| sum.saturating_add(disk.capacity_bytes));
    let row = VmRow {
        name: vm.name.clone(),
        address: address(vcenter, &moref),
        power: power(vm.power),
        guest: vm.guest.clone().or_else(|| vm.guest_id.clone()).unwrap_or_else(|| "unknown guest".to_owned()),
        ip: vm.guest_ip.clone(),
        cpus: vm.cpus,
        memory: size::bytes(vm.memory_bytes).to_string(),
        disks: size::bytes(disk_bytes).to_string(),
        datastore: String::new(),
        vcenter: connection.name.clone(),
        template: vm.template,
        protection: None,
        gone: view.vm.gone_at.is_some(),
    };
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let thin = vm.hardware.disks.iter().filter(|disk| disk.thin == Some(true)).count();
    let networks: Vec<&str> = view.networks.iter().flatten().map(|network| network.name.as_str()).collect();
    let figures = vec![
        ("Processors", vm.cpus.to_string(), "virtual CPUs".to_owned()),
        ("Memory", row.memory.clone(), String::new()),
        ("Disks", row.disks.clone(), {
            let disks = plural(vm.hardware.disks.len(), "disk");
            if thin > 0 { format!("{disks}, {thin} thin") } else { disks }
        }),
        ("Network", plural(vm.hardware.nics.len(), "adapter"), networks.join(", ")),
    ];
    let disks = vm.hardware.disks.iter().map(|disk| drawn_disk(&vm.hardware, disk, &view.disks)).collect();
    let nics =
        vm.hardware.nics.iter().zip(&view.networks).map(|(nic, network)| drawn_nic(nic, network.as_ref()));
    let screen = VmPage {
        page,
        figures,
        facts: facts(&view, &connection.name),
        disks,
        nics: nics.collect(),
        readiness: readiness(&view),
        gone: view.vm.gone_at.map(|at| cx.ago(at)),
        fragment: address(vcenter, &moref),
        vm: row,
    };
    if cx.wants_fragment() {
        return cx.draw(&screen.body());
    }
    cx.draw(&screen)
}

fn facts(view: &VmView, vcenter: &str) -> Vec<(String, Html)> {
    let vm = &view.vm.object;
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let tools = vm.tools.as_deref().map(|word| match word {
        "guestToolsRunning" => "running",
        "guestToolsNotRunning" => "not running",
        "guestToolsExecutingScripts" => "starting",
        other => other,
    });
    let all: [(&str, Option<&str>); 14] = [
        ("vCenter", Some(vcenter)),
        ("Host", view.host.as_deref()),
        ("Cluster", view.cluster.as_deref()),
        ("Folder", Some(view.folder.as_str()).filter(|folder| !folder.is_empty())),
        ("Resource pool", view.pool.as_deref()),
        ("Guest's name", vm.guest_host_name.as_deref()),
        ("VMware Tools", tools),
        ("Firmware", vm.firmware.map(|firmware| firmware.as_str())),
        ("Configuration", vm.path.as_deref()),
        ("Has a snapshot", Some(yes(vm.has_snapshot))),
        ("Waits for an answer", Some("yes").filter(|_| vm.has_question)),
        ("Reference", Some(vm.object.id())),
        ("Instance UUID", vm.instance_uuid.as_deref()),
        ("BIOS UUID", vm.bios_uuid.as_deref()),
    ];
    all.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), html::text(fact?)))).collect()
}

fn drawn_disk(hardware: &Hardware, disk: &Disk, places: &[DiskPlace]) -> VmDisk {
    let place = places.iter().find(|place| place.disk == disk.key);
    let nfs = place.and_then(|place| place.nfs.as_ref());
    VmDisk {
        label: disk.label.clone(),
        size: size::bytes(disk.capacity_bytes).to_string(),
        place: controller(hardware, disk),
        file: disk.file.clone().unwrap_or_else(|| "no file: a raw device".to_owned()),
        export: nfs.map(|nfs| format!("{}:{}", nfs.host, nfs.path)),
        dataset: place.and_then(|place| place.appliance.as_ref()).map(|on| match &on.dataset {
            Some(dataset) => format!("{}: {dataset}", on.name),
            None => on.name.clone(),
        }),
    }
}

/// `SCSI 0:1, ParaVirtual`.
fn controller(hardware: &Hardware, disk: &Disk) -> String {
    let Some(controller) = hardware.controllers.iter().find(|one| one.key == disk.controller) else {
        return format!("unit {}", disk.unit);
    };
    let kind = controller.kind.as_str();
    let (bus, words) = match kind {
        "ParaVirtualSCSIController" => ("SCSI", "PVSCSI"),
        "VirtualLsiLogicController" => ("SCSI", "LSI Logic"),
        "VirtualLsiLogicSASController" => ("SCSI", "LSI Logic SAS"),
        "VirtualBusLogicController" => ("SCSI", "BusLogic"),
        "VirtualNVMEController" => ("NVMe", ""),
        "VirtualAHCIController" => ("SATA", "AHCI"),
        "VirtualIDEController" => ("IDE", ""),
        other => (other, ""),
    };
    let place = format!("{bus} {}:{}", controller.bus, disk.unit);
    if words.is_empty() { place } else { format!("{place}, {words}") }
}

fn drawn_nic(nic: &Nic, network: Option<&Network>) -> VmNic {
    let kind = nic.kind.strip_prefix("Virtual").unwrap_or(&nic.kind).to_uppercase();
    let link = match nic.start_connected {
        true => Status::new(Mark::Met, "connected"),
        false => Status::new(Mark::Unknown, "not connected"),
    };
    VmNic {
        label: nic.label.clone(),
        kind,
        network: network.map_or_else(|| "unknown".to_owned(), |network| network.name.clone()),
        vlan: network.and_then(|network| network.vlan.clone()).unwrap_or_else(|| "none".to_owned()),
        mac: nic.mac.clone().unwrap_or_default(),
        link,
    }
}

/// What can be said of a virtual machine before it belongs to a group: whether it could be protected as it is.
fn readiness(view: &VmView) -> Vec<Readiness> {
    let vm = &view.vm.object;
    let line = |done: bool, what: String| Readiness { done, what, mend: None };
    let mut places: Vec<_> = view.disks.iter().collect();
    places.sort_by(|a, b| a.datastore_name.cmp(&b.datastore_name));
    places.dedup_by(|a, b| a.datastore == b.datastore);
    let names: Vec<&str> = places.iter().filter_map(|place| place.datastore_name.as_deref()).collect();
    let mut lines = vec![match names.as_slice() {
        [] => line(false, "No disk lies on a datastore that is known".to_owned()),
        [one] => line(true, format!("All disks on one datastore: {one}")),
        several => line(false, format!("Disks on one datastore: now on {}", several.join(" and "))),
    }];
    let on_nfs = !view.disks.is_empty() && view.disks.iter().all(|disk| disk.nfs.is_some());
    lines.push(line(on_nfs, "That datastore is an NFS export, so ZFS can be under it".to_owned()));
    let hidden: Vec<&str> = vm
        .hardware
        .disks
        .iter()
        .filter(|disk| disk.mode.starts_with("independent") || disk.file.is_none())
        .map(|disk| disk.label.as_str())
        .collect();
    lines.push(match hidden.as_slice() {
        [] => line(true, "Every disk can be part of a snapshot".to_owned()),
        some => line(false, format!("Independent or raw, so no snapshot has it: {}", some.join(", "))),
    });
    lines.push(line(!vm.has_snapshot, "No VMware snapshot left behind".to_owned()));
    let elsewhere = vm.hardware.iso_files.first();
    lines.push(match elsewhere {
        None => line(true, "No image in a CD drive".to_owned()),
        Some(image) => line(false, format!("An image in a CD drive: {image}")),
    });
    lines
}
