//! Take one snapshot of the whole tree, in one transaction group, under a name decided beforehand.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ReplicateInput;
use super::ends::Ends;
use super::look::Looked;
use super::run::{View, full_name};
use crate::domain::dataset::{Owner, PROPERTY_GROUP};
use crate::domain::ids::GroupId;
use crate::domain::job::{Failure, Level};
use crate::domain::names::{SnapTag, SnapshotName};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::zfs::Property;

pub(super) struct TakeSnapshot(pub(super) Arc<Ends>);

/// The names, decided once: `zx-<group>-<utc>-<seq>`, unique within the installation whatever the clock
/// does, because the sequence number only grows.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Intent {
    tag: Option<SnapTag>,
    names: Vec<SnapshotName>,
}

#[async_trait]
impl Step for TakeSnapshot {
    fn name(&self) -> &'static str {
        "snapshot"
    }

    fn percent(&self) -> (u8, u8) {
        (8, 12)
    }

    fn retry(&self) -> crate::engine::Retry {
        super::transfer::RETRY
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: ReplicateInput = cx.input()?;
        if !input.snapshot {
            return recorded(Intent { tag: None, names: Vec::new() });
        }
        let looked: Looked = cx.need("look")?;
        let tag = tag(&looked, cx.now())?;
        let names = looked.sources.iter().map(|name| full_name(name, &tag)).collect::<Result<_, _>>()?;
        recorded(Intent { tag: Some(tag), names })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let Intent { tag: Some(tag), names } = read(intent)? else {
            cx.info("No snapshot is taken: what is there is sent.");
            return Ok(Value::Null);
        };
        let run = self.0.open(cx).await?;
        let group = cx.need::<Looked>("look")?.group;
        let seen = self.0.take(cx);
        run.source.ensure_snapshots(&group.to_string(), &names, &[]).await?;
        if let Some(mut view) = seen {
            let owner = Owner::Zerfaux(group.to_string());
            for (name, snapshot) in run.source.fresh_snapshots(&names, &owner).await? {
                view.taken(name.dataset(), snapshot);
            }
            self.0.leave(cx, view);
        }
        cx.console(Level::Success, format!("Snapshot @{tag} of {}.", count(names.len())));
        Ok(serde_json::json!({ "tag": tag }))
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    /// Takes the snapshots away again, but for those that have arrived or are arriving: what the next run
    /// builds on or resumes is never taken away.
    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let Some(tag) = read(intent)?.tag else { return Ok(()) };
        let run = self.0.open(cx).await?;
        let view = run.look().await?;
        for pair in &view.pairs {
            let Some(snapshot) = pair.source.snapshot_by_tag(&tag) else { continue };
            let arrived = pair.destination.as_ref().is_some_and(|there| {
                let arriving = there.partial.as_ref().and_then(|partial| partial.contents.as_ref());
                there.snapshot_by_guid(snapshot.guid).is_some()
                    || arriving.is_some_and(|contents| contents.to_guid == snapshot.guid)
            });
            let ours = snapshot.owner == Owner::Zerfaux(view.group.to_string());
            if arrived || !ours {
                cx.info(format!("{}@{tag} stays: the destination builds on it.", pair.source.name));
                continue;
            }
            run.source.destroy_snapshots(&pair.source.name, &view.group.to_string(), &[snapshot]).await?;
        }
        Ok(())
    }
}

fn read(intent: &Value) -> Result<Intent, Failure> {
    Intent::deserialize(intent).map_err(|error| {
        Failure::permanent(format!("The snapshot's recorded name could not be read: {error}."))
    })
}

/// Marks a snapshot as the group's.
pub(super) fn mark(group: &GroupId) -> Result<Property, Failure> {
    Property::new(PROPERTY_GROUP, &group.to_string())
        .map_err(|error| Failure::permanent(format!("The group's mark is not valid: {error}.")))
}

/// What the names of all of a group's snapshots and bookmarks begin with.
pub(super) fn prefix(group: &GroupId) -> String {
    format!("zx-{}-", group.short())
}

/// One more than the highest sequence number that a snapshot or bookmark of the group bears on either side.
pub(super) fn next_sequence(view: &View) -> u64 {
    let prefix = prefix(&view.group);
    let both = view.pairs.iter().flat_map(|pair| [Some(&pair.source), pair.destination.as_ref()]).flatten();
    let tags = both.flat_map(|dataset| {
        let snapshots = dataset.snapshots.iter().map(|snapshot| &snapshot.tag);
        snapshots.chain(dataset.bookmarks.iter().map(|bookmark| &bookmark.tag))
    });
    let sequences =
        tags.filter_map(|tag| tag.as_str().strip_prefix(&prefix)?.rsplit('-').next()?.parse::<u64>().ok());
    sequences.max().unwrap_or(0).saturating_add(1)
}

fn tag(looked: &Looked, now: Timestamp) -> Result<SnapTag, Failure> {
    let text = format!("{}{}-{}", prefix(&looked.group), now.strftime("%Y%m%dT%H%M%SZ"), looked.sequence);
    text.parse().map_err(|error| Failure::permanent(format!("No snapshot name could be made: {error}.")))
}

fn count(datasets: usize) -> String {
    format!("{datasets} dataset{}", if datasets == 1 { "" } else { "s" })
}
