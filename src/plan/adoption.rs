//! Whether a group that appliances have can be taken over, and as what: of facts alone.

use crate::domain::dataset::Guid;
use crate::domain::epoch::Epoch;
use crate::domain::ids::{TargetId, VcenterId};
use crate::domain::names::DatasetName;
use crate::domain::protection_group::{DrSide, ProtectionGroup, SourceSide};
use crate::domain::terms::Terms;

/// One of a group's datasets, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Where it lies.
    pub target: TargetId,
    /// What the appliance is called.
    pub appliance: String,
    /// The dataset.
    pub dataset: DatasetName,
    /// Its own GUID.
    pub guid: Guid,
    /// Which way its group goes, as it says.
    pub epoch: Option<Epoch>,
    /// What its group is, as it says.
    pub terms: Result<Terms, String>,
}

/// What a person may add where the datasets do not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// The vCenter that has the virtual machines.
    pub source_vcenter: Option<VcenterId>,
    /// The vCenter in which they are recovered.
    pub dr_vcenter: Option<VcenterId>,
    /// The appliance that has, or had, the live dataset, where that is not found.
    pub source_target: Option<TargetId>,
}

/// A connection by which a vCenter is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: VcenterId,
    /// What it is called.
    pub name: String,
    /// Which vCenter it is.
    pub uuid: Option<String>,
}

/// A group as it is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The group; paused if its live dataset was not found.
    pub group: ProtectionGroup,
    /// Counts its changes of direction.
    pub epoch: u32,
    /// What the datasets say of it.
    pub terms: Terms,
    /// What somebody should know.
    pub remarks: Vec<String>,
}

/// Puts a group together from its datasets, or says why not.
///
/// # Errors
/// A sentence or two: what is missing or contradicts, and what to do about it.
pub fn adopt(
    (live, replicas): (&[Side], &[Side]),
    connections: &[Connection],
    wish: &Wish,
    now: jiff::Timestamp,
) -> Result<Adopted, String> {
    let [replica] = replicas else { return Err(ambiguous("replica", replicas)) };
    if live.len() > 1 {
        return Err(ambiguous("live dataset", live));
    }
    let live = live.first();
    let mut remarks = Vec::new();
    if let Some(live) = live {
        agree(live, replica)?;
    }
    let said = live.into_iter().chain([replica]).map(|side| side.terms.as_ref());
    let terms = said.clone().find_map(Result::ok);
    let Some(terms) = terms.cloned() else {
        let why = said.filter_map(Result::err).next().map_or("", String::as_str);
        return Err(format!("{why} Make the group anew: its first run goes on from what is there."));
    };
    let Some(counter) = replica.epoch.or(live.and_then(|live| live.epoch)).map(|epoch| epoch.counter) else {
        return Err("Its datasets do not say which way it is replicated. Make the group anew.".to_owned());
    };
    let (target, dataset) = match (live, wish.source_target) {
        (Some(live), _) => (live.target, live.dataset.clone()),
        (None, Some(target)) => {
            remarks.push(format!(
                "Its live dataset {} was not found, so it is paused. Its checkpoints can be recovered.",
                terms.source.dataset
            ));
            (target, terms.source.dataset.clone())
        }
        (None, None) => {
            return Err(format!(
                "Its live dataset {} on {:?} is on none of the appliances that answer. Add that appliance, or name one in \
                 its place (source_target_id): the group is then paused.",
                terms.source.dataset, terms.source.appliance
            ));
        }
    };
    let vcenter = |wished: Option<VcenterId>, uuid: Option<&str>, name: &str, field: &str| {
        let known = connections.iter();
        let by_uuid = known.clone().find(|one| uuid.is_some() && one.uuid.as_deref() == uuid);
        let by_name = || known.clone().find(|one| one.name == name);
        let found = wished.or_else(|| by_uuid.or_else(by_name).map(|one| one.id));
        found.ok_or_else(|| {
            format!("The vCenter {name:?} is not connected. Connect it, or name another one ({field}).")
        })
    };
    let (from, to) = (&terms.source, &terms.dr);
    let source = SourceSide {
        vcenter: vcenter(
            wish.source_vcenter,
            from.vcenter_uuid.as_deref(),
            &from.vcenter,
            "source_vcenter_id",
        )?,
        target,
        dataset,
        export: terms.export.clone(),
    };
    let dr = DrSide {
        vcenter: vcenter(wish.dr_vcenter, to.vcenter_uuid.as_deref(), &to.vcenter, "dr_vcenter_id")?,
        target: replica.target,
        dataset: replica.dataset.clone(),
    };
    let group = ProtectionGroup {
        id: terms.group,
        name: terms.name.clone(),
        description: terms.description.clone(),
        source,
        dr,
        policy: terms.policy.clone(),
        enabled: terms.enabled,
        paused_at: live.is_none().then_some(now),
        created_by: terms.created_by.clone(),
        created_at: terms.created_at,
    };
    Ok(Adopted { group, epoch: counter, terms, remarks })
}

fn ambiguous(what: &str, found: &[Side]) -> String {
    if found.is_empty() {
        return format!(
            "Its {what} is on none of the appliances that answer. Add the appliance that has it."
        );
    }
    let places: Vec<String> =
        found.iter().map(|one| format!("{} on {}", one.dataset, one.appliance)).collect();
    format!(
        "More than one dataset says that it is its {what}: {}. Take the property zerfaux:role off those that are not \
         (zfs inherit zerfaux:role DATASET).",
        places.join(", ")
    )
}

/// Both sides have to mean the same direction: a side that was away when it changed must not be taken for the live one.
fn agree(live: &Side, replica: &Side) -> Result<(), String> {
    let wrong = |why: String| {
        Err(format!(
            "{why} It is not known which side is the live one. Look at both, and take the property zerfaux:role off the one \
             that is not what it says."
        ))
    };
    match (live.epoch, replica.epoch) {
        (Some(one), Some(other)) if one != other => {
            wrong(format!("{} says epoch {one}, {} says {other}.", live.dataset, replica.dataset))
        }
        (Some(one), _) | (None, Some(one)) if one.live != live.guid => {
            wrong(format!("The live dataset of epoch {one} is another one than {}.", live.dataset))
        }
        _ => Ok(()),
    }
}
