//! Views.

use super::{Answer, Ctx};
use crate::sim::vcenter::session::View;
use crate::sim::vcenter::soap::{Fault, Moref, Value, schema};

fn make(c: &mut Ctx<'_>, kind: &'static str, view: View) -> Answer {
    let moref = c.session.fresh(kind);
    c.session.views.insert(moref.id.to_string(), (moref.clone(), view));
    changed(c);
    Ok(Some(moref.into()))
}

/// Filters that start from a view have to look again.
fn changed(c: &mut Ctx<'_>) {
    c.world.change += 1;
    c.session.views_changed = c.world.change;
}

pub(super) fn create_container(c: &mut Ctx<'_>) -> Answer {
    let container = c.object("container")?;
    if !matches!(
        container.kind,
        "Folder"
            | "Datacenter"
            | "ClusterComputeResource"
            | "ComputeResource"
            | "ResourcePool"
            | "HostSystem"
    ) {
        return Err(Fault::invalid_argument("container"));
    }
    let mut kinds = Vec::new();
    for name in c.args.list("type").iter().filter_map(Value::text) {
        let ty = schema().get(name).filter(|ty| schema().is_managed(ty.name));
        kinds.push(ty.ok_or_else(|| Fault::invalid_argument("type"))?.name);
    }
    let recursive = c.args.flag("recursive").unwrap_or(false);
    make(c, "ContainerView", View::Container { container, kinds, recursive })
}

fn listed(c: &Ctx<'_>, name: &str) -> Vec<Moref> {
    c.args.list(name).iter().filter_map(Value::moref).cloned().collect()
}

/// Splits what exists from what does not, which the call answers.
fn existing(c: &Ctx<'_>, all: Vec<Moref>) -> (Vec<Moref>, Vec<Moref>) {
    all.into_iter().partition(|moref| c.sight().must_exist(moref).is_ok())
}

pub(super) fn create_list(c: &mut Ctx<'_>) -> Answer {
    let (there, _) = existing(c, listed(c, "obj"));
    make(c, "ListView", View::List(there))
}

fn list<'a>(c: &'a mut Ctx<'_>) -> Result<&'a mut Vec<Moref>, Fault> {
    let gone = Fault::gone(&c.this);
    match c.session.views.get_mut(&*c.this.id) {
        Some((_, View::List(list))) => Ok(list),
        _ => Err(gone),
    }
}

pub(super) fn modify(c: &mut Ctx<'_>) -> Answer {
    let (add, unknown) = existing(c, listed(c, "add"));
    let remove = listed(c, "remove");
    let list = list(c)?;
    list.retain(|moref| !remove.contains(moref));
    for moref in add {
        if !list.contains(&moref) {
            list.push(moref);
        }
    }
    changed(c);
    Ok(Some(unknown.into()))
}

pub(super) fn reset(c: &mut Ctx<'_>) -> Answer {
    let (there, unknown) = existing(c, listed(c, "obj"));
    *list(c)? = there;
    changed(c);
    Ok(Some(unknown.into()))
}

pub(super) fn destroy(c: &mut Ctx<'_>) -> Answer {
    c.session.views.remove(&*c.this.id);
    changed(c);
    Ok(None)
}
