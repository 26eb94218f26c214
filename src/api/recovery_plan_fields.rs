//! A recovery plan in requests and answers. Its JSON is the domain's own: these types describe it, and a test holds them to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::recovery_plan::{self, RecoveryPlan};

/// A recovery plan. What is left out is as in the default: all virtual machines in one tier, proved by VMware Tools within five
/// minutes; in tests no card is connected, in real recoveries each is where its DR shell has it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = RecoveryPlanBody)]
pub struct Plan {
    /// The tiers in the order in which they start. A tier begins when all of the one before have passed their checks, or their
    /// time limits have.
    #[schema(min_items = 1, max_items = 20)]
    pub tiers: Vec<Tier>,
    /// Where network cards go.
    pub networks: NetworkMaps,
    /// What holds for a virtual machine about which the plan says nothing.
    pub defaults: BootCheck,
    /// For people.
    #[schema(max_length = 4000)]
    pub notes: String,
}

/// Virtual machines that start together.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecoveryTier)]
pub struct Tier {
    /// What people call it.
    #[schema(min_length = 1, max_length = 60)]
    pub name: String,
    /// Seconds between its last check and the next tier.
    #[serde(default)]
    #[schema(maximum = 14400)]
    pub delay_after_seconds: u32,
    /// Its virtual machines in the order in which they are powered on.
    #[serde(default)]
    pub vms: Vec<PlanVm>,
}

/// What the plan says about one virtual machine.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecoveryVm)]
pub struct PlanVm {
    /// The id of the protected virtual machine.
    pub vm: String,
    /// Whether it is not recovered at all.
    #[serde(default)]
    pub left_out: bool,
    /// What proves that it runs; null: the plan's default.
    #[serde(default)]
    pub check: Option<BootCheck>,
    /// Seconds before it is powered on, after the one before it in its tier was.
    #[serde(default)]
    #[schema(maximum = 14400)]
    pub delay_before_seconds: u32,
    /// What changes on its network cards. A card that is not named keeps what its guest has.
    #[serde(default)]
    pub nics: Vec<PlanNic>,
    /// What a person is asked to do and confirm before it is powered on; empty: nothing.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub prompt_before: String,
    /// What a person is asked to do and confirm after its check; empty: nothing.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub prompt_after: String,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub notes: String,
}

/// What proves that a virtual machine runs, and how long that may take after power-on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BootCheck {
    /// What is looked for.
    pub proof: BootProof,
    /// The time limit in seconds. After it the check has failed, and the plan goes on.
    #[schema(minimum = 10, maximum = 14400)]
    pub limit_seconds: u32,
}

/// What is looked for after power-on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
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
        #[schema(minimum = 1)]
        port: u16,
    },
}

/// What changes on a network card, in tests as in real recoveries.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecoveryNic)]
pub struct PlanNic {
    /// The source's key of the card.
    pub key: i32,
    /// Its address in the guest.
    pub address: GuestAddress,
}

/// How a guest gets the address of a network card.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum GuestAddress {
    /// As it is at the source: the guest is not touched.
    Keep,
    /// By DHCP.
    Dhcp,
    /// This one.
    Static {
        /// The address.
        address: String,
        /// How many of its first bits are the network's.
        prefix: u8,
        /// The gateway, in the same network.
        #[serde(default)]
        gateway: Option<String>,
        /// Name servers, the first asked first.
        #[serde(default)]
        #[schema(max_items = 4)]
        dns: Vec<String>,
    },
}

/// Where network cards go, by the key of their network at the source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkMaps {
    /// In a test. What is not named stays disconnected.
    pub test: BTreeMap<String, MappedNetwork>,
    /// In a real recovery. What is not named stays where the DR shell has it.
    pub real: BTreeMap<String, MappedNetwork>,
}

/// Where the cards of one network at the source go.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "to", rename_all = "snake_case", deny_unknown_fields)]
pub enum MappedNetwork {
    /// Nowhere: they are there and not connected.
    Disconnected,
    /// To this network of the DR vCenter.
    Network {
        /// Its reference's id.
        id: String,
        /// Its name when it was chosen.
        name: String,
    },
}

impl Default for Plan {
    fn default() -> Self {
        let check = recovery_plan::BootCheck::default();
        Self {
            tiers: vec![Tier {
                name: recovery_plan::FIRST_TIER.to_owned(),
                delay_after_seconds: 0,
                vms: Vec::new(),
            }],
            networks: NetworkMaps::default(),
            defaults: BootCheck { proof: BootProof::Tools, limit_seconds: check.limit_seconds },
            notes: String::new(),
        }
    }
}

impl TryFrom<&RecoveryPlan> for Plan {
    type Error = serde_json::Error;
    fn try_from(plan: &RecoveryPlan) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(plan)?)
    }
}

impl Plan {
    /// The plan that it describes.
    ///
    /// # Errors
    /// If an id or an address in it is none.
    pub fn read(&self) -> Result<RecoveryPlan, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ProtectedVmId;
    use serde_json::json;

    #[test]
    fn what_is_described_is_what_is_read() {
        let vm = ProtectedVmId::new();
        let full = json!({
            "tiers": [{
                "name": "Web", "delay_after_seconds": 5,
                "vms": [{
                    "vm": vm, "left_out": true, "delay_before_seconds": 7, "notes": "n", "prompt_before": "b",
                    "prompt_after": "a", "check": { "proof": { "kind": "tcp_port", "port": 443 }, "limit_seconds": 60 },
                    "nics": [
                        { "key": 4000, "address": { "kind": "keep" } },
                        { "key": 4001, "address": { "kind": "dhcp" } },
                        { "key": 4002, "address": {
                            "kind": "static", "address": "10.0.0.5", "prefix": 24, "gateway": "10.0.0.1",
                            "dns": ["10.0.0.2"],
                        } },
                    ],
                }],
            }],
            "networks": {
                "test": { "network-1": { "to": "disconnected" } },
                "real": { "network-1": { "to": "network", "id": "net-9", "name": "DR" } },
            },
            "defaults": { "proof": { "kind": "ip" }, "limit_seconds": 90 },
            "notes": "for people",
        });
        let plan: RecoveryPlan = serde_json::from_value(full.clone()).unwrap();
        let body = Plan::try_from(&plan).unwrap();
        assert_eq!(body.read().unwrap(), plan);
        assert_eq!(serde_json::to_value(&body).unwrap(), full);
        let none: Plan = serde_json::from_value(json!({})).unwrap();
        assert_eq!(none.read().unwrap(), RecoveryPlan::default());
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let mut body = Plan::default();
        let address = GuestAddress::Static {
            address: "10.0.0.555".to_owned(),
            prefix: 24,
            gateway: None,
            dns: Vec::new(),
        };
        body.tiers[0].vms = vec![PlanVm {
            vm: ProtectedVmId::new().to_string(),
            left_out: false,
            check: None,
            delay_before_seconds: 0,
            nics: vec![PlanNic { key: 4000, address }],
            prompt_before: String::new(),
            prompt_after: String::new(),
            notes: String::new(),
        }];
        assert!(body.read().unwrap_err().to_string().contains("IP address"));
    }
}
