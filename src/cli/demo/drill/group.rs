//! The scenes of a protection group: its first and its second run, and DR shells of its virtual machines.

use super::super::super::exit::Trouble;
use super::super::protection::{assign, wish};
use super::super::sites::{PROTECTED as DATASET, PROTECTED_DATASTORE as DATASTORE, Site, Sites};
use super::deploy::{missing, says};
use super::{Stage, snapshots};
use crate::app::dr_shells::ShellWish;
use crate::app::protected_vms::ProtectedVm;
use crate::app::{App, Principal};
use crate::domain::ids::VcenterId;
use crate::domain::job::JobState;
use crate::domain::protection_group::ProtectionGroup;
use crate::domain::target::Target;
use crate::sim::exports::Export;

/// Of how many virtual machines shells are made.
const SHELLS: usize = 2;

/// A group and what it protects.
pub(super) struct Protected {
    pub(super) group: ProtectionGroup,
    pub(super) vms: Vec<ProtectedVm>,
}

impl Stage {
    /// Makes a group of everything on a datastore, and brings it to the DR site twice.
    pub(super) async fn protects(
        &mut self,
        app: &App,
        who: &Principal,
        sites: &Sites,
        vcenters: &[VcenterId],
        targets: &[Target],
    ) -> Result<Protected, Trouble> {
        let wish = wish([vcenters[0], vcenters[1]], targets[1].id, 15);
        let group = app.create_protection_group(who, &wish).await?;
        self.fact(
            format!("{DATASTORE} is the dataset {} of {}", group.source.dataset, targets[0].name),
            group.source.dataset.as_str() == DATASET && group.source.target == targets[0].id,
        );
        let (there, views) = assign(app, who, &group).await?;
        self.fact(
            format!("{} virtual machines of {DATASTORE} are protected", views.len()),
            !views.is_empty() && views.len() == there,
        );
        let vms: Vec<ProtectedVm> = views.into_iter().map(|view| view.vm).collect();
        self.runs(app, who, sites, &group).await?;
        let first = snapshots(&sites.dr, group.dr.dataset.as_str()).len();
        let home = &vms.first().ok_or_else(|| missing("virtual machine on it"))?.name;
        let export = Export::new(sites.primary.nfs_address, format!("/{DATASET}"));
        let written = sites.exports.write(&export, &format!("{home}/orders.log"), &[7; 40_000]).is_ok();
        self.fact(format!("{home} goes on with its work"), written);
        self.runs(app, who, sites, &group).await?;
        let checkpoints = snapshots(&sites.dr, group.dr.dataset.as_str()).len();
        self.fact(
            format!("{checkpoints} checkpoints are at {}", sites.dr.appliance_name),
            checkpoints == first + 1,
        );
        Ok(Protected { group, vms })
    }

    /// One run of the group, compared byte for byte.
    pub(super) async fn runs(
        &mut self,
        app: &App,
        who: &Principal,
        sites: &Sites,
        group: &ProtectionGroup,
    ) -> Result<(), Trouble> {
        let job = app.run_protection_group(who, group.id).await?;
        self.job(app, job).await?;
        let replica = group.dr.dataset.as_str();
        self.compares(sites, DATASET, replica);
        let state = says(&sites.dr.appliance, &format!("zfs get -Hp -o value readonly,mounted {replica}"));
        self.fact("the replica is read-only, and nobody mounts it", state == "on\nno");
        Ok(())
    }

    /// Makes shells of the first virtual machines, and looks for what their making should not have left.
    pub(super) async fn makes_shells(
        &mut self,
        app: &App,
        who: &Principal,
        sites: &Sites,
        protected: &Protected,
    ) -> Result<(), Trouble> {
        let Protected { group, vms } = protected;
        let dr = &sites.dr;
        let before = snapshots(dr, group.dr.dataset.as_str());
        let machines = dr.vcenter.count("VirtualMachine");
        let datastores = dr.vcenter.count("Datastore");
        let mut made = 0;
        for vm in vms.iter().take(SHELLS) {
            let wish = self.shell_wish(app, group, dr).await?;
            let plan = app.dr_shell_plan(vm.id, &wish).await?.plan;
            let why: Vec<&str> = plan.obstacles.iter().map(|one| one.message.as_str()).collect();
            self.fact(
                format!("nothing stands in the way of a shell for {}{}", vm.name, why.join(" ")),
                why.is_empty(),
            );
            let job = app.create_dr_shell(who, vm.id, &wish, false).await?;
            made += usize::from(self.job(app, job).await?.state == JobState::Succeeded);
        }
        let now = dr.vcenter.count("VirtualMachine");
        self.fact(
            format!("{} has {made} virtual machines more: {now}", dr.vcenter_name),
            now == machines + SHELLS && made == SHELLS,
        );
        let left = says(&dr.appliance, &format!("zfs list -H -o name -r {}/zerfaux/run", dr.pool));
        let views = left.lines().filter(|one| one.matches('/').count() > 2).count();
        self.fact(
            "the clones on which their disks were proved to open are gone again",
            views == 0 && dr.vcenter.count("Datastore") == datastores,
        );
        let after = snapshots(dr, group.dr.dataset.as_str());
        self.fact("the replica and its checkpoints are as before", before == after);
        Ok(())
    }

    async fn shell_wish(&self, app: &App, group: &ProtectionGroup, dr: &Site) -> Result<ShellWish, Trouble> {
        let stores = app.vcenters()?.datastores(group.dr.vcenter).await?;
        let home = stores.into_iter().find(|one| one.object.name == dr.block_datastore);
        let home = home.ok_or_else(|| missing("datastore for the shells' own files"))?;
        Ok(ShellWish { home_datastore: Some(home.object.name), ..ShellWish::default() })
    }
}
