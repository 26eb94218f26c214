//! `/protection-groups/{id}/recovery-state`

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::app::App;
use crate::app::recovery_states::{Doing as UnderWay, Home, Offer, RecoveryView};
use crate::domain::ids::GroupId;

/// How far the recovery of a group is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryState {
    /// `protected`, `testing`, `failing_over`, `failed_over_uncommitted`, `failed_over`, `reprotecting` or `failing_back`.
    pub phase: String,
    /// Since when; null: nothing was ever done.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Whether its virtual machines live at the site that was protected at first.
    pub at_home: bool,
    /// Counts the changes of direction, from 1.
    pub epoch: u32,
    /// The verb that works on the group, or that ended otherwise than it should; null: none.
    pub doing: Option<Doing>,
    /// The test that is there; null: none.
    pub test: Option<Doing>,
    /// What is so besides.
    pub conditions: RecoveryConditions,
    /// Every verb, and whether it may be begun.
    pub verbs: Vec<RecoveryVerb>,
}

/// A verb that works, stands, or stopped short.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = RecoveryDoing)]
pub struct Doing {
    /// Which, as in `verbs`.
    pub verb: String,
    /// `running`, `standing` (a test), `incomplete` or `failed`.
    pub progress: String,
    /// Its job.
    pub job_id: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// What is so, whatever the phase. Null: not known.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryConditions {
    /// Whether the site on which the group lives answers.
    pub peer_reachable: Option<bool>,
    /// Whether the newest checkpoint is young enough.
    pub within_rpo: Option<bool>,
    /// Whether the machines of the side that was left are proved to be off.
    pub fenced: Option<bool>,
    /// Whether something of a test is left that a cleanup has not proved to be gone.
    pub cleanup_pending: bool,
    /// Whether both sides say the same about the group.
    pub epoch_agrees: bool,
    /// Whether the DR side has a checkpoint.
    pub has_checkpoint: bool,
}

/// A verb, and whether it may be begun.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryVerb {
    /// `test`, `cleanup`, `planned_failover`, `disaster_failover`, `commit`, `rollback`, `reprotect` or `failback`.
    pub verb: String,
    /// Whether it may be begun.
    pub may: bool,
    /// Why not.
    pub why_not: Option<String>,
    /// What one should know before.
    pub cautions: Vec<String>,
    /// Whether it goes on with what it had begun.
    pub again: bool,
}

impl From<&UnderWay> for Doing {
    fn from(one: &UnderWay) -> Self {
        Self {
            verb: one.verb.as_str().to_owned(),
            progress: one.progress.as_str().to_owned(),
            job_id: one.run.to_string(),
            since: one.since,
        }
    }
}

impl From<Offer> for RecoveryVerb {
    fn from(one: Offer) -> Self {
        Self {
            verb: one.verb.as_str().to_owned(),
            may: one.may(),
            cautions: one.cautions.into_iter().map(str::to_owned).collect(),
            again: one.again,
            why_not: one.why_not,
        }
    }
}

impl From<RecoveryView> for RecoveryState {
    fn from(view: RecoveryView) -> Self {
        let told = view.conditions;
        Self {
            phase: view.state.phase().as_str().to_owned(),
            since: view.since,
            at_home: view.state.live == Home::Own,
            epoch: view.state.epoch,
            doing: view.state.line().map(Doing::from),
            test: view.state.test().map(Doing::from),
            conditions: RecoveryConditions {
                peer_reachable: told.peer_reachable,
                within_rpo: told.within_rpo,
                fenced: told.fenced,
                cleanup_pending: told.cleanup_pending,
                epoch_agrees: told.epoch_agrees,
                has_checkpoint: told.has_checkpoint,
            },
            verbs: view.offers.into_iter().map(RecoveryVerb::from).collect(),
        }
    }
}

/// How far the recovery of a group is, and what may be done next.
#[utoipa::path(get, path = "/protection-groups/{id}/recovery-state", tag = "recovery",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = OK, description = "How far it is", body = RecoveryState)))]
pub async fn one(State(app): State<App>, Path(id): Path<GroupId>) -> Answer<Json<RecoveryState>> {
    Ok(Json(app.recovery_state(id).await?.into()))
}
