//! The two simulated sites of a small company: a vCenter and an appliance each, inside this process.

use std::sync::Arc;
use std::time::Duration;

use super::super::exit::Trouble;
use crate::sim::appliance::{Appliance, ApplianceMachines, ApplianceOptions, SiteExports};
use crate::sim::exports::Exports;
use crate::sim::vcenter::{NfsDatastore, Options, User, Vcenter};

/// Who logs in to both vCenters.
pub(in crate::cli) const VCENTER_USER: &str = "zerfaux@vsphere.local";
/// It protects nothing: what it opens is simulated.
pub(in crate::cli) const VCENTER_PASSWORD: &str = "simulated";
/// Who logs in to both appliances; root's rights come by sudo.
pub(in crate::cli) const APPLIANCE_USER: &str = "zfsadmin";
/// What is replicated.
pub(in crate::cli) const SOURCE: &str = "tank/vm01";
/// To where.
pub(in crate::cli) const DESTINATION: &str = "vault/replica/vm01";

/// What a protection group protects, and the datastore of it.
pub(in crate::cli) const PROTECTED: &str = "tank/vm02";
/// See [`PROTECTED`].
pub(in crate::cli) const PROTECTED_DATASTORE: &str = "nfs-berlin-02";

/// How long connections to the appliances and commands on them take.
const LATENCY: Duration = Duration::from_millis(5);
const TIB: u64 = 1 << 40;

/// A site.
pub(in crate::cli) struct Site {
    /// The connection's name.
    pub(in crate::cli) vcenter_name: &'static str,
    /// The vCenter.
    pub(in crate::cli) vcenter: Vcenter,
    /// The appliance's name.
    pub(in crate::cli) appliance_name: &'static str,
    /// The appliance.
    pub(in crate::cli) appliance: Appliance,
    /// Its pool.
    pub(in crate::cli) pool: &'static str,
    /// What the hosts of the site mount.
    pub(in crate::cli) nfs_address: &'static str,
    /// Where the disks of new machines go.
    pub(in crate::cli) block_datastore: &'static str,
    /// What runs in machines that are made from the template.
    pub(in crate::cli) machines: Arc<ApplianceMachines>,
}

/// What is needed of a site to deploy appliances in it.
pub(in crate::cli) struct Ground {
    pub(in crate::cli) vcenter_name: &'static str,
    pub(in crate::cli) block_datastore: &'static str,
    /// The port of every machine's SSH server.
    pub(in crate::cli) ssh_port: u16,
}

impl Site {
    /// The ground for new appliances.
    pub(in crate::cli) fn ground(&self) -> Ground {
        let (vcenter_name, block_datastore) = (self.vcenter_name, self.block_datastore);
        Ground { vcenter_name, block_datastore, ssh_port: self.machines.ssh_port() }
    }
}

/// Both. Dropped, they are gone with everything on them.
pub(in crate::cli) struct Sites {
    /// Where the company works.
    pub(in crate::cli) primary: Site,
    /// Where it would go on.
    pub(in crate::cli) dr: Site,
    /// What the hosts of both sites reach by NFS.
    pub(in crate::cli) exports: Arc<dyn Exports>,
}

impl Sites {
    /// Starts both on free ports of the loopback interface. The appliances let in whoever has this key.
    pub(in crate::cli) async fn start(public_key: &str) -> Result<Self, Trouble> {
        let (here, there) = ("10.20.150.11", "10.30.150.11");
        let appliance = |name: &str, pool: &str, size: u64| {
            let options = ApplianceOptions {
                hostname: name.to_owned(),
                pools: vec![(pool.to_owned(), size)],
                authorized_keys: Some(public_key.to_owned()),
                latency: LATENCY,
                ..ApplianceOptions::default()
            };
            Appliance::start(options).map_err(|error| Trouble::failed(&error).advise(error.advice()))
        };
        // What the hosts mount lies in the appliances' datasets, and so the files of the virtual machines do.
        let (zfs_here, zfs_there) =
            (appliance("zfs-berlin", "tank", 8 * TIB)?, appliance("zfs-potsdam", "vault", 12 * TIB)?);
        furnish(&zfs_here, &[SOURCE, PROTECTED], "tank/archive", "3T")?;
        furnish(&zfs_there, &["vault/nfs"], "vault/archive", "2T")?;
        let site_exports = Arc::new(SiteExports::new([]));
        site_exports.add(&zfs_here, [here]);
        site_exports.add(&zfs_there, [there]);
        let exports: Arc<dyn Exports> = Arc::clone(&site_exports) as _;
        let machines = |octet: u8| {
            let made = ApplianceMachines::new(octet, None, Arc::clone(&site_exports));
            made.map(|made| Arc::new(made.with_latency(LATENCY))).map_err(|error| Trouble::failed(&error))
        };
        let (machines_here, machines_there) = (machines(20)?, machines(30)?);
        let mount = |name: &str, server: &str, path: &str| NfsDatastore {
            name: name.to_owned(),
            server: server.to_owned(),
            path: path.to_owned(),
        };
        let vcenter = async |site: &str,
                             vms: usize,
                             seed: u64,
                             machines: &Arc<ApplianceMachines>,
                             nfs: Vec<NfsDatastore>| {
            let user =
                User { name: VCENTER_USER.into(), password: VCENTER_PASSWORD.into(), privileges: None };
            let options = Options {
                users: vec![user],
                vms,
                site: site.to_owned(),
                seed,
                nfs: Some(nfs),
                exports: exports.clone(),
                machines: Some(Arc::clone(machines) as _),
                ..Options::default()
            };
            Vcenter::start(options).await.map_err(|error| Trouble::failed(&error))
        };
        let primary = Site {
            vcenter_name: "vc-berlin",
            vcenter: vcenter("berlin", 40, 1, &machines_here, {
                vec![
                    mount("nfs-berlin-01", here, "/tank/vm01"),
                    mount(PROTECTED_DATASTORE, here, "/tank/vm02"),
                ]
            })
            .await?,
            appliance_name: "zfs-berlin",
            appliance: zfs_here,
            pool: "tank",
            nfs_address: here,
            block_datastore: "san-berlin-01",
            machines: machines_here,
        };
        let home = vec![mount("nfs-potsdam-home", there, "/vault/nfs")];
        let dr = Site {
            vcenter_name: "vc-potsdam",
            vcenter: vcenter("potsdam", 6, 2, &machines_there, home).await?,
            appliance_name: "zfs-potsdam",
            appliance: zfs_there,
            pool: "vault",
            nfs_address: there,
            block_datastore: "san-potsdam-01",
            machines: machines_there,
        };
        let sites = Self { primary, dr, exports };
        sites.fill()?;
        Ok(sites)
    }

    /// What is on the disks when the story begins.
    fn fill(&self) -> Result<(), Trouble> {
        let disks = ["erp01/erp01-flat.vmdk", "erp-db01/erp-db01-flat.vmdk", "mail01/mail01-flat.vmdk"];
        for (number, path) in (1..).zip(disks) {
            let written = self.primary.appliance.write(SOURCE, path, &bytes(3 << 20, number));
            written.map_err(|error| Trouble::failed(&error))?;
        }
        Ok(())
    }

    /// A day of work at the primary site: orders are booked, mail comes in.
    pub(in crate::cli) fn work(&self, day: u64) {
        let size = usize::try_from(60_000 + day * 7919 % 400_000).unwrap_or(60_000);
        let site = &self.primary.appliance;
        // A full pool ends the company's work, not the demo.
        let _ = site.write(SOURCE, &format!("erp-db01/redo-{}.log", day % 12), &bytes(size, day + 1000));
        let _ = site.write(SOURCE, &format!("mail01/queue-{}.log", day % 8), &bytes(size / 4, day));
        let _ = site.write(PROTECTED, &format!("orders/{}.log", day % 10), &bytes(size / 2, day + 2000));
    }
}

/// Datasets that hosts mount, and a large volume.
fn furnish(appliance: &Appliance, shared: &[&str], volume: &str, size: &str) -> Result<(), Trouble> {
    let mut commands: Vec<String> = Vec::new();
    for dataset in shared {
        commands.push(format!("zfs create -o sharenfs=rw=@10.0.0.0/8,no_root_squash {dataset}"));
    }
    commands.push(format!("zfs create -V {size} {volume}"));
    let made = appliance.run(&commands.join(" && "));
    match made.status {
        0 => Ok(()),
        _ => Err(Trouble::failed(&std::io::Error::other(made.stderr))),
    }
}

/// Bytes that do not repeat, the same for the same seed.
fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(next).take(count).collect()
}
