//! The addresses that the recovery plan gives a guest, by VMware's customisation of Linux at its next start.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use async_trait::async_trait;

use crate::domain::job::Failure;
use crate::domain::moref::{ManagedRef, TaskRef, VmRef};
use crate::domain::recovery_run::{GuestNetwork, GuestSettings};
use crate::jobs::vsphere_task::Deed;
use crate::vsphere::verbs::{Addressing, CustomizationOutcome, LinuxCustomization, NicAddress, StaticIpv4};
use crate::vsphere::{Client, VsphereError};

/// Has the guest told at its next start.
pub(super) struct Customise<'a> {
    pub(super) vm: &'a VmRef,
    pub(super) name: &'a str,
    pub(super) guest: &'a GuestSettings,
}

/// The mask with so many bits set.
fn mask(prefix: u8) -> Ipv4Addr {
    let bits = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    Ipv4Addr::from(bits)
}

/// In words, for the report.
pub(super) fn told(guest: &GuestSettings) -> String {
    let of = |nic: &GuestNetwork| match nic {
        GuestNetwork::Dhcp => "DHCP".to_owned(),
        GuestNetwork::Static { address, prefix, .. } => format!("{address}/{prefix}"),
    };
    let all: Vec<String> = guest.nics.iter().map(of).collect();
    format!("its guest {} gets {} at its start", guest.host_name, all.join(", "))
}

impl Customise<'_> {
    fn spec(&self) -> LinuxCustomization {
        let nic = |nic: &GuestNetwork| NicAddress {
            mac: None,
            addressing: match nic {
                GuestNetwork::Dhcp => Addressing::Dhcp,
                GuestNetwork::Static { address, prefix, gateway } => Addressing::Static(StaticIpv4 {
                    address: *address,
                    mask: mask(*prefix),
                    gateways: gateway.iter().copied().collect(),
                }),
            },
        };
        LinuxCustomization {
            host_name: self.guest.host_name.clone(),
            domain: self.guest.domain.clone(),
            nics: self.guest.nics.iter().map(nic).collect(),
            dns_servers: self.guest.dns.clone(),
            dns_search: Vec::new(),
        }
    }
}

#[async_trait]
impl Deed for Customise<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "customise".into()
    }

    fn what(&self) -> String {
        format!("have the guest of {:?} told its addresses", self.name)
    }

    fn entity(&self) -> ManagedRef {
        self.vm.into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.customize"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let paths = ["config.tools.pendingCustomization", "guest.customizationInfo", "runtime.powerState"];
        let found = client.properties(self.vm, VmRef::KIND, &paths).await?;
        let status =
            found.get("guest.customizationInfo").and_then(|info| info.text_at("customizationStatus"));
        // What an earlier recovery told it, and how that ended, says nothing of this one.
        let waits = found.text("config.tools.pendingCustomization").is_some()
            || status.is_some_and(|status| status.ends_with("PENDING"));
        // One that runs has started since, with what it was told.
        let runs = found.text("runtime.powerState") == Some("poweredOn");
        Ok((waits || runs).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        client.customize(self.vm, &self.spec()).await
    }
}

/// What the vCenter says of how it went, after the event with that number.
///
/// # Errors
/// If it went wrong: the guest may have an address that is another machine's.
pub(super) async fn went(
    client: &Client,
    vm: &VmRef,
    name: &str,
    after: i64,
) -> Result<&'static str, Failure> {
    match client.customization_outcome(vm, after).await? {
        None => Ok("the vCenter has not told yet that the guest took its addresses"),
        Some(CustomizationOutcome::Succeeded) => Ok("the guest took its addresses"),
        Some(CustomizationOutcome::Failed { message, log, .. }) => {
            let log = log.unwrap_or_else(|| "/var/log/vmware-imc/toolsDeployPkg.log".to_owned());
            Err(Failure::permanent(format!("The guest of {name:?} did not take its addresses: {message}")).advise(
                format!(
                    "It runs and may have the addresses of its source. Look at its log of it ({log}); set them by hand, or \
                     power it off."
                ),
            ))
        }
    }
}

/// The number of the newest event of a virtual machine; 0: there is none.
pub(super) async fn newest_event(client: &Client, vm: &VmRef) -> Result<i64, Failure> {
    Ok(client.events(vm, 100).await?.into_iter().map(|event| event.key).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_mask() {
        for (prefix, wanted) in
            [(24, "255.255.255.0"), (20, "255.255.240.0"), (32, "255.255.255.255"), (0, "0.0.0.0")]
        {
            assert_eq!(mask(prefix).to_string(), wanted);
        }
    }
}
