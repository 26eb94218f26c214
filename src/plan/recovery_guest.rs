//! What the guest of a recovered machine is told at its next start: its name, and the addresses that the recovery plan gives
//! its cards. VMware's customisation of Linux sets all cards of a guest together, by IPv4, and Windows only through Sysprep,
//! which is never run: a guest for which it cannot be done keeps what it has, and that is said.

use std::net::IpAddr;

use crate::domain::dr_shell::ShellNic;
use crate::domain::machine::Machine;
use crate::domain::recovery_plan::{GuestAddress, PlanVm};
use crate::domain::recovery_run::{GuestNetwork, GuestSettings};

/// The domain of a guest that does not say one: the customisation wants some (vSphere API, CustomizationLinuxPrep).
const NO_DOMAIN: &str = "localdomain";
/// The longest label of a host name (RFC 1035, 2.3.4).
const MOST_LABEL: usize = 63;

/// What its guest is told; none: the plan changes nothing.
///
/// # Errors
/// Why its guest keeps its addresses, as the end of a sentence.
pub(super) fn guest_settings(
    plan: &PlanVm,
    machine: &Machine,
    (name, host_name): (&str, Option<&str>),
    nics: &[ShellNic],
) -> Result<Option<GuestSettings>, String> {
    if plan.nics.iter().all(|nic| nic.address == GuestAddress::Keep) {
        return Ok(None);
    }
    let kind = machine.guest_id.as_deref().unwrap_or_default().to_ascii_lowercase();
    if kind.is_empty() {
        return Err("it is not known what its guest is".to_owned());
    }
    if kind.starts_with("win") {
        return Err("a Windows guest gets them only through Sysprep, which is never run".to_owned());
    }
    let (mut cards, mut dns) = (Vec::new(), Vec::new());
    for nic in nics {
        cards.push(match plan.address_of(nic.key) {
            GuestAddress::Dhcp => GuestNetwork::Dhcp,
            GuestAddress::Static { address: IpAddr::V4(address), prefix, gateway, dns: servers } => {
                let gateway = match gateway {
                    Some(IpAddr::V6(_)) => return Err(format!("{} has an IPv6 gateway", nic.label)),
                    Some(IpAddr::V4(gateway)) => Some(*gateway),
                    None => None,
                };
                servers.iter().for_each(|one| {
                    if !dns.contains(one) {
                        dns.push(*one);
                    }
                });
                GuestNetwork::Static { address: *address, prefix: *prefix, gateway }
            }
            GuestAddress::Static { .. } => return Err(format!("{} is to have an IPv6 address", nic.label)),
            GuestAddress::Keep => {
                return Err(format!(
                    "all cards of a guest are set together, and {} is to keep what it has",
                    nic.label
                ));
            }
        });
    }
    if cards.is_empty() {
        return Err("it has no network card at the DR site".to_owned());
    }
    let full = host_name.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(name);
    let (label, domain) = full.split_once('.').unwrap_or((full, ""));
    let domain = if domain.is_empty() { NO_DOMAIN } else { domain };
    Ok(Some(GuestSettings { host_name: label_of(label), domain: domain.to_owned(), nics: cards, dns }))
}

/// A label of letters, digits and hyphens (RFC 952).
fn label_of(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|one| if one.is_ascii_alphanumeric() { one } else { '-' })
        .take(MOST_LABEL)
        .collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "guest".to_owned() } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hardware::NicNetwork;
    use crate::domain::ids::ProtectedVmId;
    use crate::domain::recovery_plan::PlanNic;

    fn card(key: i32) -> ShellNic {
        ShellNic {
            key,
            label: format!("Network adapter {}", key - 3999),
            kind: "VirtualVmxnet3".to_owned(),
            network: NicNetwork::Standard { name: "VM Network".to_owned(), network: None },
            network_name: "VM Network".to_owned(),
            mac: None,
            start_connected: true,
        }
    }

    fn linux(id: &str) -> Machine {
        let machine: Machine = serde_json::from_value(serde_json::json!({
            "name": "erp", "instance_uuid": null, "bios_uuid": null, "guest_id": id, "version": 19, "cpus": 1,
            "cores_per_socket": 1, "memory_mib": 512, "firmware": "bios", "secure_boot": false, "boot_order": [],
            "shows_disk_uuids": false, "is_encrypted": false, "template": false, "has_snapshot": false, "home": null,
            "hardware": { "controllers": [], "disks": [], "nics": [], "iso_files": [] },
        }))
        .unwrap();
        machine
    }

    fn fixed(address: &str) -> GuestAddress {
        GuestAddress::Static {
            address: address.parse().unwrap(),
            prefix: 24,
            gateway: Some("10.9.0.1".parse().unwrap()),
            dns: vec!["10.9.0.53".parse().unwrap(), "10.9.0.53".parse().unwrap()],
        }
    }

    fn plan(nics: &[(i32, GuestAddress)]) -> PlanVm {
        let mut plan = PlanVm::plain(ProtectedVmId::new());
        plan.nics =
            nics.iter().map(|(key, address)| PlanNic { key: *key, address: address.clone() }).collect();
        plan
    }

    fn told(plan: &PlanVm, guest: &str, cards: &[ShellNic]) -> Result<Option<GuestSettings>, String> {
        guest_settings(plan, &linux(guest), ("ERP 01", Some("erp01.shop.example")), cards)
    }

    #[test]
    fn a_linux_guest_gets_the_addresses_of_the_plan_under_its_own_name() {
        let plan = plan(&[(4000, fixed("10.9.0.7")), (4001, GuestAddress::Dhcp)]);
        let told = told(&plan, "debian12_64Guest", &[card(4000), card(4001)]).unwrap().unwrap();
        assert_eq!((told.host_name.as_str(), told.domain.as_str()), ("erp01", "shop.example"));
        assert_eq!(told.nics.len(), 2);
        assert_eq!(told.dns, ["10.9.0.53".parse::<IpAddr>().unwrap()]);
        assert_eq!(told.nics[1], GuestNetwork::Dhcp);
        let plan = self::plan(&[(4000, fixed("10.9.0.7"))]);
        let nameless =
            guest_settings(&plan, &linux("debian12_64Guest"), ("ERP_01 (old)", None), &[card(4000)]);
        assert_eq!(nameless.unwrap().unwrap().host_name, "ERP-01--old");
    }

    #[test]
    fn what_cannot_be_set_is_said_and_nothing_is_set_by_half() {
        let nothing = plan(&[(4000, GuestAddress::Keep)]);
        assert_eq!(told(&nothing, "windows2019srv_64Guest", &[card(4000)]), Ok(None));
        let one = plan(&[(4000, fixed("10.9.0.7"))]);
        let why = |guest: &str, cards: &[ShellNic]| told(&one, guest, cards).unwrap_err();
        assert!(why("windows2019srv_64Guest", &[card(4000)]).contains("Sysprep"));
        assert!(why("", &[card(4000)]).contains("not known"));
        assert!(why("debian12_64Guest", &[card(4000), card(4001)]).contains("adapter 2 is to keep"));
        assert!(why("debian12_64Guest", &[]).contains("no network card"));
        let six = plan(&[(
            4000,
            GuestAddress::Static {
                address: "2001:db8::7".parse().unwrap(),
                prefix: 64,
                gateway: None,
                dns: Vec::new(),
            },
        )]);
        assert!(told(&six, "debian12_64Guest", &[card(4000)]).unwrap_err().contains("IPv6"));
    }
}
