//! The wizard for a protection group: what is filled in of it, what that would come to, and making the group, once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drafts::Form;
use super::fields::Faults;
use super::group_obstacles::{Obstacle, Protected, Seen};
use super::protection_groups::{GroupWish, ProtectionGroup, Rhythm, told};
use super::{App, AppError, FieldError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{DraftId, GroupId};
use crate::domain::protected_vm::ProtectedVm;
use crate::domain::protection_group::{DrSide, Policy, SourceSide};
use crate::domain::size::format_bytes;
use crate::engine::due::Rule;
use crate::jobs::target_browse;
pub use crate::plan::group_preview::Change;
use crate::plan::group_preview::{first_transfer, kept, space, words};

/// Times of a calendar by which it is judged how far apart they are.
const LOOKED_AHEAD: usize = 100;
/// Virtual machines assigned at once.
const AT_ONCE: usize = 500;

/// What is filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupForm {
    /// The group. Both an RPO and a calendar may be filled in here.
    pub wish: GroupWish,
    /// Which of the two counts.
    pub by_calendar: bool,
    /// Whether the virtual machines that live on the datastore are protected at once.
    pub protect: bool,
    /// How much the dataset has, in bytes, as the appliance said; none: it was not asked, or did not answer.
    pub stored: Option<u64>,
}

impl Form for GroupForm {
    const KIND: &'static str = "protection_group";
    const ANEW: &'static str = "begin the group anew";
}

/// A draft.
#[derive(Debug, Clone)]
pub struct GroupDraft {
    /// Its id.
    pub id: DraftId,
    /// What was filled in.
    pub form: GroupForm,
    /// The group that was made of it.
    pub group: Option<GroupId>,
}

/// What a policy comes to, a name and a sentence each; or what cannot be read of it.
pub type Meaning = Result<Vec<(&'static str, String)>, Vec<FieldError>>;

/// What the wizard would do.
#[derive(Debug, Clone)]
pub struct GroupReview {
    /// The group.
    pub group: ProtectionGroup,
    /// The virtual machines that are assigned to it at once, by name.
    pub vms: Vec<String>,
    /// What would hurt later.
    pub obstacles: Vec<Obstacle>,
    /// What its policy comes to.
    pub meaning: Vec<(&'static str, String)>,
}

impl GroupForm {
    /// What the wizard begins with.
    pub fn usual() -> Self {
        Self { wish: GroupWish::usual(), protect: true, ..Self::default() }
    }

    /// The wish with the one of RPO and calendar that counts.
    pub fn asked(&self) -> GroupWish {
        let mut wish = self.wish.clone();
        if self.by_calendar {
            wish.rpo_minutes.clear();
            if wish.calendar.trim().is_empty() {
                // An empty calendar would be read as the usual RPO.
                wish.calendar = "?".to_owned();
            }
        } else {
            wish.calendar.clear();
        }
        wish
    }
}

impl From<&ProtectionGroup> for GroupForm {
    fn from(group: &ProtectionGroup) -> Self {
        let mut wish = GroupWish::from(group);
        let by_calendar = matches!(group.policy.rhythm, Rhythm::Calendar { .. });
        if by_calendar {
            wish.rpo_minutes = GroupWish::usual().rpo_minutes;
        }
        Self { wish, by_calendar, protect: false, stored: None }
    }
}

impl App {
    /// Keeps what was filled in.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn keep_group_form(
        &self,
        who: &Principal,
        id: DraftId,
        form: &GroupForm,
    ) -> Result<(), AppError> {
        self.keep_draft(who, id, form).await
    }

    /// The draft of the one who asks.
    ///
    /// # Errors
    /// If there is none with this id, or it is somebody else's.
    pub async fn group_draft(&self, who: &Principal, id: DraftId) -> Result<GroupDraft, AppError> {
        let draft = self.own_draft::<GroupForm>(who, id).await?;
        let group = draft.result.and_then(|group| group.parse().ok());
        Ok(GroupDraft { id, form: draft.form, group })
    }

    /// What is behind the datastore that was chosen.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields.
    pub async fn check_group_source(&self, form: &GroupForm) -> Result<SourceSide, AppError> {
        let mut faults = Faults::default();
        let named = form.wish.source(&mut faults).filter(|_| faults.0.is_empty());
        let source = self.source_side(&named.ok_or(AppError::Invalid { fields: faults.0 })?).await?;
        let groups = self.store.protection_groups().await?;
        let same = |one: &&ProtectionGroup| {
            (one.source.target, &one.source.dataset) == (source.target, &source.dataset)
        };
        match groups.iter().find(same) {
            None => Ok(source),
            Some(group) => {
                let message = format!("The group {} protects {} already.", group.name, source.dataset);
                Err(AppError::invalid("protection_datastore", message))
            }
        }
    }

    /// Where the replica would go.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields.
    pub async fn check_group_dr(&self, form: &GroupForm, source: &SourceSide) -> Result<DrSide, AppError> {
        let mut faults = Faults::default();
        let named = form.wish.dr(&mut faults).filter(|_| faults.0.is_empty());
        self.dr_side(&named.ok_or(AppError::Invalid { fields: faults.0 })?, GroupId::new(), source).await
    }

    /// How much a dataset has, in bytes; none if its appliance does not say.
    pub async fn group_stored(&self, source: &SourceSide) -> Option<u64> {
        target_browse::dataset_size(&self.target_hosts(), source.target, &source.dataset).await.ok().flatten()
    }

    /// How much of a group's dataset changes in a day, as its checkpoints have shown.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn group_change(&self, id: GroupId) -> Result<Option<Change>, AppError> {
        let all = self.checkpoints(id, true).await?;
        Ok(Change::measured(&all.iter().map(|one| (one.taken_at, one.bytes)).collect::<Vec<_>>()))
    }

    /// What the policy comes to, as it is filled in now.
    pub fn group_meaning(&self, form: &GroupForm, change: Option<Change>) -> Meaning {
        let mut faults = Faults::default();
        let policy = form.asked().policy(&mut faults).filter(|_| faults.0.is_empty());
        policy.map(|policy| self.meaning(&policy, form.stored, change)).ok_or(faults.0)
    }

    fn meaning(
        &self,
        policy: &Policy,
        stored: Option<u64>,
        change: Option<Change>,
    ) -> Vec<(&'static str, String)> {
        let now = self.clock.now();
        let every = every(&policy.rhythm, now);
        let mut all = Vec::new();
        for (name, room, policy) in [
            ("Checkpoints at the source", "Space at the source", &policy.keep_source),
            ("Checkpoints at the DR side", "Space at the DR side", &policy.keep_dr),
        ] {
            all.push((name, words(policy, every, now)));
            all.push((room, space(kept(policy, every, now).as_ref(), stored, change)));
        }
        let first = first_transfer(stored, policy.bandwidth_limit);
        all.push(("First transfer", format!("Takes {first}.")));
        all
    }

    /// The group that a form would make.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields, also if another group has the name or the dataset.
    pub async fn check_group(&self, who: &Principal, form: &GroupForm) -> Result<ProtectionGroup, AppError> {
        let group = self.propose_protection_group(who, &form.asked()).await?;
        self.check_group_source(form).await?;
        let groups = self.store.protection_groups().await?;
        match groups.iter().find(|one| one.name.to_lowercase() == group.name.to_lowercase()) {
            None => Ok(group),
            Some(other) => {
                let message = format!("There is a group {:?} already. Choose another name.", other.name);
                Err(AppError::invalid("name", message))
            }
        }
    }

    /// What the wizard would do, with all that stands in the way. Asks the source appliance.
    ///
    /// # Errors
    /// As [`App::check_group`].
    pub async fn review_group(&self, who: &Principal, form: &GroupForm) -> Result<GroupReview, AppError> {
        let group = self.check_group(who, form).await?;
        let vms = if form.protect { self.protectable(&group).await? } else { Vec::new() };
        let morefs: Vec<String> = vms.iter().map(|(moref, _)| moref.clone()).collect();
        let (mut obstacles, _) = self.obstacles_of(&group, Protected::Of(&morefs), Seen::Look).await?;
        obstacles.extend(self.too_small(&group, form.stored).await?);
        let meaning = self.meaning(&group.policy, form.stored, None);
        Ok(GroupReview { vms: vms.into_iter().map(|(_, name)| name).collect(), obstacles, meaning, group })
    }

    /// The virtual machines on the group's datastore that can be assigned to it: reference and name.
    async fn protectable(&self, group: &ProtectionGroup) -> Result<Vec<(String, String)>, AppError> {
        let Some(export) = group.source.export.clone() else { return Ok(Vec::new()) };
        let places = self.store.disk_places(group.source.vcenter, None, Some(export)).await?;
        let mut morefs: Vec<String> = places.iter().map(|place| place.vm.id().to_owned()).collect();
        morefs.sort();
        morefs.dedup();
        let taken = self.store.protected_vms(None).await?;
        let mut vms = Vec::new();
        for moref in morefs {
            let Ok((found, uuid, name)) = self.assignable(group, &moref).await? else { continue };
            let other = |vm: &ProtectedVm| vm.vcenter == group.source.vcenter && vm.instance_uuid == uuid;
            if !taken.iter().any(other) {
                vms.push((found.id().to_owned(), name));
            }
        }
        vms.sort_by(|one, other| one.1.cmp(&other.1));
        Ok(vms)
    }

    /// Says so if the replica would not find room.
    async fn too_small(
        &self,
        group: &ProtectionGroup,
        stored: Option<u64>,
    ) -> Result<Option<Obstacle>, AppError> {
        let (Some(stored), Some(target)) = (stored, self.store.target(group.dr.target).await?) else {
            return Ok(None);
        };
        let health = self.store.target_health(target.id).await?;
        let pools = health.map(|health| health.facts.pools).unwrap_or_default();
        let pool = pools.into_iter().find(|pool| pool.name == target.zfs_pool.as_str());
        let free = pool.map(|pool| pool.size.saturating_sub(pool.allocated));
        Ok(free.filter(|free| *free < stored).map(|free| Obstacle {
            kind: "dr_space",
            object: target.name.clone(),
            why: format!(
                "Its pool {} has {} free, and the first transfer alone needs {}.",
                target.zfs_pool,
                format_bytes(free),
                format_bytes(stored)
            ),
            advice: "Add disks to the pool, or choose another appliance.".to_owned(),
        }))
    }

    /// Makes the group of a draft, once: who asks again gets the same group. Answers also what could not be done of it.
    ///
    /// # Errors
    /// As [`App::check_group`]; [`AppError::Conflict`] if another group took name or dataset meanwhile.
    pub async fn create_group_of_draft(
        &self,
        who: &Principal,
        id: DraftId,
    ) -> Result<(GroupId, Option<String>), AppError> {
        let draft = self.group_draft(who, id).await?;
        if let Some(group) = draft.group {
            return Ok((group, None));
        }
        let group = self.check_group(who, &draft.form).await?;
        let vms = if draft.form.protect { self.protectable(&group).await? } else { Vec::new() };
        let entry = self.entry(who, "protection_group.create", &group.name, Outcome::Done, told(&group));
        if let Some(before) = self.store.make_protection_group(id, &group, entry).await? {
            return Ok((before, None));
        }
        self.wake_groups();
        let morefs: Vec<String> = vms.into_iter().map(|(moref, _)| moref).collect();
        let mut note = None;
        for some in morefs.chunks(AT_ONCE) {
            if let Err(error) = self.assign_vms(who, group.id, some).await {
                note = Some(format!("Not all virtual machines could be assigned: {error}"));
            }
        }
        Ok((group.id, note))
    }
}

/// How far apart runs are.
fn every(rhythm: &Rhythm, now: jiff::Timestamp) -> Duration {
    match rhythm {
        Rhythm::Rpo { minutes } => Duration::from_secs(u64::from(*minutes) * 60),
        Rhythm::Calendar { pattern, time_zone } => {
            let rule = Rule::parse(None, Some(pattern), time_zone).ok();
            let mut last = now;
            let mut times = Vec::new();
            while let Some(next) = rule.as_ref().and_then(|rule| rule.next_due(last)) {
                times.push(next);
                last = next;
                if times.len() == LOOKED_AHEAD {
                    break;
                }
            }
            let day = Duration::from_secs(24 * 3600);
            let gaps = u32::try_from(times.len()).unwrap_or(1).saturating_sub(1);
            let whole = times.first().map(|first| last.duration_since(*first).unsigned_abs());
            whole.and_then(|whole| whole.checked_div(gaps)).unwrap_or(day)
        }
    }
}
