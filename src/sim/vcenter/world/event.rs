//! Events: what happened, for those who read it afterwards.

use super::World;
use crate::sim::vcenter::soap::{Data, Moref, data};

/// Events that a vCenter remembers.
const REMEMBERED: usize = 5000;

/// What an event is about.
#[derive(Debug, Default)]
pub(in crate::sim::vcenter) struct Occurrence {
    pub(in crate::sim::vcenter) vm: Option<Moref>,
    pub(in crate::sim::vcenter) host: Option<Moref>,
    pub(in crate::sim::vcenter) datastore: Option<Moref>,
}

impl World {
    /// Records that something happened to a virtual machine.
    pub(in crate::sim::vcenter) fn vm_event(&mut self, ty: &'static str, vm: &Moref, message: &str) {
        let host = self.vm(vm).ok().and_then(|vm| vm.host.clone());
        self.event(data(ty), Occurrence { vm: Some(vm.clone()), host, datastore: None }, message);
    }

    /// Records an event; `event` has the fields of its own type.
    pub(in crate::sim::vcenter) fn event(&mut self, event: Data, about: Occurrence, message: &str) {
        let argument = |ty: &'static str, field: &'static str, moref: &Moref| {
            data(ty).with("name", self.name(moref).to_owned()).with(field, moref)
        };
        let at = about.vm.as_ref().or(about.host.as_ref()).or(about.datastore.as_ref());
        let datacenter = at.and_then(|moref| self.datacenter_of(moref));
        let cluster = about.host.as_ref().and_then(|host| self.cluster_of(host));
        let event = event
            .maybe(
                "datacenter",
                datacenter.map(|moref| argument("DatacenterEventArgument", "datacenter", &moref)),
            )
            .maybe(
                "computeResource",
                cluster.map(|moref| argument("ComputeResourceEventArgument", "computeResource", &moref)),
            )
            .maybe("host", about.host.map(|moref| argument("HostEventArgument", "host", &moref)))
            .maybe("vm", about.vm.map(|moref| argument("VmEventArgument", "vm", &moref)))
            .maybe(
                "ds",
                about.datastore.map(|moref| argument("DatastoreEventArgument", "datastore", &moref)),
            );
        self.ids += 1;
        let event = event
            .with("key", self.ids)
            .with("chainId", self.ids)
            .with("createdTime", self.timestamp())
            .with("userName", self.caller.clone())
            .with("fullFormattedMessage", message.to_owned());
        self.events.push_back(event);
        if self.events.len() > REMEMBERED {
            self.events.pop_front();
        }
        self.change += 1;
    }
}
