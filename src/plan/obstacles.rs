//! What would hurt a protection group later, said before: each obstacle names the object, why it hurts, and what to do.

use serde::Serialize;

use crate::domain::inventory::{Datastore, DiskPlace, Drift, NfsExport, Vm};
use crate::domain::names::DatasetName;
pub use crate::domain::preflight::DatasetSeen;

/// Something that would hurt later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// A name for programs.
    pub kind: &'static str,
    /// What it is about.
    pub object: String,
    /// Why it hurts, as a sentence.
    pub why: String,
    /// What to do about it, as a sentence.
    pub advice: String,
}

/// A virtual machine of the group, or one that lives on its datastore.
#[derive(Debug, Clone)]
pub struct VmOn<'a> {
    /// As the inventory saw it.
    pub vm: &'a Vm,
    /// Its disks.
    pub disks: Vec<DiskPlace>,
    /// Whether the group protects it.
    pub protected: bool,
}

/// Whether Zerfaux can open what is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKept {
    /// It has no key of this group.
    #[default]
    No,
    /// It has one that no appliance has taken yet.
    Untried,
    /// It has one that an appliance took.
    Yes,
}

/// What is known of a group.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Its dataset.
    pub dataset: &'a DatasetName,
    /// What hosts mount.
    pub export: Option<&'a NfsExport>,
    /// The datastores of its vCenter.
    pub datastores: &'a [Datastore],
    /// Its virtual machines, and the others on its datastore.
    pub vms: &'a [VmOn<'a>],
    /// The dataset as the appliance showed it; or why that was not looked at.
    pub seen: Result<DatasetSeen, String>,
    /// Whether Zerfaux keeps its key.
    pub key: KeyKept,
}

/// All of them: of the dataset, of the datastore, of each virtual machine.
pub fn obstacles(facts: &Facts<'_>) -> Vec<Obstacle> {
    let mut all = dataset(facts);
    all.extend(datastore(facts));
    for on in facts.vms {
        if on.protected {
            all.extend(of_vm(facts, on));
        } else {
            all.push(obstacle(
                "other_vm",
                &on.vm.name,
                "It lives on the group's datastore and is not in the group: it is replicated with it, and it stays behind \
                 when the group is recovered.",
                "Add it to the group, or move it to another datastore.",
            ));
        }
    }
    all
}

fn obstacle(kind: &'static str, object: &str, why: impl Into<String>, advice: impl Into<String>) -> Obstacle {
    Obstacle { kind, object: object.to_owned(), why: why.into(), advice: advice.into() }
}

fn dataset(facts: &Facts<'_>) -> Vec<Obstacle> {
    let name = facts.dataset.as_str();
    let seen = match &facts.seen {
        Err(why) => {
            let why = format!("The appliance was not asked about it: {why}");
            return vec![obstacle(
                super::preflight::NOT_LOOKED_AT,
                name,
                why,
                "Test the appliance, then look again.",
            )];
        }
        Ok(seen) if !seen.exists => {
            let why = "The source appliance has no dataset of this name, so nothing can be replicated.";
            return vec![obstacle(
                "no_dataset",
                name,
                why,
                "Create the protection datastore, or correct the group.",
            )];
        }
        Ok(seen) => seen,
    };
    let mut all: Vec<Obstacle> = seen
        .children
        .iter()
        .map(|child| {
            obstacle(
                "child_dataset",
                child.as_str(),
                "Hosts do not see into a dataset below an NFS export, and a snapshot of the group does not have it: what is \
                 on it is not protected.",
                "Move what is on it into the group's dataset, then remove it; or give it a group of its own.",
            )
        })
        .collect();
    if seen.encrypted && facts.key == KeyKept::No {
        all.push(obstacle(
            "encryption",
            name,
            "It is encrypted, and Zerfaux has no key for it: the group is not recoverable without a key. The replica is sent \
             raw, and nothing on it can be read at the DR side.",
            "Enter the key on the settings page of the group; or load it on the DR appliance whenever the group is recovered.",
        ));
    } else if seen.encrypted && facts.key == KeyKept::Untried {
        all.push(obstacle(
            "encryption_untried",
            name,
            "It is encrypted, and the key that Zerfaux keeps was never tried: when it was entered no appliance answered.",
            "Enter the key once more on the settings page of the group while the appliances answer.",
        ));
    }
    all
}

fn datastore(facts: &Facts<'_>) -> Vec<Obstacle> {
    let Some(export) = facts.export else {
        return vec![obstacle(
            "no_datastore",
            facts.dataset.as_str(),
            "No datastore of the source vCenter is an export of this dataset, so no virtual machine can be on it.",
            "Mount it as a datastore on the hosts, then synchronise the vCenter.",
        )];
    };
    let same = |one: &&Datastore| one.nfs.as_ref() == Some(export);
    let mut all = Vec::new();
    for datastore in facts.datastores.iter().filter(same) {
        if datastore.kind.eq_ignore_ascii_case("NFS41") {
            all.push(obstacle(
                "nfs41",
                &datastore.name,
                "It mounts the group's export by NFS 4.1. Hosts that mount one export by 3 and by 4.1 do not see each \
                 other's locks, and damage disks.",
                "Mount it by NFS 3 on every host.",
            ));
        }
        if !datastore.accessible {
            let why = "The vCenter cannot reach it: virtual machines on it stand still.";
            all.push(obstacle("unreachable", &datastore.name, why, "Look whether the appliance exports it."));
        }
    }
    all
}

fn of_vm(facts: &Facts<'_>, on: &VmOn<'_>) -> Vec<Obstacle> {
    let (vm, name) = (on.vm, &on.vm.name);
    let mut all = Vec::new();
    let raw: Vec<&str> =
        vm.hardware.disks.iter().filter(|disk| disk.file.is_none()).map(|disk| disk.label.as_str()).collect();
    if !raw.is_empty() {
        let why = format!(
            "{} has no file: a raw device is not on the datastore, and is not replicated.",
            raw.join(", ")
        );
        all.push(obstacle("rdm", name, why, "Turn it into a virtual disk on the protection datastore."));
    }
    if let Some(export) = facts.export {
        let disks: Vec<DiskPlace> = on.disks.iter().filter(|disk| disk.file.is_some()).cloned().collect();
        let elsewhere = match Drift::of(disks.clone(), export) {
            Drift::None => Vec::new(),
            Drift::Left => disks,
            Drift::Elsewhere { disks } => disks,
        };
        if !elsewhere.is_empty() {
            let labels: Vec<&str> = elsewhere.iter().map(|disk| disk.label.as_str()).collect();
            let why =
                format!("{} is not on the group's datastore, and is not replicated.", labels.join(", "));
            all.push(obstacle("disk_elsewhere", name, why, "Move it to the protection datastore."));
        }
        let own = facts.datastores.iter().find(|one| one.nfs.as_ref() == Some(export)).map(|one| &one.name);
        for iso in &vm.hardware.iso_files {
            if own.is_none_or(|own| !iso.starts_with(&format!("[{own}]"))) {
                let why = format!(
                    "The image {iso} is in its drive and is not replicated: at the DR side it is missing."
                );
                all.push(obstacle("iso_elsewhere", name, why, "Disconnect it."));
            }
        }
    }
    if vm.has_snapshot {
        all.push(obstacle(
            "vmware_snapshot",
            name,
            "It has a VMware snapshot. Its disks are chains of files, which grow, and which a recovery has to follow.",
            "Remove the snapshot when it is not needed any more.",
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hardware::{Disk, Hardware, PowerState};
    use crate::domain::moref::{DatastoreRef, VmRef};

    fn vm(name: &str) -> Vm {
        Vm {
            object: VmRef::new(name),
            name: name.to_owned(),
            parent: None,
            template: false,
            instance_uuid: Some(name.to_owned()),
            bios_uuid: None,
            power: PowerState::On,
            guest: None,
            guest_id: None,
            guest_host_name: None,
            guest_ip: None,
            tools: None,
            cpus: 1,
            memory_bytes: 1,
            firmware: None,
            path: None,
            host: None,
            pool: None,
            has_snapshot: false,
            has_question: false,
            datastores: Vec::new(),
            hardware: Hardware::default(),
        }
    }

    fn export() -> NfsExport {
        NfsExport { host: "10.0.0.5".to_owned(), path: "/tank/zerfaux/live/erp".to_owned() }
    }

    fn datastore(kind: &str) -> Datastore {
        Datastore {
            object: DatastoreRef::new("datastore-1"),
            name: "erp".to_owned(),
            parent: None,
            kind: kind.to_owned(),
            capacity_bytes: 1,
            free_bytes: 1,
            accessible: true,
            nfs: Some(export()),
            hosts: Vec::new(),
        }
    }

    fn place(label: &str, nfs: Option<NfsExport>) -> DiskPlace {
        DiskPlace {
            vm: VmRef::new("web"),
            disk: 2000,
            label: label.to_owned(),
            file: Some(format!("[x] {label}.vmdk")),
            capacity_bytes: 1,
            datastore: None,
            datastore_name: None,
            nfs,
            appliance: None,
        }
    }

    fn kinds(vms: &[VmOn<'_>], kind: &str, seen: Result<DatasetSeen, String>) -> Vec<&'static str> {
        let (dataset, export, datastores) =
            ("tank/zerfaux/live/erp".parse().unwrap(), export(), [datastore(kind)]);
        let facts = Facts {
            dataset: &dataset,
            export: Some(&export),
            datastores: &datastores,
            vms,
            seen,
            key: KeyKept::No,
        };
        obstacles(&facts).into_iter().map(|one| one.kind).collect()
    }

    fn well() -> Result<DatasetSeen, String> {
        Ok(DatasetSeen { exists: true, ..DatasetSeen::default() })
    }

    #[test]
    fn a_group_that_has_none_has_none() {
        let web = vm("web");
        let on = VmOn { vm: &web, disks: vec![place("Hard disk 1", Some(export()))], protected: true };
        assert_eq!(kinds(&[on], "NFS", well()), Vec::<&str>::new());
    }

    #[test]
    fn each_thing_that_hurts_later_is_named() {
        let mut web = vm("web");
        web.has_snapshot = true;
        web.hardware.iso_files = vec!["[isos] debian.iso".to_owned(), "[erp] own.iso".to_owned()];
        web.hardware.disks = vec![Disk {
            key: 2001,
            label: "Hard disk 2".to_owned(),
            controller: 1000,
            unit: 1,
            file: None,
            parents: Vec::new(),
            datastore: None,
            capacity_bytes: 1,
            thin: None,
            mode: String::new(),
            uuid: None,
        }];
        let other = vm("other");
        let vms = [
            VmOn { vm: &web, disks: vec![place("Hard disk 1", None)], protected: true },
            VmOn { vm: &other, disks: Vec::new(), protected: false },
        ];
        let child = "tank/zerfaux/live/erp/sub".parse().unwrap();
        let seen = Ok(DatasetSeen { exists: true, children: vec![child], encrypted: true });
        assert_eq!(
            kinds(&vms, "NFS41", seen),
            [
                "child_dataset",
                "encryption",
                "nfs41",
                "rdm",
                "disk_elsewhere",
                "iso_elsewhere",
                "vmware_snapshot",
                "other_vm"
            ]
        );
        assert_eq!(kinds(&[], "NFS", Ok(DatasetSeen::default())), ["no_dataset"]);
        assert_eq!(kinds(&[], "NFS", Err("no route".to_owned())), ["not_looked_at"]);
    }

    #[test]
    fn what_is_encrypted_hurts_until_a_key_of_it_was_tried() {
        let (dataset, export, datastores) = ("tank/erp".parse().unwrap(), export(), [datastore("NFS")]);
        let kinds = |key| {
            let seen = Ok(DatasetSeen { exists: true, encrypted: true, ..DatasetSeen::default() });
            let (export, datastores) = (Some(&export), &datastores[..]);
            let found = obstacles(&Facts { dataset: &dataset, export, datastores, vms: &[], seen, key });
            found.into_iter().map(|one| one.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(KeyKept::No), ["encryption"]);
        assert_eq!(kinds(KeyKept::Untried), ["encryption_untried"]);
        assert_eq!(kinds(KeyKept::Yes), Vec::<&str>::new());
    }
}
