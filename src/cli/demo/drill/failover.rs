//! The scenes of a planned failover and of its rollback: the group runs at the DR site from what the source wrote last, then
//! both sides are as before, and replication goes on incrementally.

use std::collections::BTreeMap;

use super::super::super::exit::Trouble;
use super::super::sites::{PROTECTED as DATASET, Site, Sites};
use super::deploy::says;
use super::group::Protected;
use super::{Stage, snapshots};
use crate::app::failovers::{FailoverMode, FailoverRequest};
use crate::app::recovery_runs::{RunOutcome, RunVmState};
use crate::app::{App, Principal};
use crate::domain::ids::RecoveryRunId;
use crate::domain::recovery_run::RunVmPlan;
use crate::sim::exports::Export;

/// What a vCenter says of its virtual machines: whether each runs, and the files of its disks.
type Machines = BTreeMap<String, (bool, Vec<String>)>;

/// A failover, and how both sides were before it.
pub(super) struct Over {
    run: RecoveryRunId,
    machines: [Machines; 2],
    datastores: usize,
    datasets: String,
    exports: String,
    /// Which of the group's ran at the source.
    ran: Vec<String>,
}

fn machines(site: &Site) -> Machines {
    site.vcenter.machines().into_iter().map(|(name, on, disks)| (name, (on, disks))).collect()
}

fn datasets(site: &Site) -> String {
    says(&site.appliance, &format!("zfs list -H -o name -r {}", site.pool))
}

impl Stage {
    /// Fails the group over, as planned.
    pub(super) async fn fails_over(
        &mut self,
        app: &App,
        who: &Principal,
        sites: &Sites,
        protected: &Protected,
    ) -> Result<Over, Trouble> {
        let Protected { group, vms } = protected;
        let (source, dr, replica) = (&sites.primary, &sites.dr, group.dr.dataset.as_str());
        // As its watch does while Zerfaux serves: the shells are known.
        for vcenter in [group.source.vcenter, group.dr.vcenter] {
            let job = app.vcenters()?.sync(who, vcenter).await?;
            self.job(app, job).await?;
        }
        let before = [machines(source), machines(dr)];
        let ran = vms.iter().filter(|vm| before[0].get(&vm.name).is_some_and(|(on, _)| *on));
        let ran: Vec<String> = ran.map(|vm| vm.name.clone()).collect();
        let (datastores, there) = (dr.vcenter.count("Datastore"), datasets(dr));
        let exports = says(&dr.appliance, "exportfs -s");
        let had = snapshots(dr, replica);
        // Written after the newest checkpoint: a planned failover loses nothing of it.
        let home = vms.first().map(|vm| vm.name.clone()).unwrap_or_default();
        let export = Export::new(source.nfs_address, format!("/{DATASET}"));
        let late = vec![9; 70_000];
        let written = sites.exports.write(&export, &format!("{home}/orders.log"), &late).is_ok();
        self.fact(format!("{home} writes after the newest checkpoint"), written);

        let request = FailoverRequest {
            confirm: group.name.clone(),
            reason: Some("The drill.".to_owned()),
            ..FailoverRequest::new(FailoverMode::Planned)
        };
        let (run, job) = app.start_failover(who, group.id, &request).await?;
        self.job(app, job).await?;
        let view = app.recovery_run(run).await?;
        let up = view.vms.iter().filter(|vm| vm.state == RunVmState::Up).count();
        let why: Vec<String> =
            view.vms.iter().filter_map(|vm| Some(format!(" {}", vm.failure.as_ref()?))).collect();
        self.fact(
            format!("{up} of {} virtual machines run at the DR site, each proved{}", vms.len(), why.concat()),
            up == vms.len(),
        );
        let now = machines(source);
        let still: Vec<&str> = vms
            .iter()
            .filter(|vm| now.get(&vm.name).is_none_or(|(on, _)| *on))
            .map(|vm| vm.name.as_str())
            .collect();
        self.fact(
            format!(
                "{} says that the {} at the source are off{}",
                source.vcenter_name,
                vms.len(),
                still.join(" ")
            ),
            still.is_empty(),
        );
        let (now, store) = (machines(dr), format!("[{}] ", view.run.plan.datastore));
        let stands = |vm: &&RunVmPlan| {
            let seen = now.get(&vm.spec.name);
            seen.is_some_and(|(on, disks)| {
                *on && !disks.is_empty() && disks.iter().all(|disk| disk.starts_with(&store))
            })
        };
        let plan = &view.run.plan;
        let standing = plan.vms.iter().filter(stands).count();
        let shells = plan.vms.iter().filter(|vm| vm.shell.is_some()).count();
        self.fact(
            format!(
                "{} says that {standing} run on disks of the clone, {shells} of them DR shells",
                dr.vcenter_name
            ),
            standing == vms.len() && shells > 0,
        );
        let made = vms.len() - shells;
        self.fact(
            format!("{} has {made} virtual machines more, and no shell twice", dr.vcenter_name),
            now.len() == before[1].len() + made,
        );
        let has = snapshots(dr, replica);
        let last = view.run.checkpoint.as_ref().map(|one| one.snapshot.to_string()).unwrap_or_default();
        self.fact(
            format!("the last run brought a checkpoint, and that is what runs: {last}"),
            has.len() > had.len() && has.last().is_some_and(|(tag, _)| *tag == last),
        );
        let clone = dr.appliance.files(plan.clone.as_str());
        let log = clone
            .iter()
            .find(|(path, _)| path.ends_with("orders.log"))
            .and_then(|(_, content)| content.clone());
        self.fact("what was written last is on the clone", log.as_ref() == Some(&late));
        Ok(Over { run, machines: before, datastores, datasets: there, exports, ran })
    }

    /// Rolls it back, compares both sides with what they were, and replicates once more.
    pub(super) async fn rolls_back(
        &mut self,
        app: &App,
        who: &Principal,
        sites: &Sites,
        protected: &Protected,
        over: &Over,
    ) -> Result<(), Trouble> {
        let (group, source, dr) = (&protected.group, &sites.primary, &sites.dr);
        let (_, job) = app.roll_back_group(who, group.id, &group.name).await?;
        self.job(app, job).await?;
        let view = app.recovery_run(over.run).await?;
        self.fact("Zerfaux says that it is rolled back", view.run.outcome == Some(RunOutcome::RolledBack));
        let now = machines(source);
        let on = over.ran.iter().filter(|name| now.get(*name).is_some_and(|(on, _)| *on)).count();
        self.fact(
            format!("{} says that {on} virtual machines run at the source as before", source.vcenter_name),
            on == over.ran.len() && now == over.machines[0],
        );
        self.fact(
            format!("{} has every virtual machine and shell as before", dr.vcenter_name),
            machines(dr) == over.machines[1] && dr.vcenter.count("Datastore") == over.datastores,
        );
        self.fact(
            format!("{} has the datasets and exports of before", dr.appliance_name),
            datasets(dr) == over.datasets && says(&dr.appliance, "exportfs -s") == over.exports,
        );
        let has = snapshots(dr, group.dr.dataset.as_str());
        let holds = has.iter().filter(|(tag, _)| {
            says(&dr.appliance, &format!("zfs holds -H {}@{tag}", group.dr.dataset)).contains("zerfaux-run:")
        });
        self.fact("nothing of the failover holds a checkpoint", holds.count() == 0);
        self.runs(app, who, sites, group).await?;
        let after = snapshots(dr, group.dr.dataset.as_str());
        let kept = has.last().is_some_and(|base| after.contains(base));
        self.fact(
            "the next run is incremental, from the last one's checkpoint",
            kept && after.len() > has.len(),
        );
        Ok(())
    }
}
