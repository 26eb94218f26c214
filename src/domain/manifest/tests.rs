use super::*;
use crate::domain::hardware::{Controller, Disk, Firmware, Hardware, Nic, NicNetwork};

fn vm(number: u32, name: &str, rest: Rest) -> ManifestVm {
    let disk = |key: i32| Disk {
        key,
        label: format!("Hard disk {}", key - 1999),
        controller: 1000,
        unit: key - 2000,
        file: Some(format!("[protected] {name}/{name}_{key}-000001.vmdk")),
        parents: vec![format!("[protected] {name}/{name}_{key}.vmdk")],
        datastore: None,
        capacity_bytes: 40 << 30,
        thin: Some(true),
        mode: "persistent".to_owned(),
        uuid: Some(format!("6000C29{number:08x}{key:08x}")),
    };
    let network =
        NicNetwork::Distributed { switch: "50 2e".to_owned(), portgroup: "dvportgroup-1".to_owned() };
    let nic = |key: i32| Nic {
        key,
        label: format!("Network adapter {}", key - 3999),
        kind: "VirtualVmxnet3".to_owned(),
        mac: Some(format!("00:50:56:{:02x}:{:02x}:{key:02x}", number >> 8, number & 255)),
        mac_is_manual: false,
        network: network.clone(),
        start_connected: true,
        place: Some((100, 7)),
    };
    let machine = Machine {
        name: name.to_owned(),
        instance_uuid: Some(format!("5002aaaa-{number:032x}")),
        bios_uuid: Some(format!("4202bbbb-{number:032x}")),
        guest_id: Some("debian12_64Guest".to_owned()),
        version: Some(19),
        cpus: 4,
        cores_per_socket: 2,
        memory_mib: 8192,
        firmware: Firmware::Efi,
        secure_boot: true,
        boot_order: Vec::new(),
        shows_disk_uuids: true,
        is_encrypted: false,
        template: false,
        has_snapshot: true,
        home: Some(format!("[protected] {name}/{name}.vmx")),
        hardware: Hardware {
            controllers: vec![Controller { key: 1000, kind: "ParaVirtualSCSIController".to_owned(), bus: 0 }],
            disks: vec![disk(2000), disk(2001)],
            nics: vec![nic(4000)],
            ..Hardware::default()
        },
    };
    ManifestVm {
        vm: VmRef::new(format!("vm-{number}")),
        instance_uuid: format!("5002aaaa-{number:032x}"),
        name: name.to_owned(),
        power: PowerState::On,
        machine: Some(machine),
        read: Read::Vcenter,
        rest,
    }
}

fn manifest(vms: Vec<ManifestVm>) -> Manifest {
    Manifest {
        group: GroupId::new(),
        group_name: "ERP".to_owned(),
        epoch: "1:7".to_owned(),
        taken_at: Timestamp::UNIX_EPOCH,
        kind: Manifest::kind_of(&vms),
        vms,
        networks: BTreeMap::from([("dvportgroup-1".to_owned(), "Production".to_owned())]),
    }
}

#[test]
fn a_manifest_reads_back_whatever_its_virtual_machines_are_called() {
    for name in
        ["erp01", "'; zfs destroy tank #", "a\tb\nc", "$(id)`id`", "Überraschung 💾", "%2f..%2f", "\u{202e}x"]
    {
        let written = manifest(vec![vm(1, name, Rest::NotAsked)]);
        let properties = written.properties().unwrap();
        assert!(properties.iter().all(|(_, value)| value.is_ascii() && value.len() < 8192));
        let read = Manifest::of_properties(&properties.into_iter().collect()).unwrap();
        assert_eq!(read, Some(written), "{name:?}");
    }
}

#[test]
fn a_group_of_500_fits_into_the_properties_of_one_snapshot() {
    let vms = (0..500).map(|n| vm(n, &format!("server-{n:03}"), Rest::Quiesced)).collect();
    let written = manifest(vms);
    let properties = written.properties().unwrap();
    let bytes: usize = properties.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes < 256 * 1024, "{bytes} bytes in {} properties", properties.len());
    assert_eq!(Manifest::of_properties(&properties.into_iter().collect()).unwrap(), Some(written));
}

#[test]
fn the_kind_says_how_many_were_at_rest() {
    let not = || Rest::NotQuiesced { because: "Its Tools do not run.".to_owned() };
    let kind = |rests: Vec<Rest>| {
        let vms: Vec<_> = rests.into_iter().map(|rest| vm(1, "a", rest)).collect();
        Manifest::kind_of(&vms)
    };
    assert_eq!(kind(vec![]), CheckpointKind::CrashConsistent);
    assert_eq!(kind(vec![Rest::NotAsked, Rest::NotAsked]), CheckpointKind::CrashConsistent);
    assert_eq!(kind(vec![Rest::Quiesced, Rest::Off]), CheckpointKind::Quiesced);
    assert_eq!(kind(vec![Rest::Quiesced, not()]), CheckpointKind::Partly);
    assert_eq!(kind(vec![not(), not()]), CheckpointKind::CrashConsistent);
    let partly = manifest(vec![vm(1, "a", Rest::Quiesced), vm(2, "b", not())]);
    assert_eq!(partly.not_quiesced(), [("b", "Its Tools do not run.")]);
}

#[test]
fn a_disk_is_named_by_its_files_within_the_datastore() {
    let disks = vm(1, "erp01", Rest::NotAsked).disks();
    assert_eq!(disks[0].datastore.as_deref(), Some("protected"));
    assert_eq!(disks[0].files, ["erp01/erp01_2000-000001.vmdk", "erp01/erp01_2000.vmdk"]);
    assert_eq!((disks.len(), disks[1].capacity_bytes), (2, 40 << 30));
}

#[test]
fn what_a_later_version_adds_is_passed_over_and_what_is_missing_is_empty() {
    let text = r#"{"group": "01937c5e-0000-7000-8000-0000deadbeef", "taken_at": "2026-11-28T10:00:00Z",
        "kind": "quiesced", "colour": "blue", "vms": [{"vm": "vm-1", "instance_uuid": "i", "name": "a",
        "power": "on", "read": {"from": "crystal_ball"}, "rest": {"rest": "deep_sleep", "dreams": 3}}]}"#;
    let read: Manifest = serde_json::from_str(text).unwrap();
    assert_eq!((read.vms[0].read.clone(), read.vms[0].rest.clone()), (Read::Other, Rest::Other));
    assert_eq!((read.vms[0].machine.clone(), read.epoch.as_str()), (None, ""));
}
