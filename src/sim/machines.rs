//! What runs inside virtual machines of a simulated vCenter that are more than an entry in its inventory.
//!
//! The simulated vCenter says through [`Machines`] that such a machine has booted, with which disks and addresses, and that
//! it is off. Which machines are meant, their configuration says: `sim.machine`, which clones take over from their template.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// A machine that has just booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booted {
    /// Its instance UUID.
    pub id: String,
    /// Its name in the inventory.
    pub name: String,
    /// What the guest calls itself.
    pub host_name: String,
    /// What its network cards have, the first card first.
    pub addresses: Vec<IpAddr>,
    /// Disks beside the first, which is the system's: serial number as the guest sees it, and size in bytes.
    pub disks: Vec<(String, u64)>,
    /// What it was told through guestinfo: whole keys, such as `guestinfo.hostname`.
    pub told: BTreeMap<String, String>,
}

/// The insides of a site's machines. Calls must not block for long: they are made while the simulated vCenter holds still.
pub trait Machines: Send + Sync + fmt::Debug {
    /// The address that the site's DHCP server gives the `number`th machine on a VLAN; None: whatever the simulator likes.
    fn lease(&self, vlan: i64, number: u32) -> Option<IpAddr>;
    /// A machine has booted. Gives what its guest publishes through guestinfo.
    fn up(&self, machine: &Booted) -> Vec<(String, String)>;
    /// The machine with this instance UUID is off.
    fn down(&self, id: &str);
}
