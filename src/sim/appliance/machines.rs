//! Machines of a simulated vCenter that are appliances: what was cloned from the template with OpenZFS in it boots as a
//! simulated appliance at the address of its network card, with the disks that the vCenter has given it.
//!
//! Such an address has to be one of this machine's own: on Linux every one that begins with 127 is.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Appliance, ApplianceOptions, SiteExports};
use crate::sim::machines::{Booted, Machines};

/// What a deployment asks for, and where the guest answers (the preparation script of a template does the same).
const NONCE: &str = "guestinfo.zerfaux.nonce";
const HOST_KEY: &str = "guestinfo.zerfaux.hostkey";

/// Appliances that boot and go with their machines.
#[derive(Debug)]
pub struct ApplianceMachines {
    /// The second part of the addresses that DHCP gives.
    octet: u8,
    ssh_port: u16,
    authorized_keys: Option<String>,
    latency: Duration,
    exports: Arc<SiteExports>,
    running: Mutex<BTreeMap<String, (String, Arc<Appliance>)>>,
}

impl ApplianceMachines {
    /// A site whose DHCP server gives `127.<octet>.<VLAN>.<number>`. Its hosts reach the exports of what boots; who logs in
    /// needs one of these keys (lines of `authorized_keys`), or any key where there are none.
    ///
    /// # Errors
    /// If there is no free port for the SSH servers, which all listen on the same one.
    pub fn new(octet: u8, authorized_keys: Option<String>, exports: Arc<SiteExports>) -> io::Result<Self> {
        let ssh_port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (latency, running) = (Duration::ZERO, Mutex::default());
        Ok(Self { octet, ssh_port, authorized_keys, latency, exports, running })
    }

    /// The same, whose connections and commands take so long to come through.
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// The port of every SSH server.
    pub fn ssh_port(&self) -> u16 {
        self.ssh_port
    }

    /// What runs in the machine of this name.
    pub fn appliance(&self, name: &str) -> Option<Arc<Appliance>> {
        self.running().values().find(|(of, _)| of == name).map(|(_, appliance)| Arc::clone(appliance))
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, (String, Arc<Appliance>)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, machine: &Booted) -> Option<Arc<Appliance>> {
        let address = *machine.addresses.first()?;
        let options = ApplianceOptions {
            listen: SocketAddr::new(address, self.ssh_port),
            hostname: machine.host_name.clone(),
            pools: Vec::new(),
            authorized_keys: self.authorized_keys.clone(),
            latency: self.latency,
            disks: machine.disks.clone(),
            ..ApplianceOptions::default()
        };
        match Appliance::start(options) {
            Ok(appliance) => {
                self.exports.add(&appliance, [address.to_string()]);
                Some(Arc::new(appliance))
            }
            Err(error) => {
                tracing::warn!(machine = machine.name, %address, %error, "a simulated machine has no network");
                None
            }
        }
    }
}

impl Machines for ApplianceMachines {
    fn lease(&self, vlan: i64, number: u32) -> Option<IpAddr> {
        let part = |number: u32| u8::try_from(number % 256).unwrap_or(0);
        let vlan = part(u32::try_from(vlan.rem_euclid(256)).unwrap_or(0));
        Some(Ipv4Addr::new(127, self.octet, vlan, part(20 + number % 230)).into())
    }

    fn up(&self, machine: &Booted) -> Vec<(String, String)> {
        // One that was reset starts anew, and its old self has to be gone before.
        self.down(&machine.id);
        let Some(appliance) = self.start(machine) else { return Vec::new() };
        let print = appliance.host_key_fingerprint();
        self.running().insert(machine.id.clone(), (machine.name.clone(), appliance));
        let nonce = machine.told.get(NONCE);
        nonce.map(|nonce| (HOST_KEY.to_owned(), format!("{nonce} {print}"))).into_iter().collect()
    }

    fn down(&self, id: &str) {
        let gone = self.running().remove(id);
        drop(gone);
    }
}
