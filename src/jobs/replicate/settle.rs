//! Mark what arrived as ours, hold the new common base on both sides, and only then let go of the old.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::protect::{bookmark_of, common_names, is_bookmarked};
use super::run::{Pair, Run, View, full_name, hold_tag};
use super::snapshot::{mark, prefix};
use crate::domain::dataset::{Bookmark, Owner, PROPERTY_ROLE, Role};
use crate::domain::job::Failure;
use crate::domain::names::SnapshotName;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::hosts::Hosts;
use crate::zfs::{HoldTag, Property, Zfs};

pub(super) struct Settle(pub(super) Arc<Hosts>);

/// So many bookmarks of the group stay at the source, the newest: should somebody destroy the newest
/// snapshots of a replica, an older one is still a base.
pub(super) const CURSORS: usize = 3;

#[async_trait]
impl Step for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    fn percent(&self) -> (u8, u8) {
        (93, 97)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let run = Run::open(cx.input()?, &self.0).await?;
        let view = run.look().await?;
        for pair in &view.pairs {
            claim(&run, &view, pair).await?;
        }
        let mut base = (Vec::new(), Vec::new());
        for pair in &view.pairs {
            if let Some((here, there)) = common_names(pair)? {
                if !is_bookmarked(pair, &here) {
                    run.source.bookmark(&here, &bookmark_of(&here)?).await?;
                }
                base.0.push(here);
                base.1.push(there);
            }
        }
        let tag = hold_tag(&view.group)?;
        let (here, there) = tokio::join!(run.source.hold(&tag, &base.0), run.destination.hold(&tag, &base.1));
        here?;
        there?;
        // From here on the new base is safe on both sides.
        let here = view.pairs.iter().map(|pair| &pair.source);
        let there = view.pairs.iter().filter_map(|pair| pair.destination.as_ref());
        let (here, there) = tokio::join!(
            let_go(&run.source, &tag, here, &base.0),
            let_go(&run.destination, &tag, there, &base.1)
        );
        let released = here? + there?;
        forget_cursors(&run, &view).await?;
        Ok(serde_json::json!({ "released": released }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("the common base stays held on both sides: the next run builds on it")
    }
}

/// The replica carries the group and its role; snapshots that are the group's at the source are so at the
/// destination too. A stream brings no properties, so this is where a received snapshot becomes ours.
async fn claim(run: &Run, view: &View, pair: &Pair) -> Result<(), Failure> {
    let Some(there) = &pair.destination else { return Ok(()) };
    let group = view.group.to_string();
    if there.group.as_deref() != Some(&group) || there.role != Some(Role::Replica) {
        let role = Property::new(PROPERTY_ROLE, Role::Replica.as_str())
            .map_err(|error| Failure::permanent(format!("The role's mark is not valid: {error}.")))?;
        run.destination.set(&there.name, &[mark(&view.group)?, role]).await?;
    }
    let ours = Owner::Zerfaux(group);
    let unmarked = there.snapshots.iter().filter(|snapshot| {
        snapshot.owner == Owner::Foreign
            && pair.source.snapshot_by_guid(snapshot.guid).is_some_and(|here| here.owner == ours)
    });
    let names: Vec<SnapshotName> =
        unmarked.map(|snapshot| full_name(&there.name, &snapshot.tag)).collect::<Result<_, _>>()?;
    run.destination.mark_snapshots(&view.group.to_string(), &names).await?;
    Ok(())
}

/// Releases the group's hold on everything but the base. How many were released.
pub(super) async fn let_go<'a>(
    zfs: &Zfs,
    tag: &HoldTag,
    datasets: impl Iterator<Item = &'a crate::domain::dataset::Dataset>,
    base: &[SnapshotName],
) -> Result<usize, Failure> {
    let mut names = Vec::new();
    for dataset in datasets {
        for snapshot in dataset.snapshots.iter().filter(|snapshot| snapshot.holds > 0) {
            let name = full_name(&dataset.name, &snapshot.tag)?;
            if !base.contains(&name) {
                names.push(name);
            }
        }
    }
    if names.is_empty() {
        return Ok(0);
    }
    let holds = zfs.holds(&names).await?;
    let ours: Vec<SnapshotName> =
        holds.into_iter().filter(|hold| hold.tag == tag.as_str()).map(|hold| hold.snapshot).collect();
    zfs.release(tag, &ours).await?;
    Ok(ours.len())
}

/// Destroys the group's bookmarks at the source but for the newest few.
async fn forget_cursors(run: &Run, view: &View) -> Result<(), Failure> {
    let prefix = prefix(&view.group);
    for pair in &view.pairs {
        let ours: Vec<&Bookmark> = pair
            .source
            .bookmarks
            .iter()
            .filter(|bookmark| bookmark.tag.as_str().starts_with(&prefix))
            .collect();
        for bookmark in ours.iter().rev().skip(CURSORS) {
            let name = full_name(&pair.source.name, &bookmark.tag)?;
            run.source.destroy_bookmark(&bookmark_of(&name)?).await?;
        }
    }
    Ok(())
}
