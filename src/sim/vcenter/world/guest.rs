//! What goes on inside a machine: it boots, starts VMware Tools, gets addresses, shuts down.

use std::time::Duration;

use super::{Due, Power, Question, Vm, World, card_network};
use crate::sim::vcenter::soap::{Data, Moref};

/// An address of a card.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::sim::vcenter) struct Address {
    pub(in crate::sim::vcenter) ip: String,
    pub(in crate::sim::vcenter) prefix: i64,
    pub(in crate::sim::vcenter) gateway: Option<String>,
}

/// The guest as VMware Tools tell of it.
#[derive(Debug, Clone, Default)]
pub(in crate::sim::vcenter) struct Guest {
    /// Whether the tools run.
    pub(in crate::sim::vcenter) running: bool,
    pub(in crate::sim::vcenter) host_name: Option<String>,
    /// Configured in the guest, by the key of the card; a card that is not here asks by DHCP.
    pub(in crate::sim::vcenter) fixed: Vec<(i64, Address)>,
    /// What the cards have at present.
    pub(in crate::sim::vcenter) addresses: Vec<(i64, Address)>,
}

/// How long a guest takes, in life, until its tools run.
const TOOLS_AFTER: Duration = Duration::from_secs(20);
/// How long from there until it has an address.
const ADDRESS_AFTER: Duration = Duration::from_secs(5);
/// How long a shutdown takes.
const SHUTDOWN: Duration = Duration::from_secs(10);

impl World {
    /// The power is on: everything else the guest does by itself.
    pub(in crate::sim::vcenter) fn boot(&mut self, moref: &Moref) {
        let now = self.timestamp();
        let Ok(vm) = self.vm_mut(moref) else { return };
        vm.power = Power::On;
        vm.boots += 1;
        vm.boot_time = Some(now);
        vm.guest.running = false;
        vm.guest.addresses.clear();
        let boot = vm.boots;
        let starts = vm.tools && vm.extra("sim.tools") != Some("never");
        if starts {
            let due = Due::ToolsUp { vm: moref.clone(), boot };
            self.schedule(self.pace(TOOLS_AFTER), due);
        }
    }

    /// The power is off.
    pub(in crate::sim::vcenter) fn stop(&mut self, moref: &Moref) {
        self.machine_down(moref);
        let Ok(vm) = self.vm_mut(moref) else { return };
        vm.power = Power::Off;
        vm.boots += 1;
        vm.boot_time = None;
        vm.guest.running = false;
        vm.guest.addresses.clear();
        vm.question = None;
    }

    /// The machine if it is still in the boot that something was scheduled for.
    fn still(&self, moref: &Moref, boot: u64) -> bool {
        self.vm(moref).is_ok_and(|vm| vm.boots == boot && vm.power == Power::On)
    }

    pub(in crate::sim::vcenter) fn tools_up(&mut self, moref: &Moref, boot: u64) {
        if !self.still(moref, boot) {
            return;
        }
        let customizing = match self.vm_mut(moref) {
            Ok(vm) => {
                vm.guest.running = true;
                vm.customization.is_some()
            }
            Err(_) => return,
        };
        if customizing && !self.customize_guest(moref) {
            return;
        }
        match self.is_machine(moref) {
            // Its SSH server runs as soon as its tools do.
            true => self.address_up(moref, boot),
            false => self.schedule(self.pace(ADDRESS_AFTER), Due::AddressUp { vm: moref.clone(), boot }),
        }
    }

    pub(in crate::sim::vcenter) fn address_up(&mut self, moref: &Moref, boot: u64) {
        if !self.still(moref, boot) {
            return;
        }
        let Ok(vm) = self.vm(moref) else { return };
        let cards: Vec<Data> = vm.nics().cloned().collect();
        let fixed = vm.guest.fixed.clone();
        let mut addresses = Vec::new();
        for card in cards {
            let connected = card.data("connectable").and_then(|connect| connect.flag("startConnected"));
            let (Some(key), Some(network)) = (card.int("key"), card_network(self, &card)) else { continue };
            if connected == Some(false) {
                continue;
            }
            let address = match fixed.iter().find(|(of, _)| *of == key) {
                Some((_, address)) => address.clone(),
                None => self.lease(moref, key, &network),
            };
            addresses.push((key, address));
        }
        let name = self.name(moref).to_owned();
        if let Ok(vm) = self.vm_mut(moref) {
            vm.guest.addresses = addresses;
            vm.guest.host_name.get_or_insert(name);
        }
        self.machine_up(moref);
    }

    /// What the DHCP server of a network gives; on one without a server a card gives itself a link-local address.
    fn lease(&mut self, moref: &Moref, key: i64, network: &Moref) -> Address {
        let vlan = self.vlan_of(network);
        let isolated = self.name(network).to_ascii_lowercase().contains("isolated");
        let own = self.is_machine(moref) && !isolated;
        let kept = self.vm(moref).ok().and_then(|vm| vm.extra(&lease_key(key, network)).map(str::to_owned));
        let ip = kept.unwrap_or_else(|| {
            self.leases += 1;
            let host = self.leases;
            let given = self.options.machines.as_ref().filter(|_| own);
            if let Some(given) = given.and_then(|machines| machines.lease(vlan, host)) {
                return given.to_string();
            }
            match isolated {
                true => format!("169.254.{}.{}", 1 + host / 250 % 250, 1 + host % 250),
                false => format!("10.{}.{}.{}", self.site_octet(), vlan.rem_euclid(256), 20 + host % 230),
            }
        });
        if let Ok(vm) = self.vm_mut(moref) {
            vm.extra.insert(lease_key(key, network), ip.clone());
        }
        match isolated {
            true => Address { ip, prefix: 16, gateway: None },
            false => {
                let net = ip.rsplit_once('.').map_or("", |(net, _)| net);
                Address { prefix: 24, gateway: Some(format!("{net}.1")), ip: ip.clone() }
            }
        }
    }

    /// The second part of the addresses of this site.
    pub(in crate::sim::vcenter) fn site_octet(&self) -> u32 {
        10 + self.options.site.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
            % 200
    }

    /// The guest begins to shut down.
    pub(in crate::sim::vcenter) fn shut_down(&mut self, moref: &Moref) {
        let Ok(vm) = self.vm(moref) else { return };
        if vm.extra("sim.shutdown") == Some("ignore") {
            return;
        }
        let boot = vm.boots;
        self.schedule(self.pace(SHUTDOWN), Due::GuestDown { vm: moref.clone(), boot });
    }

    pub(in crate::sim::vcenter) fn guest_down(&mut self, moref: &Moref, boot: u64) {
        if self.still(moref, boot) {
            self.stop(moref);
            self.vm_event("VmPoweredOffEvent", moref, "The guest has shut down.");
        }
    }

    /// A machine whose files are elsewhere than they were asks what happened to it, unless it was told.
    pub(in crate::sim::vcenter) fn ask_if_moved(&mut self, moref: &Moref) {
        let id = self.fresh("Task", "").id.to_string();
        let name = self.name(moref).to_owned();
        let Ok(vm) = self.vm_mut(moref) else { return };
        // As if its files had been brought here, once.
        vm.uprooted |= vm.extra.remove("sim.uprooted").is_some();
        if !vm.uprooted || vm.question.is_some() {
            return;
        }
        match vm.extra("uuid.action") {
            Some("keep" | "create") => vm.uprooted = false,
            _ => {
                vm.question = Some(Question {
                    id,
                    message_id: "msg.uuid.altered",
                    text: format!(
                        "This virtual machine might have been moved or copied. '{name}' must know which, to set up \
                         management and networking features."
                    ),
                    choices: vec![
                        ("0", "button.uuid.cancel"),
                        ("1", "button.uuid.movedTheVM"),
                        ("2", "button.uuid.copiedTheVM"),
                    ],
                    default: 2,
                });
            }
        }
    }
}

/// Where a lease is kept, so that a machine gets the same address again.
fn lease_key(card: i64, network: &Moref) -> String {
    format!("sim.lease.{card}.{}", network.id)
}

impl Vm {
    /// `extraConfig` without what the simulator keeps for itself.
    pub(in crate::sim::vcenter) fn public_extra(&self) -> impl Iterator<Item = (&String, &String)> {
        self.extra.iter().filter(|(key, _)| !key.starts_with("sim.lease."))
    }
}
