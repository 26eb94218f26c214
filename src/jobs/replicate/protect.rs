//! Hold what is about to be sent and what it builds on, and bookmark it, so that neither retention nor
//! anybody's cleaning can break the chain while the stream is under way.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run::{Pair, Run, View, full_name};
use crate::domain::job::Failure;
use crate::domain::names::SnapshotName;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::hosts::Hosts;
use crate::zfs::Zfs;

pub(super) struct Protect(pub(super) Arc<Hosts>);

/// What this run puts on, and thus what its undo may take off.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Intent {
    /// At the source: each is held and bookmarked.
    source: Vec<SnapshotName>,
    /// At the destination: each is held.
    destination: Vec<SnapshotName>,
}

#[async_trait]
impl Step for Protect {
    fn name(&self) -> &'static str {
        "protect"
    }

    fn percent(&self) -> (u8, u8) {
        (12, 16)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let run = Run::open(cx.input()?, &self.0).await?;
        let view = run.look().await?;
        let mut intent = wanted(&view)?;
        for (zfs, names) in [(&run.source, &mut intent.source), (&run.destination, &mut intent.destination)] {
            let held = held(zfs, names, &view).await?;
            names.retain(|name| !held.contains(name));
        }
        Ok(serde_json::to_value(intent).unwrap_or_default())
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let intent = read(intent)?;
        let run = Run::open(cx.input()?, &self.0).await?;
        let view = run.look().await?;
        let tag = view.hold()?;
        run.source.hold(&tag, &intent.source).await?;
        run.destination.hold(&tag, &intent.destination).await?;
        for name in &intent.source {
            run.source.bookmark(name, &bookmark_of(name)?).await?;
        }
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    /// Takes off what this run put on, but for what the next run needs: the common base, and what is half
    /// sent.
    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let intent = read(intent)?;
        let run = Run::open(cx.input()?, &self.0).await?;
        let view = run.look().await?;
        let tag = view.hold()?;
        let needed = needed(&view)?;
        let free = |names: &[SnapshotName]| -> Vec<SnapshotName> {
            names.iter().filter(|name| !needed.contains(name)).cloned().collect()
        };
        let (source, destination) = (free(&intent.source), free(&intent.destination));
        run.source.release(&tag, &source).await?;
        run.destination.release(&tag, &destination).await?;
        for name in &source {
            run.source.destroy_bookmark(&bookmark_of(name)?).await?;
        }
        Ok(())
    }
}

fn read(intent: &Value) -> Result<Intent, Failure> {
    Intent::deserialize(intent).map_err(|error| {
        Failure::permanent(format!("The recorded list of holds could not be read: {error}."))
    })
}

/// The bookmark of a snapshot bears the snapshot's name.
pub(super) fn bookmark_of(name: &SnapshotName) -> Result<crate::domain::names::BookmarkName, Failure> {
    name.dataset()
        .bookmark(name.tag())
        .map_err(|error| Failure::permanent(format!("A bookmark of {name} cannot be named: {error}.")))
}

/// The newest snapshot of each source and the newest common one on both sides.
fn wanted(view: &View) -> Result<Intent, Failure> {
    let mut intent = Intent::default();
    for pair in &view.pairs {
        if let Some(newest) = pair.source.newest() {
            intent.source.push(full_name(&pair.source.name, &newest.tag)?);
        }
        if let Some((here, there)) = common_names(pair)? {
            if !intent.source.contains(&here) {
                intent.source.push(here);
            }
            intent.destination.push(there);
        }
    }
    Ok(intent)
}

/// The newest common snapshot under its name at the source and at the destination.
pub(super) fn common_names(pair: &Pair) -> Result<Option<(SnapshotName, SnapshotName)>, Failure> {
    let Some(there) = &pair.destination else { return Ok(None) };
    let Some(guid) = pair.common() else { return Ok(None) };
    match (pair.source.snapshot_by_guid(guid), there.snapshot_by_guid(guid)) {
        (Some(a), Some(b)) => {
            Ok(Some((full_name(&pair.source.name, &a.tag)?, full_name(&there.name, &b.tag)?)))
        }
        _ => Ok(None),
    }
}

/// What must stay held after an undo.
fn needed(view: &View) -> Result<BTreeSet<SnapshotName>, Failure> {
    let mut needed = BTreeSet::new();
    for pair in &view.pairs {
        if let Some((here, there)) = common_names(pair)? {
            needed.extend([here, there]);
        }
        let partial = pair.destination.as_ref().and_then(|there| there.partial.as_ref());
        let arriving = partial.and_then(|partial| partial.contents.as_ref());
        if let Some(snapshot) = arriving.and_then(|contents| pair.source.snapshot_by_guid(contents.to_guid)) {
            needed.insert(full_name(&pair.source.name, &snapshot.tag)?);
        }
    }
    Ok(needed)
}

/// Which of these snapshots the group holds already.
async fn held(zfs: &Zfs, names: &[SnapshotName], view: &View) -> Result<BTreeSet<SnapshotName>, Failure> {
    if names.is_empty() {
        return Ok(BTreeSet::new());
    }
    let tag = view.hold()?;
    let holds = zfs.holds(names).await?;
    Ok(holds.into_iter().filter(|hold| hold.tag == tag.as_str()).map(|hold| hold.snapshot).collect())
}
