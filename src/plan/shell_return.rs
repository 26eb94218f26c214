//! A DR shell that is given back after a failover: what of its devices has to be changed for it to be as it was before.

use crate::domain::hardware::{Controller, Disk, Hardware, MacRange, Nic, NicNetwork, datastore_path};
use crate::domain::machine::{BootItem, Machine};

/// As it was.
#[derive(Debug, Clone, Copy)]
pub struct Was<'a> {
    /// Its devices.
    pub hardware: &'a Hardware,
    /// What it tried to start from, by the keys of those; none: not known, so it stays.
    pub boot_order: Option<&'a [BootItem]>,
    /// Its BIOS UUID; none: not known, so it stays.
    pub bios_uuid: Option<&'a str>,
}

/// A disk that is attached again, as its file lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackDisk {
    /// The type and the bus number of its controller.
    pub controller: (String, i32),
    /// Its place there.
    pub unit: i32,
    /// `[datastore] folder/name.vmdk`.
    pub file: String,
}

/// What has to be changed. What builds upon other changes comes after them: disks off, devices, what it starts from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Disks that lie on the clone: taken off, their files kept.
    pub take_off: Vec<Disk>,
    /// Everything else of its devices.
    pub devices: Devices,
    /// What it is to start from, by the keys that its devices have now; empty: as its firmware likes.
    pub boot_order: Option<Vec<BootItem>>,
}

/// Changes of devices, but for disks that go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// Controllers that it did not have, and that are empty.
    pub drop_controllers: Vec<Controller>,
    /// Controllers that it does not have any more.
    pub add_controllers: Vec<Controller>,
    /// Disks that it had.
    pub attach: Vec<BackDisk>,
    /// Cards that it did not have.
    pub drop_nics: Vec<Nic>,
    /// Cards that it does not have any more.
    pub add_nics: Vec<Nic>,
    /// Cards that are connected as they were; each says whether it is connected when the machine starts.
    pub connect: Vec<(Nic, NicNetwork)>,
    /// Its BIOS UUID.
    pub bios_uuid: Option<String>,
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

/// Whether a card can be the one that was there. Its key is not looked at: one that was taken out and put in again has another.
fn is_same_card(now: &Nic, was: &Nic) -> bool {
    let address = match was.mac.as_deref() {
        // One that a host made up is made up anew.
        Some(mac) if MacRange::of(mac) == MacRange::Generated => !now.mac_is_manual,
        Some(mac) => now.mac.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(mac)),
        None => true,
    };
    now.kind == was.kind && address
}

/// For each card that was there the one that it is now.
fn cards<'a>(was: &'a Hardware, now: &'a Hardware) -> Vec<(&'a Nic, Option<&'a Nic>)> {
    let mut left: Vec<&Nic> = now.nics.iter().collect();
    let own = |before: &'a Nic| {
        let same = |card: &&Nic| is_same_card(card, before);
        let by_key = left.iter().position(|card| card.key == before.key && same(card));
        let place = by_key.or_else(|| left.iter().position(same));
        (before, place.map(|place| left.remove(place)))
    };
    was.nics.iter().map(own).collect()
}

fn is_same_controller(one: &Controller, other: &Controller) -> bool {
    one.kind == other.kind && one.bus == other.bus
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
    let (mut changes, mut strange) = (Changes::default(), Vec::new());
    let is_back = |disk: &Disk| {
        let same = |one: &Disk| one.file == disk.file && place(one, was.hardware) == place(disk, has);
        was.hardware.disks.iter().any(same)
    };
    let mut stays: Vec<&Disk> = Vec::new();
    for disk in &has.disks {
        if is_back(disk) {
            stays.push(disk);
        } else if lies_on(disk, clone) {
            changes.take_off.push(disk.clone());
        } else {
            stays.push(disk);
            let file = disk.file.as_deref().unwrap_or(&disk.label);
            strange.push(format!("it has the disk {file}, which it did not have before; it stays"));
        }
    }
    let devices = &mut changes.devices;
    disks(was.hardware, &stays, has, devices)?;
    for controller in &has.controllers {
        let known = was.hardware.controllers.iter().any(|one| is_same_controller(one, controller));
        let used = stays.iter().any(|disk| disk.controller == controller.key);
        if !known && !used {
            devices.drop_controllers.push(controller.clone());
        }
    }
    let lost = |one: &&Controller| !has.controllers.iter().any(|other| is_same_controller(one, other));
    devices.add_controllers = was.hardware.controllers.iter().filter(lost).cloned().collect();
    let pairs = cards(was.hardware, has);
    nics(&pairs, has, devices, &mut strange);
    let other = |uuid: &&str| !now.bios_uuid.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(uuid));
    devices.bios_uuid = was.bios_uuid.filter(other).map(str::to_owned);
    if let Some(order) = was.boot_order {
        let own = |item: &BootItem| own_item(item, was.hardware, has, &pairs);
        let wanted: Vec<BootItem> = order.iter().filter_map(own).collect();
        changes.boot_order = Some(wanted).filter(|wanted| *wanted != now.boot_order);
    }
    Ok((changes, strange))
}

/// The disks that it had and does not have.
fn disks(was: &Hardware, stays: &[&Disk], has: &Hardware, devices: &mut Devices) -> Result<(), String> {
    for disk in &was.disks {
        let Some(file) = disk.file.clone() else { continue };
        let Some(at) = place(disk, was) else { continue };
        match stays.iter().find(|one| place(one, has) == Some(at)) {
            Some(one) if one.file.as_ref() == Some(&file) => {}
            Some(one) => {
                let there = one.file.as_deref().unwrap_or(&one.label);
                return Err(format!("where {file} was there is another disk, {there}"));
            }
            None => {
                let controller = (at.0.to_owned(), at.1);
                devices.attach.push(BackDisk { controller, unit: disk.unit, file });
            }
        }
    }
    Ok(())
}

/// The cards, each on its network.
fn nics(pairs: &[(&Nic, Option<&Nic>)], has: &Hardware, devices: &mut Devices, strange: &mut Vec<String>) {
    let known = |card: &&Nic| pairs.iter().any(|(_, own)| own.is_some_and(|own| own.key == card.key));
    devices.drop_nics = has.nics.iter().filter(|card| !known(card)).cloned().collect();
    for (before, card) in pairs {
        let is_known = before.network != NicNetwork::Other;
        let Some(card) = card else {
            if is_known {
                let typed = |mac: &String| MacRange::of(mac) != MacRange::Generated;
                devices.add_nics.push(Nic { mac: before.mac.clone().filter(typed), ..(*before).clone() });
            } else {
                strange.push(format!("{} was removed, and its network is of an unknown kind", before.label));
            }
            continue;
        };
        let as_was = card.start_connected == before.start_connected
            && (!is_known || is_same_network(&card.network, &before.network));
        // One that was on no network that is known stays on the one where it is.
        let network = if is_known { &before.network } else { &card.network };
        if !as_was && *network == NicNetwork::Other {
            strange.push(format!("{} is on a network of an unknown kind, so it stays as it is", card.label));
        } else if !as_was {
            let nic = Nic { start_connected: before.start_connected, ..(*card).clone() };
            devices.connect.push((nic, network.clone()));
        }
    }
}

/// Something to start from by the key that it has now; none: it is not there, or not yet.
fn own_item(
    item: &BootItem,
    was: &Hardware,
    has: &Hardware,
    pairs: &[(&Nic, Option<&Nic>)],
) -> Option<BootItem> {
    match item {
        BootItem::Disk { key } => {
            let disk = was.disks.iter().find(|disk| disk.key == *key)?;
            let at = place(disk, was)?;
            Some(BootItem::Disk { key: has.disks.iter().find(|one| place(one, has) == Some(at))?.key })
        }
        BootItem::Nic { key } => {
            let (_, own) = pairs.iter().find(|(before, _)| before.key == *key)?;
            Some(BootItem::Nic { key: (*own)?.key })
        }
        BootItem::Cd | BootItem::Floppy => Some(item.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hardware::Firmware;

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
        let was = Was { hardware: was, boot_order: Some(&[]), bios_uuid: None };
        returned(was, "zx-1", &machine(now)).unwrap()
    }

    #[test]
    fn what_lies_on_the_clone_goes_and_what_it_had_comes_back() {
        let was = hardware(vec![disk("[view] a/a.vmdk", 0)], vec![nic(4000, "quiet", false)]);
        let now = hardware(vec![disk("[zx-1] a/a.vmdk", 0)], vec![nic(4000, "loud", true)]);
        let (found, strange) = changes(&was, now);
        assert_eq!((found.take_off.len(), strange.len()), (1, 0));
        let controller = ("ParaVirtualSCSIController".to_owned(), 0);
        assert_eq!(
            found.devices.attach,
            [BackDisk { controller, unit: 0, file: "[view] a/a.vmdk".to_owned() }]
        );
        let (card, network) = &found.devices.connect[0];
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
        let was = Was { hardware: &was, boot_order: None, bios_uuid: None };
        let why = returned(was, "zx-1", &now).unwrap_err();
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
        assert_eq!(found.devices.drop_nics[0].key, 4001);
        assert_eq!(found.devices.add_nics, was.nics);
        // Once it is back under another key it is the one that was there.
        let mut again = was.clone();
        again.nics[0].key = 4007;
        assert!(changes(&was, again).0.are_none());
    }

    #[test]
    fn what_it_started_from_is_told_by_the_keys_of_now_and_its_identity_comes_back() {
        let was = hardware(vec![disk("[view] a/a.vmdk", 0)], vec![nic(4000, "quiet", false)]);
        let mut now = machine(was.clone());
        (now.hardware.disks[0].key, now.bios_uuid) = (2016, Some("other".to_owned()));
        now.boot_order = vec![BootItem::Nic { key: 4000 }];
        let order = [BootItem::Disk { key: 2000 }];
        let was = Was { hardware: &was, boot_order: Some(&order), bios_uuid: Some("own") };
        let (found, _) = returned(was, "zx-1", &now).unwrap();
        assert_eq!(found.boot_order, Some(vec![BootItem::Disk { key: 2016 }]));
        assert_eq!(found.devices.bios_uuid.as_deref(), Some("own"));
    }

    #[test]
    fn a_controller_that_came_with_the_failover_goes_unless_somebody_uses_it() {
        let was = hardware(Vec::new(), Vec::new());
        let second = Controller { key: 1001, kind: "VirtualLsiLogicSASController".to_owned(), bus: 1 };
        let mut now = was.clone();
        now.controllers.push(second.clone());
        assert_eq!(changes(&was, now.clone()).0.devices.drop_controllers, [second]);
        now.disks.push(Disk { controller: 1001, ..disk("[san] b/b.vmdk", 0) });
        assert!(changes(&was, now).0.are_none());
    }
}
