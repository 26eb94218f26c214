//! The configuration file of a virtual machine, and the descriptor of a disk: written as ESXi does, and read again
//! when a machine is registered or a disk attached.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::vm::Vm;
use super::{is_disk, is_nic};
use crate::sim::vcenter::soap::{Data, data};

/// Bytes of a sector.
const SECTOR: u64 = 512;

/// The keys of a configuration file that `extraConfig` does not carry.
const OWN_KEYS: [&str; 3] = ["scsi", "ethernet", "uuid.bios"];

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("|22"),
            '|' => out.push_str("|7C"),
            '\n' => out.push_str("|0A"),
            letter if (letter as u32) < 32 => {}
            letter => out.push(letter),
        }
    }
    out
}

fn unquoted(text: &str) -> String {
    text.replace("|0A", "\n").replace("|22", "\"").replace("|7C", "|")
}

/// `42 1b … -…` as a configuration file has it.
fn spaced(uuid: &str) -> String {
    let digits: Vec<char> = uuid.chars().filter(|letter| *letter != '-').collect();
    let pairs: Vec<String> = digits.chunks(2).map(|pair| pair.iter().collect()).collect();
    let (first, second) = pairs.split_at(pairs.len().min(8));
    format!("{}-{}", first.join(" "), second.join(" "))
}

fn unspaced(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    match digits.len() {
        32 => format!(
            "{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        ),
        _ => digits,
    }
}

/// What stands for the place of a machine in its configuration file.
pub(in crate::sim::vcenter) fn location(path: &str) -> String {
    let sum = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    spaced(&format!("564d{sum:016x}{:012x}", sum >> 16))
}

/// How a disk is named in its machine's configuration file: relative if it is in the same directory.
fn relative(file: &str, home: &str) -> String {
    file.strip_prefix(home).map_or_else(|| file.to_owned(), str::to_owned)
}

/// The configuration file of a machine.
pub(in crate::sim::vcenter) fn render(name: &str, vm: &Vm) -> String {
    let mut out = String::from(".encoding = \"UTF-8\"\nconfig.version = \"8\"\n");
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(out, "{key} = \"{}\"", quoted(value));
    };
    line("virtualHW.version", vm.version.trim_start_matches("vmx-"));
    line("displayName", name);
    line("guestOS", &vm.guest_id);
    line("memSize", &vm.memory_mb.to_string());
    line("numvcpus", &vm.cpus.to_string());
    line("cpuid.coresPerSocket", &vm.cores_per_socket.to_string());
    line("firmware", &vm.firmware);
    line("uefi.secureBoot.enabled", if vm.secure_boot { "TRUE" } else { "FALSE" });
    line("uuid.bios", &spaced(&vm.uuid));
    line("vc.uuid", &spaced(&vm.instance_uuid));
    line("uuid.location", &location(&vm.vmx.to_string()));
    if !vm.annotation.is_empty() {
        line("annotation", &vm.annotation);
    }
    if vm.change_tracking {
        line("ctkEnabled", "TRUE");
    }
    let home = vm.vmx.to_string();
    let home = home.rsplit_once('/').map_or("", |(home, _)| home);
    let home = format!("{home}/");
    for device in &vm.devices {
        let bus = device.int("busNumber");
        if let (Some(kind), Some(bus)) = (controller_word(device.ty), bus) {
            line(&format!("scsi{bus}.present"), "TRUE");
            line(&format!("scsi{bus}.virtualDev"), kind);
        }
    }
    for device in vm.devices.iter().filter(|device| is_disk(device)) {
        let controller = device.int("controllerKey").unwrap_or(1000);
        let place = format!("scsi{}:{}", (controller - 1000).max(0), device.int("unitNumber").unwrap_or(0));
        line(&format!("{place}.present"), "TRUE");
        line(&format!("{place}.deviceType"), "scsi-hardDisk");
        if let Some(file) = device.data("backing").and_then(|backing| backing.text("fileName")) {
            line(&format!("{place}.fileName"), &relative(file, &home));
        }
    }
    for (number, nic) in vm.devices.iter().filter(|device| is_nic(device)).enumerate() {
        let place = format!("ethernet{number}");
        line(&format!("{place}.present"), "TRUE");
        line(&format!("{place}.virtualDev"), card_word(nic.ty));
        line(
            &format!("{place}.addressType"),
            if nic.text("addressType") == Some("manual") { "static" } else { "vpx" },
        );
        let mac = nic.text("macAddress").unwrap_or_default();
        let key = if nic.text("addressType") == Some("manual") { "address" } else { "generatedAddress" };
        line(&format!("{place}.{key}"), mac);
        let backing = nic.data("backing");
        if let Some(network) = backing.and_then(|backing| backing.text("deviceName")) {
            line(&format!("{place}.networkName"), network);
        }
        if let Some(port) = backing.and_then(|backing| backing.data("port")) {
            line(&format!("{place}.dvs.switchId"), port.text("switchUuid").unwrap_or_default());
            line(&format!("{place}.dvs.portgroupId"), port.text("portgroupKey").unwrap_or_default());
        }
    }
    for (key, value) in vm.extra.iter().filter(|(key, _)| !OWN_KEYS.iter().any(|own| key.starts_with(own))) {
        line(key, value);
    }
    out
}

fn controller_word(ty: &str) -> Option<&'static str> {
    Some(match ty {
        "ParaVirtualSCSIController" => "pvscsi",
        "VirtualLsiLogicController" => "lsilogic",
        "VirtualLsiLogicSASController" => "lsisas1068",
        "VirtualBusLogicController" => "buslogic",
        _ => return None,
    })
}

fn card_word(ty: &str) -> &'static str {
    match ty {
        "VirtualE1000" => "e1000",
        "VirtualE1000e" => "e1000e",
        _ => "vmxnet3",
    }
}

/// A configuration file as keys and values; keys in lower case. What it does not understand is left out.
pub(in crate::sim::vcenter) fn keys(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.trim().to_ascii_lowercase(), unquoted(value.trim().trim_matches('"'))))
        .collect()
}

/// Takes a configuration file over into a machine. Gives the disks, by file name as it stands there, and the name.
pub(in crate::sim::vcenter) fn parse(text: &str, vm: &mut Vm) -> Option<String> {
    let keys = keys(text);
    let get = |key: &str| keys.get(key).cloned();
    let number = |key: &str| keys.get(key).and_then(|text| text.parse().ok());
    let name = get("displayname")?;
    vm.guest_id = get("guestos").unwrap_or_else(|| "otherGuest".to_owned());
    vm.version = format!("vmx-{}", get("virtualhw.version").unwrap_or_else(|| "19".to_owned()));
    vm.memory_mb = number("memsize").unwrap_or(1024);
    vm.cpus = number("numvcpus").unwrap_or(1);
    vm.cores_per_socket = number("cpuid.corespersocket").unwrap_or(1);
    vm.firmware = get("firmware").unwrap_or_else(|| "bios".to_owned());
    vm.secure_boot = get("uefi.secureboot.enabled").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    vm.uuid = unspaced(&get("uuid.bios").unwrap_or_default());
    vm.instance_uuid = unspaced(&get("vc.uuid").unwrap_or_default());
    vm.annotation = get("annotation").unwrap_or_default();
    vm.change_tracking = get("ctkenabled").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    vm.uprooted = get("uuid.location").is_some_and(|was| was != location(&vm.vmx.to_string()));
    for bus in 0..4 {
        if let Some(kind) = get(&format!("scsi{bus}.virtualdev")) {
            vm.devices.push(controller(&kind, bus));
        }
        for unit in 0..64 {
            if let Some(file) = get(&format!("scsi{bus}:{unit}.filename")) {
                vm.devices.push(
                    data("VirtualDisk")
                        .with("controllerKey", 1000 + bus)
                        .with("unitNumber", unit)
                        .with("backing", data("VirtualDiskFlatVer2BackingInfo").with("fileName", file)),
                );
            }
        }
    }
    for number in 0..10 {
        let place = format!("ethernet{number}");
        if get(&format!("{place}.present")).is_none() {
            continue;
        }
        vm.devices.push(card(&place, &keys));
    }
    let rest = keys.iter().filter(|(key, _)| {
        key.contains('.') && ["guestinfo.", "disk.", "tools.", "sim."].iter().any(|own| key.starts_with(own))
    });
    vm.extra.extend(rest.map(|(key, value)| {
        let key = if key == "disk.enableuuid" { "disk.EnableUUID" } else { key };
        (key.to_owned(), value.clone())
    }));
    Some(name)
}

fn controller(kind: &str, bus: i64) -> Data {
    let ty = match kind {
        "pvscsi" => "ParaVirtualSCSIController",
        "lsisas1068" => "VirtualLsiLogicSASController",
        "buslogic" => "VirtualBusLogicController",
        _ => "VirtualLsiLogicController",
    };
    data(ty).with("busNumber", bus).with("sharedBus", "noSharing").with("key", 1000 + bus)
}

fn card(place: &str, keys: &BTreeMap<String, String>) -> Data {
    let get = |key: &str| keys.get(&format!("{place}.{key}")).cloned();
    let ty = match get("virtualdev").as_deref() {
        Some("e1000") => "VirtualE1000",
        Some("e1000e") => "VirtualE1000e",
        _ => "VirtualVmxnet3",
    };
    let backing = match (get("dvs.switchid"), get("dvs.portgroupid")) {
        (Some(switch), Some(portgroup)) => data("VirtualEthernetCardDistributedVirtualPortBackingInfo").with(
            "port",
            data("DistributedVirtualSwitchPortConnection")
                .with("switchUuid", switch)
                .with("portgroupKey", portgroup),
        ),
        _ => data("VirtualEthernetCardNetworkBackingInfo")
            .with("deviceName", get("networkname").unwrap_or_default()),
    };
    let manual = get("addresstype").as_deref() == Some("static");
    let mac = if manual { get("address") } else { get("generatedaddress") };
    data(ty)
        .with("backing", backing)
        .with("addressType", if manual { "manual" } else { "assigned" })
        .maybe("macAddress", mac)
}

/// The descriptor of a disk whose extent is in that file. `capacity` in bytes.
pub(in crate::sim::vcenter) fn descriptor(
    extent: &str,
    capacity: u64,
    uuid: &str,
    parent: Option<&str>,
) -> String {
    let (kind, parent_id, hint) = match parent {
        None => ("VMFS", "ffffffff", String::new()),
        Some(parent) => ("SESPARSE", "5a3c0b7e", format!("parentFileNameHint=\"{}\"\n", quoted(parent))),
    };
    format!(
        "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=fffffffe\nparentCID={parent_id}\n\
         createType=\"{}\"\n{hint}\n# Extent description\nRW {} {kind} \"{}\"\n\n# The Disk Data Base\n#DDB\n\n\
         ddb.adapterType = \"lsilogic\"\nddb.thinProvisioned = \"1\"\nddb.uuid = \"{}\"\nddb.virtualHWVersion = \"19\"\n",
        if parent.is_some() { "seSparse" } else { "vmfs" },
        capacity / SECTOR,
        quoted(extent),
        spaced(uuid),
    )
}

/// What a descriptor says about its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::vcenter) struct Described {
    /// Bytes.
    pub(in crate::sim::vcenter) capacity: u64,
    pub(in crate::sim::vcenter) extent: String,
    pub(in crate::sim::vcenter) parent: Option<String>,
    pub(in crate::sim::vcenter) uuid: String,
}

/// Reads a descriptor; None if it is none.
pub(in crate::sim::vcenter) fn described(text: &str) -> Option<Described> {
    let extent = text.lines().find(|line| line.starts_with("RW "))?;
    let sectors: u64 = extent.split_whitespace().nth(1)?.parse().ok()?;
    let file = extent.split('"').nth(1)?;
    let value = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(unquoted(line.split_once('=')?.1.trim().trim_matches('"')))
    };
    Some(Described {
        capacity: sectors.saturating_mul(SECTOR),
        extent: unquoted(file),
        parent: value("parentFileNameHint"),
        uuid: unspaced(&value("ddb.uuid").unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_read_as_it_was_written() {
        let uuid = "6000c29a-1b2c-3d4e-5f60-718293a4b5c6";
        let found = described(&descriptor("web \"01\"-flat.vmdk", 40 << 30, uuid, None)).unwrap();
        assert_eq!(
            found,
            Described {
                capacity: 40 << 30,
                extent: "web \"01\"-flat.vmdk".into(),
                parent: None,
                uuid: uuid.into()
            }
        );
        let delta =
            described(&descriptor("web01-000001-sesparse.vmdk", 40 << 30, uuid, Some("web01.vmdk"))).unwrap();
        assert_eq!(delta.parent.as_deref(), Some("web01.vmdk"));
        assert_eq!(described("not a descriptor"), None);
    }
}
