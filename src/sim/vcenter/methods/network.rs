//! Port groups that are made and taken away.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value};
use crate::sim::vcenter::world::{Body, HostPortgroup, Network, Portgroup, Vlan};

fn host_of(c: &Ctx<'_>) -> Result<Moref, Fault> {
    c.sight().owner(&c.this).ok_or_else(|| Fault::gone(&c.this))
}

pub(super) fn add_host_group(c: &mut Ctx<'_>) -> Answer {
    let (spec, host) = (c.data("portgrp")?, host_of(c)?);
    let name = spec.text("name").unwrap_or_default().to_owned();
    let vlan = spec.int("vlanId").filter(|id| (0..=4095).contains(id));
    let vlan = vlan.ok_or_else(|| Fault::invalid_argument("portgrp.vlanId"))?;
    let switch = spec.text("vswitchName").unwrap_or_default().to_owned();
    if c.world.host(&host)?.portgroups.iter().any(|group| group.name == name) {
        return Err(
            Fault::new("AlreadyExists", format!("The port group '{name}' exists.")).with("name", name)
        );
    }
    c.world.host_mut(&host)?.portgroups.push(HostPortgroup { name: name.clone(), vlan, switch });
    let datacenter = c.world.datacenter_of(&host).ok_or_else(|| Fault::gone(&host))?;
    match c.world.standard_network(Some(&datacenter), &name) {
        Some(network) => c.world.network_mut(&network)?.hosts.push(host.clone()),
        None => {
            let folder = c.world.datacenter(&datacenter)?.network_folder.clone();
            let network = c.world.fresh("Network", "network-");
            c.world.put(
                network,
                &name,
                Some(folder),
                Body::Network(Network { vlan, hosts: vec![host.clone()] }),
            );
        }
    }
    c.world.restructured(&host);
    Ok(None)
}

pub(super) fn remove_host_group(c: &mut Ctx<'_>) -> Answer {
    let (name, host) = (c.text("pgName")?, host_of(c)?);
    let datacenter = c.world.datacenter_of(&host);
    let network = c.world.standard_network(datacenter.as_ref(), &name).ok_or_else(Fault::not_found)?;
    let used = c
        .world
        .vms()
        .any(|(_, vm)| vm.host.as_ref() == Some(&host) && c.world.networks_of(vm).contains(&network));
    if used {
        return Err(Fault::new("ResourceInUse", format!("The port group '{name}' is in use."))
            .with("type", "PortGroup")
            .with("name", name));
    }
    c.world.host_mut(&host)?.portgroups.retain(|group| group.name != name);
    c.world.network_mut(&network)?.hosts.retain(|other| *other != host);
    if c.world.network(&network)?.hosts.is_empty() {
        c.world.remove(&network);
    }
    c.world.restructured(&host);
    Ok(None)
}

fn vlan(spec: &Data) -> Result<Vlan, Fault> {
    let setting = spec.data("defaultPortConfig").and_then(|setting| setting.data("vlan"));
    let Some(vlan) = setting else { return Ok(Vlan::Id(0)) };
    let id = |name: &str| vlan.int(name).filter(|id| (0..=4095).contains(id));
    match vlan.ty {
        "VmwareDistributedVirtualSwitchVlanIdSpec" => id("vlanId").map(Vlan::Id),
        "VmwareDistributedVirtualSwitchPvlanSpec" => id("pvlanId").map(Vlan::Private),
        _ => vlan
            .list("vlanId")
            .first()
            .and_then(Value::data)
            .and_then(|range| Some(Vlan::Trunk(range.int("start")?, range.int("end")?))),
    }
    .ok_or_else(|| Fault::invalid_argument("spec.defaultPortConfig.vlan"))
}

pub(super) fn add_distributed(c: &mut Ctx<'_>, method: &str) -> Answer {
    let specs: Vec<Data> = match c.args.get("spec") {
        Some(Value::List(list)) => list.iter().filter_map(Value::data).cloned().collect(),
        Some(one) => one.data().cloned().into_iter().collect(),
        None => Vec::new(),
    };
    let this = c.this.clone();
    let folder = c.world.object(&this)?.parent.clone().ok_or_else(|| Fault::gone(&this))?;
    let mut groups = Vec::new();
    for spec in &specs {
        let name = spec.text("name").unwrap_or_default().to_owned();
        c.world.check_name(&folder, &name, None)?;
        groups.push((name, vlan(spec)?));
    }
    let names = match method {
        "CreateDVPortgroup_Task" => ("CreateDVPortgroup_Task", "DistributedVirtualSwitch.createPortgroup"),
        _ => ("AddDVPortgroup_Task", "DistributedVirtualSwitch.addPortgroups"),
    };
    c.task(names, 1.0, Ok(()), move |world| {
        let mut made = None;
        for (name, vlan) in groups {
            world.check_name(&folder, &name, None)?;
            let moref = world.fresh("DistributedVirtualPortgroup", "dvportgroup-");
            let key = moref.id.to_string();
            let group = Portgroup { key, switch: this.clone(), vlan, uplink: false, ports: 0 };
            world.put(moref.clone(), &name, Some(folder.clone()), Body::Portgroup(group));
            world.switch_mut(&this)?.portgroups.push(moref.clone());
            made = Some(moref.into());
        }
        Ok(made)
    })
}
