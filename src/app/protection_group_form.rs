//! What somebody wants a protection group to be, checked field by field.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::FieldError;
use super::fields::{Faults, given, line, number};
use crate::domain::ids::{TargetId, VcenterId};
use crate::domain::names::DatasetName;
use crate::domain::protection_group::{
    DEFAULT_PRIORITY, DEFAULT_RPO_MINUTES, LEAST_RPO_MINUTES, MOST_PRIORITY, MOST_QUIESCE_EVERY,
    MOST_RPO_MINUTES, Policy, ProtectionGroup, Quiesce, Rhythm,
};
use crate::domain::rate::Rate;
use crate::domain::retention::Retention;
use crate::domain::timetable::{
    Allows, DAY_MINUTES, MOST_WINDOWS, Timetable, Weekday, Window, clock_of, minute_of_day,
};
use crate::domain::transport::Transport;
use crate::engine::due::Rule;

/// Most characters of a name.
const NAME: usize = 100;
/// Most characters of a description.
const DESCRIPTION: usize = 1000;
/// What stays at the source unless said otherwise.
pub const USUAL_KEEP_SOURCE: &str = "last=3,hourly=24";
/// What stays at the DR side unless said otherwise.
pub const USUAL_KEEP_DR: &str = "last=12,hourly=24,daily=7,weekly=4";

/// A group as somebody wants it, in the words of the form and the API. An empty text means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupWish {
    /// What people call it.
    pub name: String,
    /// What people say about it.
    pub description: String,
    /// The vCenter that has the virtual machines.
    pub source_vcenter_id: String,
    /// The datastore that they are on, by reference or name.
    pub protection_datastore: String,
    /// The appliance that exports it; empty: told by the datastore.
    pub source_target_id: String,
    /// The dataset behind it; empty: told by the datastore.
    pub source_dataset: String,
    /// The vCenter in which they are recovered.
    pub dr_vcenter_id: String,
    /// The appliance that has the replica.
    pub dr_target_id: String,
    /// Below which dataset the replica is made; empty: the pool's own place for replicas.
    pub dr_parent_dataset: String,
    /// How much may be lost, in minutes.
    pub rpo_minutes: String,
    /// Instead of an RPO: five fields of cron.
    pub calendar: String,
    /// The time zone of calendar and timetable: UTC unless said.
    pub time_zone: String,
    /// Such as `last=3,daily=7`, or `all`.
    pub keep_source: String,
    /// The same at the DR side.
    pub keep_dr: String,
    /// `auto`, `relay` or `direct`.
    pub transport: String,
    /// For example `10M`.
    pub bandwidth_limit: String,
    /// When less, or nothing, is sent.
    pub windows: Vec<WindowWish>,
    /// Every so many checkpoints; 0: never.
    pub quiesce_every: String,
    /// 0 to 100.
    pub priority: String,
    /// Not replicated at all.
    pub disabled: bool,
}

/// A window of the weekly timetable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowWish {
    /// `mon`, `tue` and so on.
    pub days: Vec<String>,
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`, not in the window any more.
    pub to: String,
    /// For example `10M`; empty: nothing is sent.
    pub bandwidth_limit: String,
}

/// A wish that can be read.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) source: NamedSource,
    pub(super) dr: NamedDr,
    pub(super) policy: Policy,
    pub(super) enabled: bool,
}

/// Where the virtual machines run, as it was named.
#[derive(Debug, Clone)]
pub(super) struct NamedSource {
    pub(super) vcenter: VcenterId,
    pub(super) datastore: Option<String>,
    pub(super) target: Option<TargetId>,
    pub(super) dataset: Option<DatasetName>,
}

/// Where they are recovered, as it was named.
#[derive(Debug, Clone)]
pub(super) struct NamedDr {
    pub(super) vcenter: VcenterId,
    pub(super) target: TargetId,
    pub(super) parent: Option<DatasetName>,
}

impl GroupWish {
    /// What a form begins with.
    pub fn usual() -> Self {
        Self {
            rpo_minutes: DEFAULT_RPO_MINUTES.to_string(),
            keep_source: USUAL_KEEP_SOURCE.to_owned(),
            keep_dr: USUAL_KEEP_DR.to_owned(),
            quiesce_every: "0".to_owned(),
            priority: DEFAULT_PRIORITY.to_string(),
            ..Self::default()
        }
    }

    /// Everything that can be read without looking anything up.
    pub(super) fn check(&self) -> Result<Checked, Vec<FieldError>> {
        let mut faults = Faults::default();
        let name = faults.note("name", line(&self.name, "The name of a group", NAME));
        let description = faults.note("description", described(&self.description));
        let source = self.source(&mut faults);
        let dr = self.dr(&mut faults);
        let policy = self.policy(&mut faults);
        let all = (|| {
            Some(Checked {
                name: name?,
                description: description?,
                source: source?,
                dr: dr?,
                policy: policy?,
                enabled: !self.disabled,
            })
        })();
        all.filter(|_| faults.0.is_empty()).ok_or(faults.0)
    }

    /// Where the virtual machines run.
    pub(super) fn source(&self, faults: &mut Faults) -> Option<NamedSource> {
        let vcenter = faults.note(
            "source_vcenter_id",
            vcenter(&self.source_vcenter_id, "Choose the vCenter that has the virtual machines."),
        );
        let target = faults.note(
            "source_target_id",
            optional(&self.source_target_id, |text| {
                text.parse::<TargetId>().map_err(|_| "This is not the id of an appliance.".to_owned())
            }),
        );
        let dataset = faults.note("source_dataset", optional(&self.source_dataset, dataset));
        let datastore = given(&self.protection_datastore).map(str::to_owned);
        if datastore.is_none()
            && (given(&self.source_target_id).is_none() || given(&self.source_dataset).is_none())
        {
            let ask = "Choose the datastore that the virtual machines are on, or name appliance and dataset.";
            faults.note::<()>("protection_datastore", Err(ask.to_owned()));
        }
        Some(NamedSource { vcenter: vcenter?, datastore, target: target?, dataset: dataset? })
    }

    /// Where they are recovered.
    pub(super) fn dr(&self, faults: &mut Faults) -> Option<NamedDr> {
        let vcenter = faults.note(
            "dr_vcenter_id",
            vcenter(&self.dr_vcenter_id, "Choose the vCenter in which they are recovered."),
        );
        let target = faults.note(
            "dr_target_id",
            match given(&self.dr_target_id) {
                None => Err("Choose the appliance that is to have the replica.".to_owned()),
                Some(text) => {
                    text.parse::<TargetId>().map_err(|_| "This is not the id of an appliance.".to_owned())
                }
            },
        );
        let parent = faults.note("dr_parent_dataset", optional(&self.dr_parent_dataset, dataset));
        Some(NamedDr { vcenter: vcenter?, target: target?, parent: parent? })
    }

    /// How it is replicated.
    pub(super) fn policy(&self, faults: &mut Faults) -> Option<Policy> {
        let zone = given(&self.time_zone).unwrap_or("UTC").to_owned();
        let zone = faults.note(
            "time_zone",
            match TimeZone::get(&zone) {
                Ok(_) => Ok(zone),
                Err(_) => Err(format!("There is no time zone {zone:?}; write a name such as Europe/Berlin.")),
            },
        );
        let rhythm = self.rhythm(faults, zone.as_deref());
        let keep = |text: &str, usual: &str| {
            given(text).unwrap_or(usual).parse::<Retention>().map_err(|error| format!("{error}."))
        };
        let keep_source = faults.note("keep_source", keep(&self.keep_source, USUAL_KEEP_SOURCE));
        let keep_dr = faults.note("keep_dr", keep(&self.keep_dr, USUAL_KEEP_DR));
        let transport = faults.note(
            "transport",
            match given(&self.transport).unwrap_or("auto") {
                "auto" => Ok(Transport::Auto),
                "relay" => Ok(Transport::Relay),
                "direct" => Ok(Transport::Direct),
                _ => Err("It is auto, relay or direct.".to_owned()),
            },
        );
        let rate = |text: &str| text.parse::<Rate>().map_err(|error| format!("{error}."));
        let bandwidth_limit = faults.note("bandwidth_limit", optional(&self.bandwidth_limit, rate));
        let quiesce = faults
            .note("quiesce_every", number(&self.quiesce_every, 0, 0, MOST_QUIESCE_EVERY, "checkpoints"));
        let most = u32::from(MOST_PRIORITY);
        let priority = faults
            .note("priority", number(&self.priority, u32::from(DEFAULT_PRIORITY), 0, most, "as priority"));
        let windows = faults.note("windows", self.windows());
        let timetable = |windows: Vec<Window>, time_zone| {
            (!windows.is_empty()).then_some(Timetable { time_zone, windows })
        };
        Some(Policy {
            rhythm: rhythm?,
            keep_source: keep_source?,
            keep_dr: keep_dr?,
            transport: transport?,
            bandwidth_limit: bandwidth_limit?,
            timetable: timetable(windows?, zone?),
            quiesce: quiesce.map(|every| if every == 0 { Quiesce::Never } else { Quiesce::Every(every) })?,
            priority: u8::try_from(priority?).ok()?,
        })
    }

    fn rhythm(&self, faults: &mut Faults, zone: Option<&str>) -> Option<Rhythm> {
        let Some(pattern) = given(&self.calendar) else {
            let minutes = number(
                &self.rpo_minutes,
                DEFAULT_RPO_MINUTES,
                LEAST_RPO_MINUTES,
                MOST_RPO_MINUTES,
                "minutes",
            );
            return Some(Rhythm::Rpo { minutes: faults.note("rpo_minutes", minutes)? });
        };
        if given(&self.rpo_minutes).is_some() {
            let both =
                "Give either an RPO or a calendar: a calendar starts runs at its own times.".to_owned();
            return faults.note("rpo_minutes", Err(both));
        }
        let zone = zone?;
        let read =
            Rule::parse(None, Some(pattern), zone).map_err(|error| format!("{error}.")).and_then(|rule| {
                match rule.next_due(jiff::Timestamp::UNIX_EPOCH) {
                    Some(_) => {
                        Ok(Rhythm::Calendar { pattern: pattern.to_owned(), time_zone: zone.to_owned() })
                    }
                    None => Err("This calendar has no day on which it would ever run.".to_owned()),
                }
            });
        faults.note("schedule", read)
    }

    fn windows(&self) -> Result<Vec<Window>, String> {
        if self.windows.len() > MOST_WINDOWS {
            return Err(format!("A timetable has at most {MOST_WINDOWS} windows."));
        }
        self.windows.iter().map(WindowWish::check).collect()
    }
}

impl WindowWish {
    fn check(&self) -> Result<Window, String> {
        let mut days: Vec<Weekday> = Vec::new();
        for text in &self.days {
            let day = Weekday::parse(text)
                .ok_or_else(|| format!("{text:?} is no day; write mon, tue, wed, thu, fri, sat or sun."))?;
            if !days.contains(&day) {
                days.push(day);
            }
        }
        if days.is_empty() {
            return Err("A window has at least one day.".to_owned());
        }
        let minute = |text: &str| {
            minute_of_day(text).ok_or_else(|| format!("{text:?} is no time of day; write for example 08:00."))
        };
        let (from, to) = (minute(&self.from)?, minute(&self.to)?);
        if from == DAY_MINUTES {
            return Err("A window begins at 23:59 at the latest.".to_owned());
        }
        let allows = match given(&self.bandwidth_limit) {
            None => Allows::Nothing,
            Some(text) => Allows::AtMost(text.parse::<Rate>().map_err(|error| format!("{error}."))?),
        };
        Ok(Window { days, from, to, allows })
    }
}

impl From<&ProtectionGroup> for GroupWish {
    fn from(group: &ProtectionGroup) -> Self {
        let policy = &group.policy;
        let (rpo_minutes, calendar, zone) = match &policy.rhythm {
            Rhythm::Rpo { minutes } => (minutes.to_string(), String::new(), None),
            Rhythm::Calendar { pattern, time_zone } => {
                (String::new(), pattern.clone(), Some(time_zone.clone()))
            }
        };
        let windows = policy.timetable.as_ref().map(|one| one.windows.clone()).unwrap_or_default();
        let window = |one: &Window| WindowWish {
            days: one.days.iter().map(|day| day.as_str().to_owned()).collect(),
            from: clock_of(one.from),
            to: clock_of(one.to),
            bandwidth_limit: match one.allows {
                Allows::Nothing => String::new(),
                Allows::AtMost(rate) => rate.to_string(),
            },
        };
        let transport = match policy.transport {
            Transport::Auto => "auto",
            Transport::Relay => "relay",
            Transport::Direct => "direct",
        };
        Self {
            name: group.name.clone(),
            description: group.description.clone().unwrap_or_default(),
            source_vcenter_id: group.source.vcenter.to_string(),
            protection_datastore: String::new(),
            source_target_id: group.source.target.to_string(),
            source_dataset: group.source.dataset.to_string(),
            dr_vcenter_id: group.dr.vcenter.to_string(),
            dr_target_id: group.dr.target.to_string(),
            dr_parent_dataset: group.dr.dataset.parent().map(|one| one.to_string()).unwrap_or_default(),
            rpo_minutes,
            calendar,
            time_zone: zone
                .or_else(|| policy.timetable.as_ref().map(|one| one.time_zone.clone()))
                .unwrap_or_default(),
            keep_source: policy.keep_source.to_string(),
            keep_dr: policy.keep_dr.to_string(),
            transport: transport.to_owned(),
            bandwidth_limit: policy.bandwidth_limit.map(|rate| rate.to_string()).unwrap_or_default(),
            windows: windows.iter().map(window).collect(),
            quiesce_every: match policy.quiesce {
                Quiesce::Never => "0".to_owned(),
                Quiesce::Every(every) => every.to_string(),
            },
            priority: policy.priority.to_string(),
            disabled: !group.enabled,
        }
    }
}

fn described(text: &str) -> Result<Option<String>, String> {
    let text = given(text).map(str::to_owned);
    match text {
        Some(text) if text.chars().count() > DESCRIPTION || text.contains('\0') => {
            Err(format!("The description has at most {DESCRIPTION} characters."))
        }
        other => Ok(other),
    }
}

fn vcenter(text: &str, ask: &str) -> Result<VcenterId, String> {
    let text = given(text).ok_or_else(|| ask.to_owned())?;
    text.parse().map_err(|_| "This is not the id of a vCenter.".to_owned())
}

fn dataset(text: &str) -> Result<DatasetName, String> {
    text.parse::<DatasetName>().map_err(|error| format!("{error}."))
}

fn optional<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    given(text).map(read).transpose()
}
