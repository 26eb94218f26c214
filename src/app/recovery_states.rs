//! How far the recovery of a group is, and what may be done next.

use jiff::Timestamp;

use super::group_states::GroupState;
use super::{App, AppError};
use crate::domain::health::HealthState;
use crate::domain::ids::GroupId;
use crate::domain::protection_group::ProtectionGroup;
pub use crate::domain::recovery_state::{Doing, Home, Phase, Progress, RecoveryState, Verb};
use crate::plan::recovery_verbs::offers;
pub use crate::plan::recovery_verbs::{Conditions, Offer};
use crate::plan::rpo::RpoState;

/// How far a group is.
#[derive(Debug, Clone)]
pub struct RecoveryView {
    /// The group.
    pub group: ProtectionGroup,
    /// How far it is.
    pub state: RecoveryState,
    /// Since when it is in its phase; none: nothing was ever done.
    pub since: Option<Timestamp>,
    /// What is so besides.
    pub conditions: Conditions,
    /// Every verb, and whether it may be begun.
    pub offers: Vec<Offer>,
}

impl App {
    /// How far the recovery of a group is, and what may be done next.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn recovery_state(&self, id: GroupId) -> Result<RecoveryView, AppError> {
        let stands = self.group_state(id).await?;
        self.recovery_of(&stands).await
    }

    /// The same of a group whose state is known already.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn recovery_of(&self, stands: &GroupState) -> Result<RecoveryView, AppError> {
        let id = stands.group.id;
        let kept = self.store.recovery_state(id).await?;
        let (state, since) = match kept {
            Some((state, since)) => (state, Some(since)),
            None => (RecoveryState::default(), None),
        };
        let conditions = Conditions {
            peer_reachable: self.answers(&stands.group, state.live).await?,
            within_rpo: stands.rpo.as_ref().and_then(|rpo| match rpo {
                RpoState::Met { .. } | RpoState::AtRisk { .. } => Some(true),
                RpoState::Broken { .. } => Some(false),
                RpoState::Unknown(_) => None,
            }),
            fenced: state.fenced,
            cleanup_pending: state.cleanup_pending(),
            epoch_agrees: !self.store.group_findings().await?.contains_key(&id),
            has_checkpoint: stands.newest.is_some(),
        };
        let offers = offers(&state, &conditions);
        Ok(RecoveryView { group: stands.group.clone(), state, since, conditions, offers })
    }

    /// Whether the site on which a group lives answered when it was asked last; none: it was not asked.
    async fn answers(&self, group: &ProtectionGroup, live: Home) -> Result<Option<bool>, AppError> {
        let (target, vcenter) = match live {
            Home::Own => (group.source.target, group.source.vcenter),
            Home::Other => (group.dr.target, group.dr.vcenter),
        };
        let appliance = match self.store.target_health(target).await?.map(|health| health.state) {
            None | Some(HealthState::Unknown) => None,
            Some(HealthState::Unreachable) => Some(false),
            Some(HealthState::Healthy | HealthState::Degraded | HealthState::Failed) => Some(true),
        };
        let vcenter = self.store.vcenter(vcenter).await?;
        let vcenter = vcenter.and_then(|vcenter| match (&vcenter.last_error, vcenter.about) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        });
        Ok(match (appliance, vcenter) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        })
    }
}
