//! The network cards of one machine in its recovery plan: which address each gets.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::app::recovery_plans::{GuestAddress, PlanNic, PlanView, PlanVm, network_name};
use crate::web::cx::typed;
use crate::web::view::form::{Choice, Field};

/// The cards that the newest checkpoint knows of, and those that the plan names: key and what they are called.
fn cards(view: &PlanView, said: &PlanVm) -> Vec<(i32, String)> {
    let uuid = view.vm(said.vm).map(|vm| vm.instance_uuid.as_str()).unwrap_or_default();
    let manifest = view.manifest.as_ref();
    let seen = manifest.and_then(|manifest| {
        let vm = manifest.vms.iter().find(|vm| vm.instance_uuid == uuid)?;
        let nics = vm.machine.as_ref()?.hardware.nics.iter();
        Some(
            nics.map(|nic| {
                let network = nic.network.key().map(|key| network_name(manifest, key));
                (nic.key, format!("{} on {}", nic.label, network.as_deref().unwrap_or("no network")))
            })
            .collect::<Vec<_>>(),
        )
    });
    let mut all = seen.unwrap_or_default();
    for nic in &said.nics {
        if !all.iter().any(|(key, _)| *key == nic.key) {
            all.push((nic.key, format!("Network card {}, which it does not have now", nic.key)));
        }
    }
    all
}

/// A section for each card.
pub(super) fn nic_fields(view: &PlanView, said: &PlanVm) -> Vec<(String, String, Vec<Field>)> {
    let modes = || {
        vec![
            Choice::new("keep", "Keep what the guest has"),
            Choice::new("dhcp", "By DHCP"),
            Choice::new("static", "This address"),
        ]
    };
    let section = |(key, name): (i32, String)| {
        let (mode, address, gateway, dns) = match said.address_of(key) {
            GuestAddress::Keep => ("keep", String::new(), String::new(), String::new()),
            GuestAddress::Dhcp => ("dhcp", String::new(), String::new(), String::new()),
            GuestAddress::Static { address, prefix, gateway, dns } => {
                let dns: Vec<String> = dns.iter().map(ToString::to_string).collect();
                let gateway = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
                ("static", format!("{address}/{prefix}"), gateway, dns.join(", "))
            }
        };
        let line = |part: &str, label: &str, value: String| {
            Field::line(format!("nic-{key}-{part}"), label).value(value).optional()
        };
        let fields = vec![
            Field::select(format!("nic-{key}-mode"), "Address", modes()).value(mode),
            line("address", "Address and prefix", address).hint("Such as 10.9.0.21/24."),
            line("gateway", "Gateway", gateway),
            line("dns", "Name servers", dns).hint("With commas between them."),
        ];
        (name, "The address in the guest, in tests as in real recoveries.".to_owned(), fields)
    };
    cards(view, said).into_iter().map(section).collect()
}

/// What was typed for each card. What cannot be read is added to the errors.
pub(super) fn read_nics(
    form: &HashMap<String, String>,
    view: &PlanView,
    said: &PlanVm,
    errors: &mut Vec<String>,
) -> Vec<PlanNic> {
    let mut all = Vec::new();
    for (key, name) in cards(view, said) {
        let part = |part: &str| typed(form, &format!("nic-{key}-{part}")).trim();
        let address = match part("mode") {
            "dhcp" => GuestAddress::Dhcp,
            "static" => match read_static(part("address"), part("gateway"), part("dns")) {
                Ok(address) => address,
                Err(why) => {
                    errors.push(format!("{name}: {why}"));
                    continue;
                }
            },
            _ => continue,
        };
        all.push(PlanNic { key, address });
    }
    all
}

fn read_static(address: &str, gateway: &str, dns: &str) -> Result<GuestAddress, String> {
    let ip = |text: &str| text.parse::<IpAddr>().map_err(|_| format!("{text:?} is no IP address."));
    let form = || format!("{address:?} is no address with its prefix, such as 10.9.0.21/24.");
    let (own, prefix) = address.split_once('/').ok_or_else(form)?;
    Ok(GuestAddress::Static {
        address: own.trim().parse().map_err(|_| form())?,
        prefix: prefix.trim().parse().map_err(|_| form())?,
        gateway: if gateway.is_empty() { None } else { Some(ip(gateway)?) },
        dns: dns
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(ip)
            .collect::<Result<Vec<IpAddr>, String>>()?,
    })
}
