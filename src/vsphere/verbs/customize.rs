//! Guest customisation of Linux: host name, and addresses of the NICs.

use std::net::{IpAddr, Ipv4Addr};

use crate::domain::moref::{TaskRef, VmRef};
use crate::vsphere::xml::Xml;
use crate::vsphere::{Client, Request, VsphereError};

/// A fixed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticIpv4 {
    /// The address.
    pub address: Ipv4Addr,
    /// The subnet mask.
    pub mask: Ipv4Addr,
    /// The gateways.
    pub gateways: Vec<Ipv4Addr>,
}

/// How a NIC gets its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressing {
    /// From a DHCP server.
    Dhcp,
    /// As said.
    Static(StaticIpv4),
}

/// The address of one NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicAddress {
    /// The NIC, if it is told by its MAC address rather than by its place.
    pub mac: Option<String>,
    /// Its address.
    pub addressing: Addressing,
}

/// What is written into the guest at its next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinuxCustomization {
    /// The host name, without domain.
    pub host_name: String,
    /// The domain.
    pub domain: String,
    /// One for each NIC, in their order.
    pub nics: Vec<NicAddress>,
    /// Name servers.
    pub dns_servers: Vec<IpAddr>,
    /// Domains to search.
    pub dns_search: Vec<String>,
}

impl LinuxCustomization {
    /// Writes the inside of a `CustomizationSpec`.
    pub(super) fn write(&self, xml: &mut Xml) {
        xml.typed("options", "CustomizationLinuxOptions", |_| ());
        xml.typed("identity", "CustomizationLinuxPrep", |xml| {
            xml.typed("hostName", "CustomizationFixedName", |xml| {
                xml.text("name", &self.host_name);
            });
            xml.text("domain", &self.domain).flag("hwClockUTC", true);
        });
        xml.element("globalIPSettings", |xml| {
            for domain in &self.dns_search {
                xml.text("dnsSuffixList", domain);
            }
            for server in &self.dns_servers {
                xml.text("dnsServerList", server.to_string());
            }
        });
        for nic in &self.nics {
            xml.element("nicSettingMap", |xml| {
                xml.maybe("macAddress", nic.mac.as_deref());
                xml.element("adapter", |xml| match &nic.addressing {
                    Addressing::Dhcp => {
                        xml.typed("ip", "CustomizationDhcpIpGenerator", |_| ());
                    }
                    Addressing::Static(fixed) => {
                        xml.typed("ip", "CustomizationFixedIp", |xml| {
                            xml.text("ipAddress", fixed.address.to_string());
                        });
                        xml.text("subnetMask", fixed.mask.to_string());
                        for gateway in &fixed.gateways {
                            xml.text("gateway", gateway.to_string());
                        }
                    }
                });
            });
        }
    }
}

impl Client {
    /// Has the guest of a powered-off virtual machine customised at its next start.
    ///
    /// # Errors
    /// If the guest cannot be customised, or the server refuses or does not answer.
    pub async fn customize(&self, vm: &VmRef, spec: &LinuxCustomization) -> Result<TaskRef, VsphereError> {
        let request = Request::new("CustomizeVM_Task", vm, format!("customise the guest of {vm}"), |xml| {
            xml.element("spec", |xml| spec.write(xml));
        });
        self.require_vcenter(&request, "customise guests")?;
        self.start(&request).await
    }
}
