//! What an administrator sets once for the whole installation.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// The settings, each with its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Minutes after which a session that is not used is over.
    pub session_idle_minutes: u32,
    /// Hours after which a session ends in any case.
    pub session_hours: u32,
    /// Days for which jobs that have ended are kept; none: for ever.
    pub history_days: Option<u32>,
    /// How many runs of protection groups may go on at a time on one appliance, as source or as DR side.
    pub runs_per_appliance: u32,
    /// How many may go on at a time for one vCenter.
    pub runs_per_vcenter: u32,
    /// How many virtual machines may be powered on at a time in one vCenter, in tests and recoveries.
    pub power_ons_per_vcenter: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            session_idle_minutes: 30,
            session_hours: 12,
            history_days: None,
            runs_per_appliance: 8,
            runs_per_vcenter: 32,
            power_ons_per_vcenter: 8,
        }
    }
}

impl Settings {
    /// Least and most minutes of a session that is not used.
    pub const IDLE_MINUTES: (u32, u32) = (5, 480);
    /// Least and most hours of a session.
    pub const HOURS: (u32, u32) = (1, 72);
    /// Least and most days of history.
    pub const DAYS: (u32, u32) = (7, 3650);
    /// Fewest and most runs on one appliance.
    pub const PER_APPLIANCE: (u32, u32) = (1, 64);
    /// Fewest and most runs for one vCenter.
    pub const PER_VCENTER: (u32, u32) = (1, 256);
    /// Fewest and most virtual machines that are powered on at a time in one vCenter.
    pub const POWER_ONS: (u32, u32) = (1, 128);
    /// The name under which they are kept.
    pub const KEY: &str = "settings";

    /// A session that is not used for so long is over.
    pub fn session_idle(&self) -> SignedDuration {
        SignedDuration::from_mins(self.session_idle_minutes.into())
    }

    /// A session ends so long after the sign-in.
    pub fn session_absolute(&self) -> SignedDuration {
        SignedDuration::from_hours(self.session_hours.into())
    }

    /// What cannot be used: the setting's name and why.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let between = |name, value: u32, (least, most): (u32, u32)| {
            let fits = (least..=most).contains(&value);
            (!fits).then(|| (name, format!("This is {least} to {most}.")))
        };
        let days = self.history_days.unwrap_or(Self::DAYS.1);
        [
            between("session_idle_minutes", self.session_idle_minutes, Self::IDLE_MINUTES),
            between("session_hours", self.session_hours, Self::HOURS),
            between("history_days", days, Self::DAYS),
            between("runs_per_appliance", self.runs_per_appliance, Self::PER_APPLIANCE),
            between("runs_per_vcenter", self.runs_per_vcenter, Self::PER_VCENTER),
            between("power_ons_per_vcenter", self.power_ons_per_vcenter, Self::POWER_ONS),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_its_limits_is_named() {
        assert_eq!(Settings::default().faults(), []);
        let wrong = Settings {
            session_idle_minutes: 1,
            session_hours: 100,
            history_days: Some(1),
            runs_per_appliance: 0,
            runs_per_vcenter: 1000,
            power_ons_per_vcenter: 0,
        };
        let names: Vec<_> = wrong.faults().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "session_idle_minutes",
                "session_hours",
                "history_days",
                "runs_per_appliance",
                "runs_per_vcenter",
                "power_ons_per_vcenter"
            ]
        );
    }
}
