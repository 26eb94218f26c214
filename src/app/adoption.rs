//! Groups that appliances have and we do not: list them, take them over. The way back from a lost database.

use serde_json::json;

use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::dataset::Role;
use crate::domain::ids::{GroupId, TargetId};
use crate::domain::names::DatasetName;
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::ProtectionGroup;
pub use crate::jobs::adoption::Silent;
use crate::jobs::adoption::{Claimed, Survey, survey};
use crate::jobs::checkpoint_watch;
pub use crate::plan::adoption::Wish as AdoptWish;
use crate::plan::adoption::{Adopted, Connection, Side, adopt};

/// A group that can be taken over, or why it cannot.
#[derive(Debug, Clone)]
pub struct Adoptable {
    /// Its id.
    pub group: GroupId,
    /// What it is called; none: its datasets do not say.
    pub name: Option<String>,
    /// Its live dataset, with the appliance's name.
    pub live: Option<(DatasetName, String)>,
    /// Its replica, with the appliance's name.
    pub replica: Option<(DatasetName, String)>,
    /// How many checkpoints its replica has.
    pub checkpoints: usize,
    /// Why it cannot be taken over as it is.
    pub obstacle: Option<String>,
}

/// What was found on an appliance.
#[derive(Debug, Clone)]
pub struct AdoptableGroups {
    /// The groups, by name.
    pub groups: Vec<Adoptable>,
    /// Appliances that did not answer: a side of a group may lie there.
    pub silent: Vec<Silent>,
}

/// A group that was taken over.
#[derive(Debug, Clone)]
pub struct AdoptedGroup {
    /// The group as it is kept now.
    pub group: ProtectionGroup,
    /// How many checkpoints were found.
    pub checkpoints: usize,
    /// How many virtual machines it protects.
    pub vms: usize,
    /// What somebody should know.
    pub remarks: Vec<String>,
}

impl App {
    /// The groups of which a side lies on this appliance and that are not known here. Asks all appliances.
    ///
    /// # Errors
    /// If there is no such appliance, or the database does not answer.
    pub async fn adoptable_groups(&self, target: TargetId) -> Result<AdoptableGroups, AppError> {
        self.target(target).await?;
        self.adoptable(|one| one.target == target).await
    }

    /// The groups of which any appliance has a side and that are not known here. Asks all appliances.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn all_adoptable_groups(&self) -> Result<AdoptableGroups, AppError> {
        self.adoptable(|_| true).await
    }

    async fn adoptable(&self, is_asked: impl Fn(&Claimed) -> bool) -> Result<AdoptableGroups, AppError> {
        let Survey { groups, silent } = survey(&self.target_hosts()).await?;
        let connections = self.connections().await?;
        let mut all = Vec::new();
        for (group, claimed) in groups {
            let here = claimed.iter().any(&is_asked);
            if !here || self.store.protection_group(group).await?.is_some() {
                continue;
            }
            let (live, replicas) = sides(&claimed);
            let outcome = adopt((&live, &replicas), &connections, &AdoptWish::default(), self.clock.now());
            let place =
                |sides: &[Side]| sides.first().map(|one| (one.dataset.clone(), one.appliance.clone()));
            let replica = claimed.iter().find(|one| one.role == Role::Replica);
            all.push(Adoptable {
                group,
                name: claimed.iter().find_map(|one| Some(one.terms.as_ref().ok()?.name.clone())),
                live: place(&live),
                replica: place(&replicas),
                checkpoints: replica.map_or(0, |one| one.checkpoints),
                obstacle: outcome.err(),
            });
        }
        all.sort_by(|one, other| (&one.name, one.group).cmp(&(&other.name, other.group)));
        Ok(AdoptableGroups { groups: all, silent })
    }

    /// Takes a group over, with its virtual machines, its checkpoints and their manifests, from what its datasets say.
    /// Nothing on the appliances is changed.
    ///
    /// # Errors
    /// [`AppError::Conflict`] with what stands in the way; [`AppError::NotFound`] if no appliance has the group.
    pub async fn adopt_protection_group(
        &self,
        who: &Principal,
        group: GroupId,
        wish: &AdoptWish,
    ) -> Result<AdoptedGroup, AppError> {
        if let Some(known) = self.store.protection_group(group).await? {
            return Err(AppError::Conflict(format!("the protection group {:?} is here already", known.name)));
        }
        for (field, vcenter) in
            [("source_vcenter_id", wish.source_vcenter), ("dr_vcenter_id", wish.dr_vcenter)]
        {
            if let Some(id) = vcenter {
                self.known_vcenter(field, id).await?;
            }
        }
        let Survey { groups, silent } = survey(&self.target_hosts()).await?;
        let Some(claimed) = groups.get(&group) else {
            let silent: Vec<String> = silent.into_iter().map(|one| one.appliance).collect();
            let more = match silent.is_empty() {
                true => String::new(),
                false => format!("; {} did not answer", silent.join(", ")),
            };
            return Err(AppError::NotFound(format!("no appliance has a protection group {group}{more}")));
        };
        let (live, replicas) = sides(claimed);
        let adopted = adopt((&live, &replicas), &self.connections().await?, wish, self.clock.now())
            .map_err(AppError::Conflict)?;
        let vms = vms_of(&adopted);
        let details = json!({
            "group": group, "source": adopted.group.source, "dr": adopted.group.dr, "epoch": adopted.epoch,
            "vms": vms.len(),
        });
        let entry = self.entry(who, "protection_group.adopt", &adopted.group.name, Outcome::Done, details);
        self.store.adopt_protection_group(&adopted.group, adopted.epoch, vms.clone(), entry).await?;
        checkpoint_watch::take_in(&self.target_hosts(), &adopted.group, self.clock.now()).await?;
        let checkpoints = self.store.checkpoints(group, false).await?.len();
        self.wake_groups();
        let Adopted { group, remarks, .. } = adopted;
        Ok(AdoptedGroup { group, checkpoints, vms: vms.len(), remarks })
    }

    async fn connections(&self) -> Result<Vec<Connection>, AppError> {
        let all = self.store.vcenters().await?;
        let one = |vcenter: crate::domain::vcenter::Vcenter| Connection {
            id: vcenter.id,
            uuid: vcenter.about.and_then(|about| about.instance_uuid),
            name: vcenter.name,
        };
        Ok(all.into_iter().map(one).collect())
    }
}

fn sides(claimed: &[Claimed]) -> (Vec<Side>, Vec<Side>) {
    let of = |role: Role| {
        let some = claimed.iter().filter(|one| one.role == role);
        let side = |one: &Claimed| Side {
            target: one.target,
            appliance: one.appliance.clone(),
            dataset: one.dataset.clone(),
            guid: one.guid,
            epoch: one.epoch,
            terms: one.terms.clone(),
        };
        some.map(side).collect()
    };
    (of(Role::Live), of(Role::Replica))
}

fn vms_of(adopted: &Adopted) -> Vec<ProtectedVm> {
    let vm = |vm: &crate::domain::terms::VmTerms| ProtectedVm {
        id: vm.id,
        group: adopted.group.id,
        vcenter: adopted.group.source.vcenter,
        instance_uuid: vm.instance_uuid.clone(),
        moref: vm.vm.clone(),
        name: vm.name.clone(),
        added_by: vm.added_by.clone(),
        added_at: vm.added_at,
    };
    adopted.terms.vms.iter().map(vm).collect()
}
