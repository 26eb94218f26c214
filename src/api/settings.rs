//! `/settings`

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::app::settings::Settings as Saved;
use crate::app::{App, Principal};

/// What an administrator can set.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// Minutes after which a session that is not used is over: 5 to 480.
    pub session_idle_minutes: u32,
    /// Hours after which a session ends in any case: 1 to 72.
    pub session_hours: u32,
    /// Days for which jobs that have ended are kept: 7 to 3650; null: for ever.
    pub history_days: Option<u32>,
    /// How many runs of protection groups may go on at a time on one appliance: 1 to 64.
    pub runs_per_appliance: u32,
    /// How many may go on at a time for one vCenter: 1 to 256.
    pub runs_per_vcenter: u32,
    /// How many virtual machines may be powered on at a time in one vCenter, in tests and recoveries: 1 to 128.
    pub power_ons_per_vcenter: u32,
}

impl From<Saved> for Settings {
    fn from(saved: Saved) -> Self {
        Self {
            session_idle_minutes: saved.session_idle_minutes,
            session_hours: saved.session_hours,
            history_days: saved.history_days,
            runs_per_appliance: saved.runs_per_appliance,
            runs_per_vcenter: saved.runs_per_vcenter,
            power_ons_per_vcenter: saved.power_ons_per_vcenter,
        }
    }
}

/// What to change; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedSettings {
    /// Minutes after which a session that is not used is over.
    #[schema(minimum = 5, maximum = 480)]
    pub session_idle_minutes: Option<u32>,
    /// Hours after which a session ends in any case.
    #[schema(minimum = 1, maximum = 72)]
    pub session_hours: Option<u32>,
    /// Days for which jobs that have ended are kept; 0: for ever.
    #[schema(maximum = 3650)]
    pub history_days: Option<u32>,
    /// How many runs of protection groups may go on at a time on one appliance.
    #[schema(minimum = 1, maximum = 64)]
    pub runs_per_appliance: Option<u32>,
    /// How many may go on at a time for one vCenter.
    #[schema(minimum = 1, maximum = 256)]
    pub runs_per_vcenter: Option<u32>,
    /// How many virtual machines may be powered on at a time in one vCenter, in tests and recoveries.
    #[schema(minimum = 1, maximum = 128)]
    pub power_ons_per_vcenter: Option<u32>,
}

/// The settings in force.
#[utoipa::path(get, path = "/settings", tag = "settings",
    responses((status = OK, description = "The settings", body = Settings)))]
pub async fn show(State(app): State<App>) -> Json<Settings> {
    Json(app.settings().into())
}

/// Change settings; they are in force at once.
#[utoipa::path(patch, path = "/settings", tag = "settings", request_body = ChangedSettings,
    responses((status = OK, description = "The settings", body = Settings)))]
pub async fn change(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(change): Json<ChangedSettings>,
) -> Answer<Json<Settings>> {
    let now = app.settings();
    let wanted = Saved {
        session_idle_minutes: change.session_idle_minutes.unwrap_or(now.session_idle_minutes),
        session_hours: change.session_hours.unwrap_or(now.session_hours),
        history_days: match change.history_days {
            None => now.history_days,
            Some(0) => None,
            Some(days) => Some(days),
        },
        runs_per_appliance: change.runs_per_appliance.unwrap_or(now.runs_per_appliance),
        runs_per_vcenter: change.runs_per_vcenter.unwrap_or(now.runs_per_vcenter),
        power_ons_per_vcenter: change.power_ons_per_vcenter.unwrap_or(now.power_ons_per_vcenter),
    };
    app.save_settings(&who, wanted).await?;
    Ok(Json(app.settings().into()))
}
