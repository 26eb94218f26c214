//! A DR shell that is given back after a failover: what of its devices has to be changed for it to be as it was before.

use crate::domain::hardware::{Disk, Hardware, MacRange, Nic, NicNetwork, datastore_path};
use crate::domain::machine::{BootItem, Machine};

/// As it was.
#[derive(Debug, Clone, Copy)]
pub struct Was<'a> {
    /// Its devices.
    pub hardware: &'a Hardware,
    /// What it tried to start from; none: not known, so it stays.
    pub boot_order: Option<&'a [BootItem]>,
}

/// A disk that is attached again, as its file lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackDisk {
    /// The key of its controller now.
    pub controller: i32,
    /// Its place there.
    pub unit: i32,
    /// `[datastore] folder/name.vmdk`.
    pub file: String,
}

/// What has to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Disks that lie on the clone: taken off, their files kept.
    pub take_off: Vec<Disk>,
    /// Disks that it had before.
    pub attach: Vec<BackDisk>,
    /// Cards that are connected as they were; each says whether it is connected when the machine starts.
    pub connect: Vec<(Nic, NicNetwork)>,
    /// Cards that it did not have.
    pub drop_nics: Vec<Nic>,
    /// Cards that it does not have any more.
    pub add_nics: Vec<Nic>,
    /// What it is to start from; empty: as its firmware likes.
    pub boot_order: Option<Vec<BootItem>>,
}

impl Changes {
    /// Whether it is as it was.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a disk, or one that it builds upon, lies on this datastore.
pub fn lies_on(disk: &Disk, datastore: &str) -> bool {
    let files = disk.file.iter().chain(&disk.parents);
    files.filter_map(|file| datastore_path(file)).any(|(on, _)| on == datastore)
}

fn is_same_network(now: &NicNetwork, was: &NicNetwork) -> bool {
    match (now, was) {
        // A server may say a network's name and not its reference.
        (NicNetwork::Standard { name, .. }, NicNetwork::Standard { name: before, .. }) => name == before,
        _ => now.key() == was.key(),
    }
}

fn is_same_card(now: &Nic, was: &Nic) -> bool {
    let address = was.mac.as_deref().filter(|mac| MacRange::of(mac) != MacRange::Generated);
    let same = address.is_none_or(|mac| now.mac.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(mac)));
    now.key == was.key && now.kind == was.kind && same
}

/// Where a disk is, by what does not change when a controller gets another key.
fn place<'a>(disk: &Disk, hardware: &'a Hardware) -> Option<(&'a str, i32, i32)> {
    let controller = hardware.controllers.iter().find(|one| one.key == disk.controller)?;
    Some((controller.kind.as_str(), controller.bus, disk.unit))
}

/// What makes a shell again what it was, and a sentence for each thing that somebody did to it and that stays, because it
/// is not known what it is for. `clone`: the datastore of the failover.
///
/// # Errors
/// If a disk cannot be attached again where it was: why.
pub fn returned(was: Was<'_>, clone: &str, now: &Machine) -> Result<(Changes, Vec<String>), String> {
    let has = &now.hardware;
    let mut changes = Changes::default();
    let mut strange = Vec::new();
    let is_back = |disk: &Disk| {
        let same = |one: &Disk| one.file == disk.file && place(one, was.hardware) == place(disk, has);
        was.hardware.disks.iter().any(same)
    };
    for disk in has.disks.iter().filter(|disk| !is_back(disk)) {
        if lies_on(disk, clone) {
            changes.take_off.push(disk.clone());
        } else {
            strange.push(format!(
                "it has the disk {}, which it did not have before; it stays",
                disk.file.as_deref().unwrap_or(&disk.label)
            ));
        }
    }
    for disk in &was.hardware.disks {
        let Some(file) = disk.file.clone() else { continue };
        let at = place(disk, was.hardware);
        let there = has.disks.iter().find(|one| at.is_some() && place(one, has) == at);
        match there {
            Some(one) if one.file.as_ref() == Some(&file) => continue,
            Some(one) if !lies_on(one, clone) => {
                return Err(format!(
                    "where {file} was there is another disk, {}",
                    one.file.as_deref().unwrap_or(&one.label)
                ));
            }
            _ => {}
        }
        let controller = at
            .and_then(|(kind, bus, _)| has.controllers.iter().find(|one| one.kind == kind && one.bus == bus));
        let controller =
            controller.ok_or_else(|| format!("the controller of {file} is not there any more"))?;
        changes.attach.push(BackDisk { controller: controller.key, unit: disk.unit, file });
    }
    for card in &has.nics {
        let Some(before) = was.hardware.nics.iter().find(|one| is_same_card(card, one)) else {
            changes.drop_nics.push(card.clone());
            continue;
        };
        let as_was = card.start_connected == before.start_connected
            && (before.network == NicNetwork::Other || is_same_network(&card.network, &before.network));
        // One that was on no network that is known stays on the one where it is.
        let network = Some(&before.network).filter(|one| **one != NicNetwork::Other).unwrap_or(&card.network);
        if !as_was && *network == NicNetwork::Other {
            strange.push(format!("{} is on a network of an unknown kind, so it stays as it is", card.label));
        } else if !as_was {
            let nic = Nic { start_connected: before.start_connected, ..card.clone() };
            changes.connect.push((nic, network.clone()));
        }
    }
    for before in &was.hardware.nics {
        if has.nics.iter().any(|card| is_same_card(card, before)) {
            continue;
        }
        if before.network == NicNetwork::Other {
            strange.push(format!("{} was removed, and its network is of an unknown kind", before.label));
        } else {
            let typed = |mac: &String| MacRange::of(mac) != MacRange::Generated;
            changes.add_nics.push(Nic { mac: before.mac.clone().filter(typed), ..before.clone() });
        }
    }
    changes.boot_order = was.boot_order.filter(|order| *order != now.boot_order).map(<[_]>::to_vec);
    Ok((changes, strange))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hardware::{Controller, Firmware};

    fn disk(file: &str, unit: i32) -> Disk {
        Disk {
            key: 2000 + unit,
            label: format!("Hard disk {unit}"),
            controller: 1000,
            unit,
            file: Some(file.to_owned()),
            parents: Vec::new(),
            datastore: None,
            capacity_bytes: 1 << 30,
            thin: None,
            mode: "persistent".to_owned(),
            uuid: None,
        }
    }

    fn nic(key: i32, network: &str, start_connected: bool) -> Nic {
        Nic {
            key,
            label: format!("Network adapter {key}"),
            kind: "VirtualVmxnet3".to_owned(),
            mac: Some(format!("00:50:56:01:02:{:02x}", key % 100)),
            mac_is_manual: true,
            network: NicNetwork::Standard { name: network.to_owned(), network: None },
            start_connected,
            place: None,
        }
    }

    fn hardware(disks: Vec<Disk>, nics: Vec<Nic>) -> Hardware {
        let controllers =
            vec![Controller { key: 1000, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 }];
        Hardware { controllers, disks, nics, ..Hardware::default() }
    }

    fn machine(hardware: Hardware) -> Machine {
        Machine {
            name: "erp".to_owned(),
            instance_uuid: None,
            bios_uuid: None,
            guest_id: None,
            version: None,
            cpus: 1,
            cores_per_socket: 1,
            memory_mib: 1024,
            firmware: Firmware::Bios,
            secure_boot: false,
            boot_order: Vec::new(),
            shows_disk_uuids: false,
            is_encrypted: false,
            template: false,
            has_snapshot: false,
            home: None,
            hardware,
        }
    }

    fn changes(was: &Hardware, now: Hardware) -> (Changes, Vec<String>) {
        returned(Was { hardware: was, boot_order: Some(&[]) }, "zx-1", &machine(now)).unwrap()
    }

    #[test]
    fn what_lies_on_the_clone_goes_and_what_it_had_comes_back() {
        let was = hardware(vec![disk("[view] a/a.vmdk", 0)], vec![nic(4000, "quiet", false)]);
        let now = hardware(vec![disk("[zx-1] a/a.vmdk", 0)], vec![nic(4000, "loud", true)]);
        let (found, strange) = changes(&was, now);
        assert_eq!((found.take_off.len(), strange.len()), (1, 0));
        let back = BackDisk { controller: 1000, unit: 0, file: "[view] a/a.vmdk".to_owned() };
        assert_eq!(found.attach, [back]);
        let (card, network) = &found.connect[0];
        assert_eq!((card.start_connected, network), (false, &was.nics[0].network));
        assert!(changes(&was, was.clone()).0.are_none());
    }

    #[test]
    fn a_disk_of_somebody_elses_stays_and_is_told_but_is_not_overwritten() {
        let was = hardware(Vec::new(), Vec::new());
        let (found, strange) = changes(&was, hardware(vec![disk("[san] other/b.vmdk", 1)], Vec::new()));
        assert!(found.are_none());
        assert!(strange[0].contains("[san] other/b.vmdk"), "{strange:?}");
        let was = hardware(vec![disk("[view] a/a.vmdk", 1)], Vec::new());
        let now = machine(hardware(vec![disk("[san] other/b.vmdk", 1)], Vec::new()));
        let why = returned(Was { hardware: &was, boot_order: None }, "zx-1", &now).unwrap_err();
        assert!(why.contains("there is another disk"), "{why}");
    }

    #[test]
    fn a_disk_that_a_snapshot_put_on_top_lies_on_the_clone_too() {
        let mut top = disk("[san] a/a-000001.vmdk", 0);
        top.parents = vec!["[zx-1] a/a.vmdk".to_owned()];
        assert!(lies_on(&top, "zx-1") && !lies_on(&top, "zx"));
    }

    #[test]
    fn a_card_that_somebody_put_in_goes_and_one_that_was_taken_out_comes_back() {
        let was = hardware(Vec::new(), vec![nic(4000, "quiet", false)]);
        let (found, _) = changes(&was, hardware(Vec::new(), vec![nic(4001, "loud", true)]));
        assert_eq!(found.drop_nics[0].key, 4001);
        assert_eq!(found.add_nics, was.nics);
    }
}
