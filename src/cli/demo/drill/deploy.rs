//! The scenes of a deployment: an appliance from a template, mounted by every host, and a protection datastore on it.

use super::super::super::exit::Trouble;
use super::super::deployment::{template, wish};
use super::super::sites::{Site, Sites};
use super::Stage;
use crate::app::datastores::DatastoreWish;
use crate::app::inventory::PlaceKind;
use crate::app::{App, AppError, Principal};
use crate::domain::ids::VcenterId;
use crate::domain::job::JobState;
use crate::domain::ssh_key::SshKey;
use crate::domain::target::Target;
use crate::sim::appliance::Appliance;
use crate::sim::exports::Export;

/// What is deployed.
const NAME: &str = "zfs-drill-01";
/// What is made on it.
const DATASTORE: &str = "protected-drill";

/// What a command on the simulated appliance says, without the line's end.
pub(super) fn says(appliance: &Appliance, command: &str) -> String {
    String::from_utf8_lossy(&appliance.run(command).stdout).trim_end().to_owned()
}

/// On how many hosts a job has mounted what it made.
fn mounted(result: &serde_json::Value) -> usize {
    result["hosts"].as_array().map_or(0, |all| all.iter().filter(|one| one["result"] == "done").count())
}

pub(super) fn missing(what: &str) -> Trouble {
    Trouble::failed(&std::io::Error::other(format!("there is no {what}")))
}

impl Stage {
    /// Deploys an appliance and looks at it from all sides.
    pub(super) async fn deploys(
        &mut self,
        app: &App,
        who: &Principal,
        site: &Site,
        key: &SshKey,
        vcenter: VcenterId,
    ) -> Result<Target, Trouble> {
        let made = template(app, who, &site.ground(), key, vcenter).await?;
        let made = made.ok_or_else(|| missing("template in the inventory"))?;
        self.fact(format!("the template {} is registered", made.name), made.is_active);
        let wish = wish(app, &made, NAME);
        let plan = app.plan_deployment(made.id, &wish).await?;
        let hosts = plan.deployment.as_ref().map_or(0, |one| one.datastore_hosts.len());
        self.fact(
            format!("nothing stands in the way of {NAME}, for {hosts} hosts"),
            plan.obstacles.is_empty(),
        );
        let before = site.vcenter.count("VirtualMachine");
        let job = app.deploy(who, made.id, &wish).await?;
        let job = self.job(app, job).await?;
        if job.state != JobState::Succeeded {
            return Err(missing("appliance, because its deployment failed"));
        }
        let machines = site.vcenter.count("VirtualMachine");
        self.fact(
            format!("{} has one virtual machine more: {machines}", site.vcenter_name),
            machines == before + 1,
        );
        let appliance = site.machines.appliance(NAME).ok_or_else(|| missing("machine that runs"))?;
        let pools = says(&appliance, "zpool list -H -o name,health");
        self.fact(format!("it has one pool: {}", pools.replace('\t', " ")), pools == "tank\tONLINE");
        let share = says(&appliance, "exportfs -v");
        let shared = share.contains("/tank/nfs") && !share.contains("async");
        self.fact("it exports /tank/nfs, and writes before it answers", shared);
        let result = job.result.clone().unwrap_or_default();
        let published =
            result["host_key_published"] == true && result["host_key"] == appliance.host_key_fingerprint();
        self.fact("its host key is the one that the guest itself has published", published);
        let mounted = mounted(&result);
        self.fact(format!("{mounted} of {hosts} hosts mount nfs-{NAME}"), mounted == hosts && hosts > 0);
        let target = app.targets().await?.into_iter().find(|one| one.name == NAME);
        let target = target.ok_or_else(|| missing("appliance of that name"))?;
        self.fact(format!("{NAME} is an appliance here, at {}", target.endpoint.host), target.is_active);
        // In a service the inventory follows by itself; here it is read again.
        let job = app.vcenters()?.sync(who, vcenter).await?;
        self.job(app, job).await?;
        let again = app.deploy(who, made.id, &wish).await;
        let refused = matches!(again, Err(AppError::Invalid { .. }));
        let machines = site.vcenter.count("VirtualMachine");
        self.fact("a second one of that name is refused", refused && machines == before + 1);
        let known = app.target_datastores(&target).await?;
        let known = known.iter().any(|one| one.datastore.name == format!("nfs-{NAME}"));
        self.fact(format!("the inventory knows nfs-{NAME} as an export of it"), known);
        Ok(target)
    }

    /// Makes a protection datastore on it, and has a host write into it.
    pub(super) async fn makes_datastore(
        &mut self,
        app: &App,
        who: &Principal,
        sites: &Sites,
        target: &Target,
        vcenter: VcenterId,
    ) -> Result<(), Trouble> {
        let hosts = app.vcenters()?.places(vcenter, Some(PlaceKind::Host)).await?;
        let host_morefs: Vec<String> = hosts.into_iter().map(|host| host.object.object.id).collect();
        let wanted = host_morefs.len();
        let wish = DatastoreWish { name: DATASTORE.to_owned(), host_morefs, ..DatastoreWish::default() };
        let job = app.create_protection_datastore(who, target.id, &wish).await?;
        let job = self.job(app, job).await?;
        let result = job.result.clone().unwrap_or_default();
        let mounted = mounted(&result);
        self.fact(format!("{mounted} of {wanted} hosts mount {DATASTORE}"), mounted == wanted && wanted > 0);
        let appliance = sites.dr.machines.appliance(NAME).ok_or_else(|| missing("machine that runs"))?;
        let dataset = format!("tank/zerfaux/live/{DATASTORE}");
        let record = says(&appliance, &format!("zfs get -Hp -o value recordsize {dataset}"));
        self.fact(format!("{dataset} has records of {record} bytes"), record == "32768");
        let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
        let export = Export::new(text("remote_host"), text("remote_path"));
        let written = sites.exports.write(&export, "erp01/erp01.vmx", b"written by a host").is_ok();
        let there = appliance.files(&dataset).get("erp01/erp01.vmx").cloned().flatten();
        let same = there.as_deref() == Some(&b"written by a host"[..]);
        self.fact("what a host writes there lies in that dataset", written && same);
        Ok(())
    }
}
