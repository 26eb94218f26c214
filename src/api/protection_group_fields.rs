//! What is said of a protection group in a request, and the parts of it that an answer has too.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::AppError;
use crate::app::protection_groups::{GroupWish, WindowWish};
use crate::domain::retention::Retention;

/// Times of a calendar.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Five fields of cron: minute, hour, day of month, month, weekday.
    pub calendar: String,
    /// The IANA name of the time zone: UTC unless given.
    pub time_zone: Option<String>,
}

/// Which checkpoints stay on both sides.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BothKeep {
    /// At the source.
    pub source: Option<Keep>,
    /// At the DR side.
    pub dr: Option<Keep>,
}

/// Which checkpoints stay: one stays if any rule wants it. All zero keeps everything.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// The newest so many.
    pub last: u32,
    /// One an hour for so many hours.
    pub hourly: u32,
    /// One a day.
    pub daily: u32,
    /// One a week.
    pub weekly: u32,
    /// One a month.
    pub monthly: u32,
}

impl From<Retention> for Keep {
    fn from(Retention { last, hourly, daily, weekly, monthly }: Retention) -> Self {
        Self { last, hourly, daily, weekly, monthly }
    }
}

impl Keep {
    fn words(self) -> String {
        let Self { last, hourly, daily, weekly, monthly } = self;
        Retention { last, hourly, daily, weekly, monthly }.to_string()
    }
}

/// A weekly timetable.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Timetable {
    /// The IANA name of the time zone: UTC unless given.
    pub time_zone: Option<String>,
    /// Its windows; the strictest that covers a moment counts.
    pub windows: Vec<Window>,
}

/// A part of some days.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    pub days: Vec<String>,
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`, not in it any more. Not after `from`: that of the next day.
    pub to: String,
    /// Such as `10M`, in bytes a second; null: nothing is sent.
    pub bandwidth_limit: Option<String>,
}

/// A group to be made, or what to change of one: what is left out is as usual, or stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProtectionGroupFields {
    /// What people call it. Needed for a new one.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What people say about it.
    pub description: Option<String>,
    /// The vCenter that has the virtual machines. Needed for a new one.
    pub source_vcenter_id: Option<String>,
    /// The datastore that they are on, by reference or name. It tells appliance and dataset.
    pub protection_datastore: Option<String>,
    /// The appliance that exports it. Needed where no datastore is named.
    pub source_target_id: Option<String>,
    /// The dataset behind it. Needed where no datastore is named.
    pub source_dataset: Option<String>,
    /// The vCenter in which they are recovered. Needed for a new one.
    pub dr_vcenter_id: Option<String>,
    /// The appliance that has the replica. Needed for a new one.
    pub dr_target_id: Option<String>,
    /// Below which dataset the replica is made: `<pool>/zerfaux/replica` unless given.
    pub dr_parent_dataset: Option<String>,
    /// How much may be lost, in minutes: 15 unless given. Not with a schedule.
    #[schema(minimum = 1, maximum = 1440)]
    pub rpo_minutes: Option<u32>,
    /// When runs start, instead of an RPO.
    pub schedule: Option<Schedule>,
    /// Which checkpoints stay.
    pub retention: Option<BothKeep>,
    /// `auto`, `relay` or `direct`: `auto` unless given.
    pub transport: Option<String>,
    /// The most that is sent, such as `10M`, in bytes a second. Empty: no limit.
    pub bandwidth_limit: Option<String>,
    /// When less, or nothing, is sent. Without windows: always the same.
    pub timetable: Option<Timetable>,
    /// Every so many checkpoints the guests are asked to be at rest: 0, never, unless given.
    #[schema(maximum = 1000)]
    pub quiesce_every: Option<u32>,
    /// Who goes first where not all can: 50 unless given.
    #[schema(maximum = 100)]
    pub priority: Option<u32>,
    /// Whether it is replicated at all.
    pub enabled: Option<bool>,
}

impl ProtectionGroupFields {
    /// What was said, over what there was.
    pub(super) fn over(self, old: GroupWish) -> Result<GroupWish, AppError> {
        let number = |new: Option<u32>, old: String| new.map_or(old, |number| number.to_string());
        let retention = self.retention.unwrap_or_default();
        let (rpo_minutes, calendar, calendar_zone) = match (self.rpo_minutes, self.schedule) {
            (None, None) => (old.rpo_minutes, old.calendar, None),
            (minutes, None) => (number(minutes, String::new()), String::new(), None),
            (minutes, Some(schedule)) => {
                (number(minutes, String::new()), schedule.calendar, schedule.time_zone)
            }
        };
        let (windows, table_zone) = match self.timetable {
            None => (old.windows, None),
            Some(table) => (table.windows.into_iter().map(window).collect(), table.time_zone),
        };
        if let (Some(one), Some(other)) = (&calendar_zone, &table_zone)
            && one != other
        {
            let message = "Schedule and timetable have one time zone together.";
            return Err(AppError::invalid("time_zone", message));
        }
        Ok(GroupWish {
            name: self.name.unwrap_or(old.name),
            description: self.description.unwrap_or(old.description),
            source_vcenter_id: self.source_vcenter_id.unwrap_or(old.source_vcenter_id),
            protection_datastore: self.protection_datastore.unwrap_or(old.protection_datastore),
            source_target_id: self.source_target_id.unwrap_or(old.source_target_id),
            source_dataset: self.source_dataset.unwrap_or(old.source_dataset),
            dr_vcenter_id: self.dr_vcenter_id.unwrap_or(old.dr_vcenter_id),
            dr_target_id: self.dr_target_id.unwrap_or(old.dr_target_id),
            dr_parent_dataset: self.dr_parent_dataset.unwrap_or(old.dr_parent_dataset),
            rpo_minutes,
            calendar,
            time_zone: calendar_zone.or(table_zone).unwrap_or(old.time_zone),
            keep_source: retention.source.map_or(old.keep_source, Keep::words),
            keep_dr: retention.dr.map_or(old.keep_dr, Keep::words),
            transport: self.transport.unwrap_or(old.transport),
            bandwidth_limit: self.bandwidth_limit.unwrap_or(old.bandwidth_limit),
            windows,
            quiesce_every: number(self.quiesce_every, old.quiesce_every),
            priority: number(self.priority, old.priority),
            disabled: self.enabled.map_or(old.disabled, |enabled| !enabled),
        })
    }
}

fn window(one: Window) -> WindowWish {
    let bandwidth_limit = one.bandwidth_limit.unwrap_or_default();
    WindowWish { days: one.days, from: one.from, to: one.to, bandwidth_limit }
}
