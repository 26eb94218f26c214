//! `/protection-groups/{id}/checkpoints/{guid}`: what was in a checkpoint.

use axum::extract::{Path, State};

use super::group_page::checkpoint;
use super::protection_groups::address;
use crate::app::AppError;
use crate::app::checkpoints::{Manifest, ManifestVm, Read, Rest};
use crate::domain::dataset::Guid;
use crate::domain::hardware::{Firmware, Nic, NicNetwork};
use crate::domain::ids::GroupId;
use crate::domain::machine::Machine;
use crate::domain::size::format_bytes;
use crate::web::cx::{Cx, sentence};
use crate::web::screens::checkpoints::{CheckpointDisk, CheckpointPage, CheckpointVm};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Status, html};
use crate::web::{Answer, Site};

const MIB: u64 = 1 << 20;

pub(crate) async fn one(
    State(site): State<Site>,
    cx: Cx,
    Path((id, guid)): Path<(GroupId, String)>,
) -> Answer {
    let group = site.app.protection_group(id).await?;
    let number =
        guid.parse().map(Guid).map_err(|_| AppError::NotFound(format!("there is no checkpoint {guid}")))?;
    let (found, manifest) = site.app.checkpoint(id, number).await?;
    let row = checkpoint(&cx, id, &found);
    let mut page = cx.page(format!("Checkpoint of {}", group.name), Area::Protection);
    page.crumbs = vec![
        Link { label: group.name, address: address(id) },
        Link { label: "Checkpoints".to_owned(), address: format!("{}/checkpoints", address(id)) },
    ];
    let fact = |name: &str, text: &str| (name.to_owned(), html::text(text));
    let mut facts = vec![
        ("Taken".to_owned(), row.taken),
        fact("Kind", row.kind),
        fact("Snapshot", &row.snapshot),
        fact("GUID", &guid),
        fact("Sent", &row.bytes),
        fact("Complete after", &row.took),
    ];
    if let Some(kept) = manifest.as_ref().filter(|kept| kept.group_name != group_name(&page)) {
        facts.push(fact("The group was called", &kept.group_name));
    }
    let vms = manifest.map(|manifest| manifest.vms.iter().map(|vm| machine(&manifest, vm)).collect());
    cx.draw(&CheckpointPage { page, status: row.status, facts, vms })
}

/// What the group is called now.
fn group_name(page: &crate::web::view::Page) -> &str {
    page.crumbs.first().map(|link| link.label.as_str()).unwrap_or_default()
}

fn machine(manifest: &Manifest, vm: &ManifestVm) -> CheckpointVm {
    let (rest, why) = match &vm.rest {
        Rest::NotAsked => (Status::new(Mark::Unknown, "as after a loss of power"), String::new()),
        Rest::Off => (Status::new(Mark::Met, "was off"), String::new()),
        Rest::Quiesced => (Status::new(Mark::Met, "was at rest"), String::new()),
        Rest::NotQuiesced { because } => (Status::new(Mark::Risk, "was not at rest"), sentence(because)),
        Rest::Other => (Status::new(Mark::Unknown, "written by a later version"), String::new()),
    };
    let read = match &vm.read {
        Read::Inventory { seen_at, because } => {
            let age = seen_at.map_or_else(String::new, |at| {
                format!(
                    ", which was {} old",
                    crate::domain::size::format_duration(manifest.taken_at.duration_since(at).unsigned_abs(),)
                )
            });
            sentence(&format!("its vCenter did not tell, so this is what was known before{age}: {because}"))
        }
        Read::Vcenter | Read::Other => String::new(),
    };
    let card = |nic: &Nic| {
        let key = nic.network.key();
        let named = key.and_then(|key| manifest.networks.get(key)).cloned();
        let network = named.unwrap_or_else(|| match &nic.network {
            NicNetwork::Standard { name, .. } => name.clone(),
            NicNetwork::Distributed { portgroup, .. } => portgroup.clone(),
            NicNetwork::Other => "none".to_owned(),
        });
        let kind = nic.kind.strip_prefix("Virtual").unwrap_or(&nic.kind).to_uppercase();
        (nic.label.clone(), kind, network, nic.mac.clone().unwrap_or_default())
    };
    CheckpointVm {
        name: vm.name.clone(),
        rest,
        remark: [why, read].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "),
        hardware: vm.machine.as_ref().map(hardware),
        disks: vm
            .disks()
            .into_iter()
            .map(|disk| CheckpointDisk {
                label: disk.label,
                size: format_bytes(disk.capacity_bytes),
                parents: disk.files.len().saturating_sub(1),
                file: disk.files.into_iter().next().unwrap_or_default(),
            })
            .collect(),
        nics: vm.machine.iter().flat_map(|machine| &machine.hardware.nics).map(card).collect(),
    }
}

/// The hardware in one line.
fn hardware(machine: &Machine) -> String {
    let cpus = if machine.cpus == 1 { "1 CPU".to_owned() } else { format!("{} CPUs", machine.cpus) };
    let firmware = match (machine.firmware, machine.secure_boot) {
        (Firmware::Bios, _) => "BIOS",
        (Firmware::Efi, false) => "UEFI",
        (Firmware::Efi, true) => "UEFI with secure boot",
    };
    let memory = format_bytes(machine.memory_mib.saturating_mul(MIB));
    let guest = machine.guest_id.as_deref().map_or_else(String::new, |id| format!(", {id}"));
    let version = machine.version.map_or_else(String::new, |number| format!(", hardware version {number}"));
    format!("{cpus}, {memory}, {firmware}{version}{guest}")
}
