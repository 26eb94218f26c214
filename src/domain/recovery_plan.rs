//! The recovery plan of a protection group: in which order its virtual machines start at the DR site, what proves that each
//! runs, on which networks, and with which addresses. One plan serves tests and real recoveries; only the map of networks
//! differs.
//!
//! In: the plan and what it means for the virtual machines that the group has now ([`RecoveryPlan::resolved`]). Out: whether
//! it would work at the DR site (`plan/recovery_check.rs`), running it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{GroupId, ProtectedVmId};

mod edits;
mod faults;
pub use edits::Shift;
pub use faults::PlanFault;

/// The most tiers of a plan.
pub const MOST_TIERS: usize = 20;
/// The longest delay, before a virtual machine or after a tier, in seconds: four hours.
pub const MOST_DELAY_SECONDS: u32 = 4 * 60 * 60;
/// The shortest time limit of a boot check in seconds.
pub const LEAST_LIMIT_SECONDS: u32 = 10;
/// The longest time limit of a boot check in seconds: four hours.
pub const MOST_LIMIT_SECONDS: u32 = 4 * 60 * 60;
/// The time limit of a boot check in seconds unless said otherwise.
pub const DEFAULT_LIMIT_SECONDS: u32 = 300;
/// The most characters of a tier's name.
pub const MOST_NAME: usize = 60;
/// The most characters of notes.
pub const MOST_NOTES: usize = 4000;
/// The most characters of what a person is asked.
pub const MOST_PROMPT: usize = 500;
/// The most name servers of a network card.
pub const MOST_DNS: usize = 4;
/// The name of the tier that a plan begins with.
pub const FIRST_TIER: &str = "All virtual machines";

/// A recovery plan. What is missing in JSON is as in [`RecoveryPlan::default`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecoveryPlan {
    /// The tiers in the order in which they start. Tier 1 is the first of the list; a tier begins when all of the one before
    /// have passed their checks, or their time limits have.
    pub tiers: Vec<Tier>,
    /// Where network cards go.
    pub networks: NetworkMaps,
    /// What holds for a virtual machine about which the plan says nothing.
    pub defaults: BootCheck,
    /// For people.
    pub notes: String,
}

/// Virtual machines that start together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// What people call it.
    pub name: String,
    /// How many seconds pass between its last check and the next tier.
    #[serde(default)]
    pub delay_after_seconds: u32,
    /// Its virtual machines in the order in which they are powered on.
    #[serde(default)]
    pub vms: Vec<PlanVm>,
}

/// What the plan says about one virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanVm {
    /// Which.
    pub vm: ProtectedVmId,
    /// Whether it is not recovered at all.
    #[serde(default)]
    pub left_out: bool,
    /// What proves that it runs; none: the plan's default.
    #[serde(default)]
    pub check: Option<BootCheck>,
    /// How many seconds pass before it is powered on, after the one before it in its tier was.
    #[serde(default)]
    pub delay_before_seconds: u32,
    /// What changes on its network cards. A card that is not named keeps what its guest has.
    #[serde(default)]
    pub nics: Vec<PlanNic>,
    /// What a person is asked to do and confirm before it is powered on; empty: nothing.
    #[serde(default)]
    pub prompt_before: String,
    /// What a person is asked to do and confirm after its check; empty: nothing.
    #[serde(default)]
    pub prompt_after: String,
    /// For people.
    #[serde(default)]
    pub notes: String,
}

/// What proves that a virtual machine runs, and how long that may take after power-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootCheck {
    /// What is looked for.
    pub proof: BootProof,
    /// The time limit in seconds. After it the check has failed, and the plan goes on.
    pub limit_seconds: u32,
}

/// What is looked for after power-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BootProof {
    /// Nothing: that it is powered on is enough.
    None,
    /// VMware Tools run.
    Tools,
    /// The guest reports an address that is not link-local.
    Ip,
    /// One of the guest's addresses takes connections on this port.
    TcpPort {
        /// The port.
        port: u16,
    },
}

/// What changes on a network card. It holds for tests as for real recoveries: a test with other addresses would prove nothing
/// about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanNic {
    /// The source's key of the card.
    pub key: i32,
    /// Its address in the guest.
    pub address: GuestAddress,
}

/// How a guest gets the address of a network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum GuestAddress {
    /// As it is at the source: the guest is not touched.
    Keep,
    /// By DHCP.
    Dhcp,
    /// This one.
    Static {
        /// The address.
        address: IpAddr,
        /// How many of its first bits are the network's.
        prefix: u8,
        /// The gateway, in the same network.
        #[serde(default)]
        gateway: Option<IpAddr>,
        /// Name servers, the first asked first.
        #[serde(default)]
        dns: Vec<IpAddr>,
    },
}

/// Where network cards go, by their network at the source: its key, as [`NicNetwork::key`](super::hardware::NicNetwork::key)
/// and a manifest's list of networks have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkMaps {
    /// In a test. What is not named stays disconnected.
    pub test: BTreeMap<String, MappedNetwork>,
    /// In a real recovery. What is not named stays where the DR shell has it.
    pub real: BTreeMap<String, MappedNetwork>,
}

/// Where the cards of one network at the source go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case", deny_unknown_fields)]
pub enum MappedNetwork {
    /// Nowhere: they are there and not connected.
    Disconnected,
    /// To this network of the DR vCenter.
    Network {
        /// Its reference's id.
        id: String,
        /// Its name when it was chosen, for messages once it is gone.
        name: String,
    },
}

/// For what a plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A test.
    Test,
    /// A real recovery.
    Real,
}

/// A plan as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptPlan {
    /// Whose.
    pub group: GroupId,
    /// Counts up with each change, from 1.
    pub version: u32,
    /// It.
    pub plan: RecoveryPlan,
    /// Who changed it last.
    pub changed_by: String,
    /// When.
    pub changed_at: Timestamp,
}

/// A tier with every virtual machine that the group has now and the plan does not leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResolvedTier {
    /// 1 for the first.
    pub number: usize,
    /// What people call it.
    pub name: String,
    /// How many seconds pass between its last check and the next tier.
    pub delay_after_seconds: u32,
    /// Its virtual machines in the order in which they are powered on.
    pub vms: Vec<PlanVm>,
}

impl Default for RecoveryPlan {
    /// All virtual machines in one tier, proved by VMware Tools within five minutes; tests are connected to nothing, and real
    /// recoveries to what the shells have.
    fn default() -> Self {
        let first = Tier { name: FIRST_TIER.to_owned(), delay_after_seconds: 0, vms: Vec::new() };
        Self {
            tiers: vec![first],
            networks: NetworkMaps::default(),
            defaults: BootCheck::default(),
            notes: String::new(),
        }
    }
}

impl Default for BootCheck {
    fn default() -> Self {
        Self { proof: BootProof::Tools, limit_seconds: DEFAULT_LIMIT_SECONDS }
    }
}

impl PlanVm {
    /// A virtual machine about which the plan says nothing.
    pub fn plain(vm: ProtectedVmId) -> Self {
        Self {
            vm,
            left_out: false,
            check: None,
            delay_before_seconds: 0,
            nics: Vec::new(),
            prompt_before: String::new(),
            prompt_after: String::new(),
            notes: String::new(),
        }
    }

    /// What changes on the card with this key.
    pub fn address_of(&self, key: i32) -> &GuestAddress {
        self.nics.iter().find(|nic| nic.key == key).map_or(&GuestAddress::Keep, |nic| &nic.address)
    }

    /// Whether a person is asked before or after it.
    pub fn asks(&self) -> bool {
        !self.prompt_before.trim().is_empty() || !self.prompt_after.trim().is_empty()
    }
}

impl RecoveryPlan {
    /// What it says about a virtual machine, with the number of its tier; none: nothing.
    pub fn find(&self, vm: ProtectedVmId) -> Option<(usize, &PlanVm)> {
        self.tiers
            .iter()
            .zip(1..)
            .find_map(|(tier, number)| tier.vms.iter().find(|one| one.vm == vm).map(|one| (number, one)))
    }

    /// All that it names.
    pub fn vms(&self) -> impl Iterator<Item = &PlanVm> {
        self.tiers.iter().flat_map(|tier| &tier.vms)
    }

    /// What proves that this virtual machine runs.
    pub fn check_of(&self, vm: &PlanVm) -> BootCheck {
        vm.check.unwrap_or(self.defaults)
    }

    /// The map for this purpose.
    pub fn networks_for(&self, purpose: Purpose) -> &BTreeMap<String, MappedNetwork> {
        match purpose {
            Purpose::Test => &self.networks.test,
            Purpose::Real => &self.networks.real,
        }
    }

    /// The plan with every virtual machine of the group, in the order of `group`, and no other: those that no tier names are at
    /// the end of the last tier, so that none is forgotten. Those that are left out are in it.
    #[must_use]
    pub fn completed(&self, group: &[ProtectedVmId]) -> Self {
        let mut plan = self.clone();
        let there: BTreeSet<ProtectedVmId> = group.iter().copied().collect();
        for tier in &mut plan.tiers {
            tier.vms.retain(|one| there.contains(&one.vm));
        }
        if plan.tiers.is_empty() {
            plan.tiers = Self::default().tiers;
        }
        let named: BTreeSet<ProtectedVmId> = self.vms().map(|one| one.vm).collect();
        if let Some(last) = plan.tiers.last_mut() {
            last.vms.extend(group.iter().filter(|vm| !named.contains(vm)).map(|vm| PlanVm::plain(*vm)));
        }
        plan
    }

    /// What is started for the virtual machines that the group has now: [`RecoveryPlan::completed`] less what is left out, less
    /// tiers without any.
    pub fn resolved(&self, group: &[ProtectedVmId]) -> Vec<ResolvedTier> {
        let tiers = self.completed(group).tiers.into_iter().zip(1..);
        tiers
            .map(|(tier, number)| ResolvedTier {
                number,
                name: tier.name,
                delay_after_seconds: tier.delay_after_seconds,
                vms: tier.vms.into_iter().filter(|vm| !vm.left_out).collect(),
            })
            .filter(|tier| !tier.vms.is_empty())
            .collect()
    }
}

impl Purpose {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Real => "real",
        }
    }
}

impl BootProof {
    /// The word in the API and in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tools => "tools",
            Self::Ip => "ip",
            Self::TcpPort { .. } => "tcp_port",
        }
    }
}

impl fmt::Display for BootCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proof {
            BootProof::None => return f.write_str("powered on"),
            BootProof::Tools => f.write_str("VMware Tools run")?,
            BootProof::Ip => f.write_str("has an address")?,
            BootProof::TcpPort { port } => write!(f, "TCP port {port} answers")?,
        }
        write!(f, " within {} s", self.limit_seconds)
    }
}

#[cfg(test)]
mod tests;
