//! What is done to the clone while it is off: its disk and its network in one request, then the customisation of its
//! guest. Each is done once, whatever happens meanwhile ([`crate::jobs::vsphere_task`]).

use std::borrow::Cow;

use async_trait::async_trait;

use crate::domain::deployment::Deployment;
use crate::domain::hardware::{Disk, Hardware};
use crate::domain::job::Failure;
use crate::domain::moref::{ManagedRef, TaskRef, VmRef};
use crate::jobs::vsphere_task::Deed;
use crate::vsphere::verbs::{
    Addressing, DeviceChange, LinuxCustomization, NewDisk, NicAddress, NicConnection, NicSpec, Reconfigure,
    StaticIpv4,
};
use crate::vsphere::{Client, ObjectContent, VsphereError, read_hardware};

/// The option that says at which controller and unit the disk for the pool was added. It is written by the very request
/// that adds the disk, so one is there only if the other is.
const DISK_AT: &str = "zerfaux.pool_disk";
/// What the guest reads before it tells its host key.
pub(super) const NONCE: &str = "guestinfo.zerfaux.nonce";
/// What the guest tells.
pub(super) const HOST_KEY: &str = "guestinfo.zerfaux.hostkey";

/// The clone's disk for the pool, and the NIC on its network.
pub(super) struct Equip<'a> {
    pub(super) vm: VmRef,
    pub(super) input: &'a Deployment,
    /// The number that the guest has to give back.
    pub(super) nonce: String,
}

/// The value of an option of a virtual machine.
pub(super) fn option_of(found: &ObjectContent, key: &str) -> Option<String> {
    let options = found.get("config.extraConfig")?.children();
    options.iter().find(|one| one.text_at("key") == Some(key))?.string_at("value")
}

pub(super) fn hardware_of(found: &ObjectContent) -> Hardware {
    found.get("config.hardware.device").map(read_hardware).unwrap_or_default()
}

impl Equip<'_> {
    async fn read(&self, client: &Client) -> Result<ObjectContent, VsphereError> {
        let paths = ["config.extraConfig", "config.hardware.device"];
        client.properties(&self.vm, VmRef::KIND, &paths).await
    }

    fn change(&self, hardware: &Hardware) -> Result<Reconfigure, String> {
        let (controller, unit) = hardware
            .free_scsi_unit()
            .ok_or_else(|| "the template has no SCSI controller with a free place for the disk".to_owned())?;
        let connection = NicConnection::of(&self.input.place.network)
            .ok_or_else(|| "the network is of a sort that a NIC cannot be connected to".to_owned())?;
        let nic = match hardware.nics.first() {
            Some(nic) => DeviceChange::ConnectNic(nic.clone(), connection),
            None => DeviceChange::AddNic(NicSpec {
                kind: "VirtualVmxnet3".to_owned(),
                connection,
                mac: None,
                start_connected: true,
            }),
        };
        let disk = DeviceChange::AddDisk(NewDisk {
            controller,
            unit,
            capacity_bytes: self.input.disk_bytes(),
            thin: self.input.thin,
            file: None,
        });
        let option = |key: &str, value: String| (key.to_owned(), value);
        Ok(Reconfigure {
            devices: vec![disk, nic],
            extra_config: vec![
                option(DISK_AT, format!("{controller}:{unit}")),
                // The guest then sees the disk's UUID as its serial number.
                option("disk.EnableUUID", "TRUE".to_owned()),
                option(NONCE, self.nonce.clone()),
                // What an earlier life of the template may have left proves nothing, and is not kept either.
                option(HOST_KEY, String::new()),
            ],
            ..Reconfigure::default()
        })
    }
}

#[async_trait]
impl Deed for Equip<'_> {
    type Done = Disk;

    fn key(&self) -> Cow<'static, str> {
        "equip".into()
    }

    fn what(&self) -> String {
        format!("add the disk for the pool to {:?} and connect its network", self.input.vm_name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<Disk>, Failure> {
        let found = self.read(client).await?;
        let hardware = hardware_of(&found);
        let Some(place) = option_of(&found, DISK_AT) else {
            // Said before a request is sent that would only be refused in vSphere's words.
            self.change(&hardware).map_err(|why| {
                Failure::permanent(format!("Could not {}: {why}.", self.what()))
                    .advise("Change the template in vCenter, then retry.")
            })?;
            return Ok(None);
        };
        let is_it = |disk: &&Disk| format!("{}:{}", disk.controller, disk.unit) == place;
        Ok(hardware.disks.iter().find(is_it).cloned())
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let hardware = hardware_of(&self.read(client).await?);
        let change = self.change(&hardware).unwrap_or_default();
        client.reconfigure(&self.vm, &change).await
    }
}

/// Host name and address, written into the guest at its first start.
pub(super) struct Customise<'a> {
    pub(super) vm: VmRef,
    pub(super) input: &'a Deployment,
}

impl Customise<'_> {
    /// One setting for each NIC: the first is ours, others of the template ask by DHCP as they please.
    fn spec(&self, nics: usize) -> LinuxCustomization {
        let guest = &self.input.guest;
        let first = match guest.fixed {
            None => Addressing::Dhcp,
            Some(fixed) => Addressing::Static(StaticIpv4 {
                address: fixed.address,
                mask: fixed.mask,
                gateways: vec![fixed.gateway],
            }),
        };
        let others = std::iter::repeat_n(Addressing::Dhcp, nics.saturating_sub(1));
        LinuxCustomization {
            host_name: guest.hostname.clone(),
            domain: guest.domain.clone(),
            nics: std::iter::once(first)
                .chain(others)
                .map(|addressing| NicAddress { mac: None, addressing })
                .collect(),
            dns_servers: guest.dns_servers.clone(),
            dns_search: guest.dns_suffixes.clone(),
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
        format!("have the guest of {:?} customised", self.input.vm_name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.customize"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let paths = ["config.tools.pendingCustomization", "guest.customizationInfo"];
        let found = client.properties(&self.vm, VmRef::KIND, &paths).await?;
        let waits = found.text("config.tools.pendingCustomization").is_some();
        let status =
            found.get("guest.customizationInfo").and_then(|info| info.text_at("customizationStatus"));
        let asked = status.is_some_and(|status| !status.ends_with("IDLE"));
        Ok((waits || asked).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let found = client.properties(&self.vm, VmRef::KIND, &["config.hardware.device"]).await?;
        client.customize(&self.vm, &self.spec(hardware_of(&found).nics.len())).await
    }
}
