//! If a person chose so: rename a diverged destination aside, with everything it holds, and either go on
//! from the common snapshot in a clone of it, or leave its place empty for a full send.
//!
//! The sequence is the one that was tried for reprotect: rename the old, clone it at the base, promote
//! the clone. The clone then owns the history up to the base; what came after it stays with the old one.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ends::Ends;
use super::look::{can_be_resolved, is_encrypted, refused};
use super::run::{Pair, Run, hold_tag};
use super::settle::others_held;
use super::{OnConflict, ReplicateInput};
use crate::domain::dataset::{Guid, PROPERTY_ROLE, Role};
use crate::domain::ids::GroupId;
use crate::domain::job::{Failure, Level};
use crate::domain::names::{DatasetName, SnapTag};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::direction::{go_on_from, of_replica};
use crate::jobs::failure::recorded;
use crate::zfs::{Property, Zfs};

pub(super) struct SetAside(pub(super) Arc<Ends>);

/// One dataset that makes room.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Move {
    place: DatasetName,
    guid: Guid,
    aside: DatasetName,
    /// Go on from this snapshot; none: the place stays empty.
    base: Option<SnapTag>,
}

#[async_trait]
impl Step for SetAside {
    fn name(&self) -> &'static str {
        "set_aside"
    }

    fn percent(&self) -> (u8, u8) {
        (4, 6)
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: ReplicateInput = cx.input()?;
        if input.on_conflict == OnConflict::Stop {
            return Ok(Value::Array(Vec::new()));
        }
        let run = self.0.open(cx).await?;
        let view = self.0.view(cx, &run).await?;
        let mut moves: Vec<Move> = Vec::new();
        for pair in &view.pairs {
            let Some(conflict) = run.obstacle(&view, pair) else { continue };
            if !can_be_resolved(&conflict, is_encrypted(pair), run.input.on_conflict) {
                return Err(refused(&conflict, is_encrypted(pair)));
            }
            // A dataset takes its children along; they make no room of their own.
            if moves.iter().any(|earlier| pair.place.below(&earlier.place).is_some()) {
                continue;
            }
            let base = match run.input.on_conflict {
                OnConflict::KeepAndContinue => conflict.base().cloned(),
                _ => None,
            };
            let Some(there) = &pair.destination else { continue };
            moves.push(Move {
                place: pair.place.clone(),
                guid: there.guid,
                aside: aside(pair, cx.now())?,
                base,
            });
        }
        recorded(moves)
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let moves = read(intent)?;
        if moves.is_empty() {
            return Ok(Value::Null);
        }
        let run = self.0.open(cx).await?;
        let group = cx.need::<super::look::Looked>("look")?.group;
        for wanted in &moves {
            make_room(cx, &run, wanted, &group).await?;
        }
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("a copy that was set aside stays under its dated name until a person discards it")
    }
}

fn read(intent: &Value) -> Result<Vec<Move>, Failure> {
    Vec::deserialize(intent).map_err(|error| {
        Failure::permanent(format!("The recorded plan to set aside could not be read: {error}."))
    })
}

/// A dated name beside the dataset.
fn aside(pair: &Pair, now: Timestamp) -> Result<DatasetName, Failure> {
    let text = format!("{}-kept-{}", pair.place, now.strftime("%Y%m%dT%H%M%SZ"));
    text.parse().map_err(|error| {
        Failure::permanent(format!("{} cannot be renamed aside: {error}.", pair.place))
            .advise("A pool's root dataset cannot be renamed. Choose another destination.")
    })
}

/// Each part is done only if it is not done yet, so a run that was killed in between goes on.
async fn make_room(cx: &StepContext, run: &Run, wanted: &Move, group: &GroupId) -> Result<(), Failure> {
    let Move { place, guid, aside, base } = wanted;
    if place.parent().is_none() {
        return Err(Failure::permanent(format!(
            "{place} is a pool's root dataset and cannot be renamed aside."
        ))
        .advise("Choose another destination."));
    }
    let zfs = &run.destination;
    let found = zfs.existing(&[place.clone(), aside.clone()]).await?;
    let role = |role: Role| {
        Property::new(PROPERTY_ROLE, role.as_str())
            .map_err(|error| Failure::permanent(format!("The role's mark is not valid: {error}.")))
    };
    if !found.contains(aside) {
        zfs.rename(place, aside, *guid).await?;
        cx.console(Level::Success, format!("{place} is kept as {aside}."));
    }
    zfs.set(aside, &[role(Role::Keep)?]).await?;
    let Some(base) = base else { return let_go_of_kept(zfs, aside, group).await };
    go_on_from(zfs, (aside, base), place, &of_replica(&group.to_string())?).await?;
    cx.info(format!("{place} goes on from @{base}."));
    let_go_of_kept(zfs, aside, group).await
}

/// Nothing builds on the kept copy any more, and whoever discards it must not be stopped by holds whose meaning
/// has gone. Only the group's own holds are taken off.
async fn let_go_of_kept(zfs: &Zfs, aside: &DatasetName, group: &GroupId) -> Result<(), Failure> {
    let kept = zfs.datasets(std::slice::from_ref(aside), true).await?;
    zfs.release(&hold_tag(group)?, &others_held(kept.iter(), &[])?).await?;
    Ok(())
}
