//! The scene of a test failover: the virtual machines of a group run from a clone of its newest checkpoint while it goes on
//! being replicated; then everything of the test is gone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::super::exit::Trouble;
use super::super::sites::{Site, Sites};
use super::deploy::{missing, says};
use super::group::Protected;
use super::{Stage, snapshots};
use crate::app::recovery_runs::{RunPhase, RunVmState, Verdict};
use crate::app::test_failovers::TestRequest;
use crate::app::{App, AppError, Principal};
use crate::domain::ids::GroupId;

/// How often it is looked for the checkpoint, and how long is slept between.
const LOOKS: (u32, Duration) = (600, Duration::from_millis(50));

/// Serves until the newest run's checkpoint has been taken note of.
async fn takes_note(app: &App, group: GroupId) -> Result<bool, AppError> {
    let stop = CancellationToken::new();
    let watch = async {
        let _ends = stop.clone().drop_guard();
        for _ in 0..LOOKS.0 {
            if !app.checkpoints(group, false).await?.is_empty() {
                return Ok(true);
            }
            tokio::time::sleep(LOOKS.1).await;
        }
        Ok(false)
    };
    tokio::join!(app.serve_jobs(stop.clone()), watch).1
}

/// Names of disks of virtual machines and what is in them.
fn disks(site: &Site, dataset: &str) -> Vec<(String, Option<Vec<u8>>)> {
    let mut files: Vec<_> = site.appliance.files(dataset).into_iter().collect();
    files.retain(|(path, content)| path.ends_with(".vmdk") && content.is_some());
    files
}

impl Stage {
    /// Tests the group, looks at what runs and at what it stands on, and takes it away.
    pub(super) async fn rehearses(
        &mut self,
        app: &App,
        who: &Principal,
        sites: &Sites,
        protected: &Protected,
    ) -> Result<(), Trouble> {
        let Protected { group, vms } = protected;
        let (dr, replica) = (&sites.dr, group.dr.dataset.as_str());
        let known = takes_note(app, group.id).await?;
        self.fact("Zerfaux knows the checkpoints of the group", known);
        let (machines, datastores) = (dr.vcenter.count("VirtualMachine"), dr.vcenter.count("Datastore"));
        let before = snapshots(dr, replica);
        let (tag, _) = before.last().cloned().ok_or_else(|| missing("checkpoint"))?;

        let request = TestRequest { reason: Some("The drill.".to_owned()), ..TestRequest::default() };
        let (run, job) = app.start_test_failover(who, group.id, &request).await?;
        self.job(app, job).await?;
        let view = app.recovery_run(run).await?;
        let up = view.vms.iter().filter(|vm| vm.state == RunVmState::Up).count();
        let why: Vec<String> =
            view.vms.iter().filter_map(|vm| Some(format!(" {}", vm.failure.as_ref()?))).collect();
        self.fact(
            format!("{up} of {} virtual machines run from {tag}, each proved{}", vms.len(), why.concat()),
            up == vms.len(),
        );
        let now = dr.vcenter.count("VirtualMachine");
        self.fact(format!("{} has {up} virtual machines more: {now}", dr.vcenter_name), now == machines + up);
        let (on_clone, at) =
            (disks(dr, view.run.plan.clone.as_str()), disks(dr, &format!("{replica}@{tag}")));
        let same = at.iter().all(|disk| on_clone.contains(disk));
        self.fact(
            format!("the {} disks of the checkpoint are on the clone byte for byte", at.len()),
            same && !at.is_empty(),
        );

        // A test hinders nobody.
        self.runs(app, who, sites, group).await?;
        let during = snapshots(dr, replica);
        self.fact("a checkpoint came in while the test ran", during.len() == before.len() + 1);

        let view = app.judge_recovery(who, run, Verdict::Passed, Some("All of it came up.")).await?;
        self.fact("the checkpoint remembers the verdict", view.phase() == RunPhase::Judged);
        let job = app.clean_up_recovery(who, run).await?;
        self.job(app, job).await?;
        let view = app.recovery_run(run).await?;
        self.fact("Zerfaux says that everything of the test is gone", view.phase() == RunPhase::CleanedUp);
        self.fact(
            format!("{} has the virtual machines and datastores of before", dr.vcenter_name),
            dr.vcenter.count("VirtualMachine") == machines && dr.vcenter.count("Datastore") == datastores,
        );
        let left = says(&dr.appliance, &format!("zfs list -H -o name -r {}", dr.pool));
        let exported = says(&dr.appliance, "exportfs -s");
        let path = view.run.plan.path();
        self.fact(
            format!("{} has neither the clone nor its export", dr.appliance_name),
            !left.contains(view.run.plan.clone.as_str()) && !exported.contains(&path),
        );
        let holds = says(&dr.appliance, &format!("zfs holds -H {replica}@{tag}"));
        self.fact("nothing of the test holds its checkpoint", !holds.contains("zerfaux-run:"));
        self.fact("the replica has every checkpoint of before", snapshots(dr, replica) == during);
        Ok(())
    }
}
