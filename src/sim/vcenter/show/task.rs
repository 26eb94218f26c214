//! How far a task is.

use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data, schema};
use crate::sim::vcenter::world::{Task, World};

/// A task's `info`.
pub(in crate::sim::vcenter) fn info(world: &World, moref: &Moref, task: &Task) -> Data {
    let entity = schema().is_a(task.entity.kind, "ManagedEntity").then_some(&task.entity);
    let named = entity.is_some() && !task.entity_name.is_empty();
    data("TaskInfo")
        .with("key", moref.id.to_string())
        .with("task", moref)
        .with("name", task.method)
        .with("descriptionId", task.description)
        .maybe("entity", entity)
        .maybe("entityName", named.then_some(&task.entity_name))
        .with("state", task.state.word())
        .with("cancelled", task.cancelled)
        .with("cancelable", task.cancelable)
        .maybe("error", task.error.as_ref().map(Fault::localized))
        .maybe("result", task.result.clone())
        .maybe("progress", task.progress.map(|percent| Value::Int(percent.into())))
        .with("reason", data("TaskReasonUser").with("userName", &task.user))
        .with("queueTime", task.queued)
        .maybe("startTime", task.started)
        .maybe("completeTime", task.completed)
        .with("eventChainId", task.chain % 1_000_000_000)
        .with("activationId", format!("{}-{}", &world.uuid[..8], moref.id))
}
