//! Virtual machines: what they are made of, and where.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{DatastorePath, Guest, World, is_disk, is_nic};
use crate::sim::vcenter::soap::{Data, Fault, Moref};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::vcenter) enum Power {
    On,
    Off,
    Suspended,
}

impl Power {
    pub(in crate::sim::vcenter) fn word(self) -> &'static str {
        match self {
            Self::On => "poweredOn",
            Self::Off => "poweredOff",
            Self::Suspended => "suspended",
        }
    }
}

/// A question that a virtual machine waits for an answer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::vcenter) struct Question {
    pub(in crate::sim::vcenter) id: String,
    pub(in crate::sim::vcenter) message_id: &'static str,
    pub(in crate::sim::vcenter) text: String,
    /// Key and label of each choice.
    pub(in crate::sim::vcenter) choices: Vec<(&'static str, &'static str)>,
    pub(in crate::sim::vcenter) default: usize,
}

/// A virtual machine or a template.
#[derive(Debug, Clone)]
pub(in crate::sim::vcenter) struct Vm {
    /// BIOS UUID.
    pub(in crate::sim::vcenter) uuid: String,
    pub(in crate::sim::vcenter) instance_uuid: String,
    pub(in crate::sim::vcenter) guest_id: String,
    /// Hardware version, as `vmx-19`.
    pub(in crate::sim::vcenter) version: String,
    /// `bios` or `efi`.
    pub(in crate::sim::vcenter) firmware: String,
    pub(in crate::sim::vcenter) secure_boot: bool,
    /// What it tries to start from.
    pub(in crate::sim::vcenter) boot_order: Vec<Data>,
    pub(in crate::sim::vcenter) cpus: i64,
    pub(in crate::sim::vcenter) cores_per_socket: i64,
    pub(in crate::sim::vcenter) memory_mb: i64,
    pub(in crate::sim::vcenter) annotation: String,
    pub(in crate::sim::vcenter) template: bool,
    pub(in crate::sim::vcenter) change_tracking: bool,
    pub(in crate::sim::vcenter) cpu_hot_add: bool,
    pub(in crate::sim::vcenter) memory_hot_add: bool,
    /// Devices but for those that every machine has.
    pub(in crate::sim::vcenter) devices: Vec<Data>,
    pub(in crate::sim::vcenter) extra: BTreeMap<String, String>,
    /// Its configuration file.
    pub(in crate::sim::vcenter) vmx: DatastorePath,
    /// None for a template.
    pub(in crate::sim::vcenter) pool: Option<Moref>,
    pub(in crate::sim::vcenter) host: Option<Moref>,
    pub(in crate::sim::vcenter) power: Power,
    /// Counts power-ons, so that what a guest does late does not hit the next boot.
    pub(in crate::sim::vcenter) boots: u64,
    pub(in crate::sim::vcenter) boot_time: Option<Timestamp>,
    pub(in crate::sim::vcenter) created: Timestamp,
    pub(in crate::sim::vcenter) modified: Timestamp,
    /// Counts changes of the configuration.
    pub(in crate::sim::vcenter) revision: u64,
    /// Whether VMware Tools are installed in the guest.
    pub(in crate::sim::vcenter) tools: bool,
    pub(in crate::sim::vcenter) guest: Guest,
    pub(in crate::sim::vcenter) question: Option<Question>,
    /// Whether it does not know if it was moved or copied.
    pub(in crate::sim::vcenter) uprooted: bool,
    pub(in crate::sim::vcenter) snapshots: Vec<Moref>,
    pub(in crate::sim::vcenter) current_snapshot: Option<Moref>,
    pub(in crate::sim::vcenter) consolidation_needed: bool,
    /// A customisation that waits for the next power-on.
    pub(in crate::sim::vcenter) customization: Option<Data>,
    pub(in crate::sim::vcenter) customization_status: &'static str,
    pub(in crate::sim::vcenter) connection: &'static str,
    /// The task that holds it.
    pub(in crate::sim::vcenter) busy: Option<Moref>,
}

impl Vm {
    /// An empty machine with its configuration file there.
    pub(in crate::sim::vcenter) fn new(vmx: DatastorePath, now: Timestamp) -> Self {
        Self {
            uuid: String::new(),
            instance_uuid: String::new(),
            guest_id: "otherGuest".to_owned(),
            version: "vmx-19".to_owned(),
            firmware: "bios".to_owned(),
            secure_boot: false,
            boot_order: Vec::new(),
            cpus: 1,
            cores_per_socket: 1,
            memory_mb: 1024,
            annotation: String::new(),
            template: false,
            change_tracking: false,
            cpu_hot_add: false,
            memory_hot_add: false,
            devices: Vec::new(),
            extra: BTreeMap::new(),
            vmx,
            pool: None,
            host: None,
            power: Power::Off,
            boots: 0,
            boot_time: None,
            created: now,
            modified: now,
            revision: 0,
            tools: true,
            guest: Guest::default(),
            question: None,
            uprooted: false,
            snapshots: Vec::new(),
            current_snapshot: None,
            consolidation_needed: false,
            customization: None,
            customization_status: "TOOLSDEPLOYPKG_IDLE",
            connection: "connected",
            busy: None,
        }
    }

    pub(in crate::sim::vcenter) fn disks(&self) -> impl Iterator<Item = &Data> {
        self.devices.iter().filter(|device| is_disk(device))
    }

    pub(in crate::sim::vcenter) fn nics(&self) -> impl Iterator<Item = &Data> {
        self.devices.iter().filter(|device| is_nic(device))
    }

    pub(in crate::sim::vcenter) fn extra(&self, key: &str) -> Option<&str> {
        self.extra.get(key).map(String::as_str)
    }

    /// As a client sees the version of the configuration.
    pub(in crate::sim::vcenter) fn change_version(&self) -> String {
        self.modified.strftime("%Y-%m-%dT%H:%M:%S.").to_string()
            + &format!("{:06}Z", self.revision % 1_000_000)
    }
}

/// The file names of a disk and of those that it is based on, the newest first.
pub(in crate::sim::vcenter) fn chain(disk: &Data) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = disk.data("backing");
    while let Some(backing) = at {
        names.extend(backing.text("fileName").map(str::to_owned));
        at = backing.data("parent");
    }
    names
}

impl World {
    /// The datastores that a machine's home and disks are on, the home's first.
    pub(in crate::sim::vcenter) fn datastores_of(&self, vm: &Vm) -> Vec<Moref> {
        let mut found = vec![vm.vmx.datastore.clone()];
        for disk in vm.disks() {
            let mut at = disk.data("backing");
            while let Some(backing) = at {
                if let Some(datastore) = backing.moref("datastore").filter(|moref| !found.contains(moref)) {
                    found.push(datastore.clone());
                }
                at = backing.data("parent");
            }
        }
        found.retain(|datastore| self.objects.contains_key(&datastore.id));
        found
    }

    /// The networks that its cards are on.
    pub(in crate::sim::vcenter) fn networks_of(&self, vm: &Vm) -> Vec<Moref> {
        let mut found = Vec::new();
        for network in vm.nics().filter_map(|nic| super::card_network(self, nic)) {
            if !found.contains(&network) {
                found.push(network);
            }
        }
        found
    }

    /// Says that datastores, networks, host and pool of a machine list another set of machines now.
    pub(in crate::sim::vcenter) fn touch_places(&mut self, moref: &Moref) {
        let Ok(vm) = self.vm(moref) else { return };
        let mut places = self.datastores_of(vm);
        places.extend(self.networks_of(vm));
        places.extend(vm.host.clone());
        places.extend(vm.pool.clone());
        places.iter().for_each(|place| self.touch(place));
    }

    /// Counts a change of the configuration and writes it to the configuration file.
    pub(in crate::sim::vcenter) fn save(&mut self, moref: &Moref) -> Result<(), Fault> {
        let now = self.timestamp();
        let vm = self.vm_mut(moref)?;
        vm.modified = now;
        vm.revision += 1;
        let at = vm.vmx.clone();
        let name = self.name(moref).to_owned();
        let text = super::vmx::render(&name, self.vm(moref)?);
        self.write(&at, text.as_bytes())
    }

    /// Refuses if the machine is not in this power state.
    pub(in crate::sim::vcenter) fn must_be(&self, moref: &Moref, power: Power) -> Result<(), Fault> {
        let vm = self.vm(moref)?;
        match vm.power == power {
            true => Ok(()),
            false => Err(Fault::power_state(Some(power.word()), vm.power.word())),
        }
    }

    /// A directory on a datastore that is not there yet, named after a machine: `web01`, `web01_1`.
    pub(in crate::sim::vcenter) fn free_directory(
        &self,
        datastore: &Moref,
        name: &str,
    ) -> Result<DatastorePath, Fault> {
        let name = name.replace(['/', '\\'], "_");
        let mut at = self.path_on(datastore, name.clone());
        let mut count = 0;
        while self.exists(&at)? {
            count += 1;
            at = at.at(format!("{name}_{count}"));
        }
        Ok(at)
    }
}
