//! The event manager and its collectors.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data, schema};
use crate::sim::vcenter::world::{Occurrence, World};

/// The objects that an event names.
fn named(event: &Data) -> Vec<&Moref> {
    let arguments = ["datacenter", "computeResource", "host", "vm", "ds"].into_iter();
    arguments
        .filter_map(|name| event.data(name))
        .flat_map(|argument| argument.fields())
        .filter_map(|(_, value)| value.moref())
        .collect()
}

/// The events that a filter lets through, the oldest first.
pub(in crate::sim::vcenter) fn events(world: &World, filter: &Data) -> Vec<Data> {
    let entity = filter
        .data("entity")
        .and_then(|by| Some((by.moref("entity")?, by.text("recursion").unwrap_or("self"))));
    let types: Vec<_> = filter.list("eventTypeId").iter().filter_map(Value::text).collect();
    let time = |name: &str| match filter.data("time").and_then(|time| time.get(name)) {
        Some(Value::Time(time)) => Some(*time),
        _ => None,
    };
    let (from, to) = (time("beginTime"), time("endTime"));
    let about = |event: &Data, wanted: &Moref, recursion: &str| {
        let morefs = named(event);
        let direct = recursion != "children" && morefs.contains(&wanted);
        direct || recursion != "self" && morefs.iter().any(|moref| world.ancestors(moref).contains(wanted))
    };
    let fits = |event: &&Data| {
        let Some(Value::Time(at)) = event.get("createdTime") else { return false };
        entity.is_none_or(|(wanted, recursion)| {
            *wanted == world.root && recursion != "self" || about(event, wanted, recursion)
        }) && (types.is_empty()
            || types.iter().any(|ty| schema().is_a(event.ty, ty.trim_start_matches("vim.event."))))
            && from.is_none_or(|from| *at >= from)
            && to.is_none_or(|to| *at <= to)
    };
    world.events.iter().filter(fits).cloned().collect()
}

pub(super) fn query(c: &mut Ctx<'_>) -> Answer {
    let found = events(c.world, &c.data("filter")?);
    let newest = found.len().saturating_sub(1000);
    Ok(Some(found[newest..].to_vec().into()))
}

pub(super) fn create_collector(c: &mut Ctx<'_>, method: &str) -> Answer {
    let filter = c.data("filter")?;
    let kind = if method.ends_with("Events") { "EventHistoryCollector" } else { "TaskHistoryCollector" };
    let moref = c.session.fresh(kind);
    let at = events(c.world, &filter).len();
    c.session.histories.insert(moref.id.to_string(), (moref.clone(), filter, at));
    Ok(Some(moref.into()))
}

pub(super) fn read(c: &mut Ctx<'_>, forward: bool) -> Answer {
    let most = usize::try_from(c.args.int("maxCount").unwrap_or(0)).unwrap_or(0).min(1000);
    let gone = Fault::gone(&c.this);
    let (_, filter, at) = c.session.histories.get_mut(&*c.this.id).ok_or(gone)?;
    let all = events(c.world, filter);
    let here = (*at).min(all.len());
    let range = if forward { here..(here + most).min(all.len()) } else { here.saturating_sub(most)..here };
    *at = if forward { range.end } else { range.start };
    Ok(Some(all[range].to_vec().into()))
}

pub(super) fn rewind(c: &mut Ctx<'_>, method: &str) -> Answer {
    let gone = Fault::gone(&c.this);
    let (_, filter, at) = c.session.histories.get_mut(&*c.this.id).ok_or(gone)?;
    *at = if method == "RewindCollector" { 0 } else { events(c.world, filter).len() };
    Ok(None)
}

pub(super) fn destroy(c: &mut Ctx<'_>) -> Answer {
    c.session.histories.remove(&*c.this.id);
    Ok(None)
}

pub(super) fn log(c: &mut Ctx<'_>) -> Answer {
    let entity = c.object("entity")?;
    let message = c.text("msg")?;
    let vm = (entity.kind == "VirtualMachine").then(|| entity.clone());
    let host = (entity.kind == "HostSystem").then(|| entity.clone());
    let event = data("GeneralUserEvent").with("message", &message);
    c.world.event(event, Occurrence { vm, host, datastore: None }, &message);
    Ok(None)
}
