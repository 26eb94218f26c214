//! Deploying appliances from a template: the plan, and the job that does it.

use serde_json::json;

pub use super::deployment_form::DeployWish;
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{JobId, TemplateId};
use crate::domain::inventory::{Known, VmFilter};
use crate::domain::job::{JobState, StepEvent};
use crate::jobs::deploy::KIND;
pub use crate::plan::deploy::{DeployPlan, Finding};
use crate::plan::deploy::{Facts, History, Wanted, plan};
use crate::store::JobFilter;

/// How many earlier deployments are looked at for an estimate.
const EARLIER: usize = 10;
/// How many virtual machines with the wished name in theirs are looked at.
const NAMED: u32 = 500;

impl App {
    /// What a deployment would do, and what stands in its way. Nothing is changed.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields that cannot be read; or if there is no such template.
    pub async fn plan_deployment(
        &self,
        template: TemplateId,
        wish: &DeployWish,
    ) -> Result<DeployPlan, AppError> {
        let template = self.template(template).await?.template;
        let wanted =
            wish.check(&template, self.clock.now()).map_err(|fields| AppError::Invalid { fields })?;
        let vcenter = self.store.vcenter(template.vcenter).await?;
        let vcenter = vcenter.ok_or_else(|| {
            AppError::NotFound(format!("there is no vCenter connection {}", template.vcenter))
        })?;
        let (id, there) = (template.vcenter, |gone: Option<jiff::Timestamp>| gone.is_none());
        let vm = self.store.vm(id, &template.moref).await?.filter(|vm| there(vm.gone_at));
        let places = present(self.store.places(id, None).await?);
        let datastores = present(self.store.datastores(id, false).await?);
        let networks = present(self.store.networks(id).await?);
        let (name_taken, address_taken) = self.taken(&template.vcenter, &wanted).await?;
        let key_there = match wanted.ssh_key {
            Some(key) => self.store.ssh_key(key).await?.is_some(),
            None => false,
        };
        let targets = self.store.targets().await?;
        let history = self.earlier_phases().await?;
        let facts = Facts {
            template: &template,
            vcenter: &vcenter,
            vm: vm.as_ref().map(|vm| &vm.object),
            places: &places,
            datastores: &datastores,
            networks: &networks,
            name_taken,
            address_taken,
            targets: &targets,
            key_there,
            history: &history,
        };
        let mut plan = plan(&wanted, &facts);
        if let Some(deployment) = plan.deployment.as_ref().filter(|one| !one.datastore_hosts.is_empty()) {
            let (name, hosts) = (deployment.datastore_name(), &deployment.datastore_hosts);
            let (obstacles, warnings) = self.room_on(id, &name, hosts).await?;
            let finding = |message| Finding { field: "datastore_hosts", message };
            plan.obstacles.extend(obstacles.into_iter().map(finding));
            plan.warnings.extend(warnings.into_iter().map(finding));
        }
        plan.deployment = plan.deployment.filter(|_| plan.obstacles.is_empty());
        Ok(plan)
    }

    /// Whether the vCenter has a virtual machine of that name, and which one has that address.
    async fn taken(
        &self,
        vcenter: &crate::domain::ids::VcenterId,
        wanted: &Wanted,
    ) -> Result<(bool, Option<String>), AppError> {
        let with = |text: String| VmFilter {
            vcenter: Some(*vcenter),
            search: Some(text),
            limit: NAMED,
            ..VmFilter::default()
        };
        let name = wanted.vm_name.to_lowercase();
        let named = self.store.vms(&with(name.clone())).await?.items;
        let name_taken = named.iter().any(|vm| vm.name.to_lowercase() == name);
        let Some(fixed) = wanted.fixed else { return Ok((name_taken, None)) };
        // Another site's machine with that address is in the way as well.
        let address = fixed.address.to_string();
        let all = self.store.vms(&VmFilter { vcenter: None, ..with(address.clone()) }).await?.items;
        let owner = all.into_iter().find(|vm| vm.guest_ip.as_deref() == Some(address.as_str()));
        Ok((name_taken, owner.map(|vm| vm.name)))
    }

    /// How long the phases of the last deployments took, oldest first.
    async fn earlier_phases(&self) -> Result<History, AppError> {
        let filter = JobFilter {
            states: vec![JobState::Succeeded],
            kind: Some(KIND.to_owned()),
            limit: Some(EARLIER),
            after: None,
        };
        let mut history = History::new();
        for job in self.store.jobs(&filter).await?.into_iter().rev() {
            let mut began = None;
            for event in self.store.events(job.id).await? {
                match event.event {
                    StepEvent::Started { .. } => began = Some((event.step, event.at)),
                    StepEvent::Succeeded { .. } => {
                        let Some((step, at)) = began.take().filter(|(step, _)| *step == event.step) else {
                            continue;
                        };
                        let seconds = event.at.as_second().saturating_sub(at.as_second());
                        history.entry(step).or_default().push(u64::try_from(seconds).unwrap_or(0));
                    }
                    _ => {}
                }
            }
        }
        Ok(history)
    }

    /// Starts a deployment, if nothing stands in its way.
    ///
    /// # Errors
    /// [`AppError::Invalid`] with everything that stands in the way, beside its field; or if there is no such template.
    pub async fn deploy(
        &self,
        who: &Principal,
        template: TemplateId,
        wish: &DeployWish,
    ) -> Result<JobId, AppError> {
        let DeployPlan { deployment, obstacles, .. } = self.plan_deployment(template, wish).await?;
        let Some(deployment) = deployment else {
            let fields =
                obstacles.into_iter().map(|Finding { field, message }| FieldError { field, message });
            return Err(AppError::Invalid { fields: fields.collect() });
        };
        let details = json!({
            "template_id": template,
            "template": deployment.template_name,
            "vm_name": deployment.vm_name,
            "target_name": deployment.target_name,
        });
        let entry = self.entry(who, "template.deploy", &deployment.vm_name, Outcome::Done, details);
        self.start_job(who, KIND, &deployment, entry).await
    }
}

fn present<T>(all: Vec<Known<T>>) -> Vec<T> {
    all.into_iter().filter(|one| one.gone_at.is_none()).map(|one| one.object).collect()
}
