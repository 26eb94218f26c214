//! Calls of the property collector but for those that wait.

use super::{Answer, Ctx};
use crate::sim::vcenter::collector::{Collector, Filter, Paging, Selection, next_page};
use crate::sim::vcenter::soap::{Data, Fault, Value, data, schema};

/// The most objects of a page, as a vCenter limits it whatever was asked for.
const LARGEST_PAGE: usize = 5000;

/// One property, as pyVmomi reads an attribute.
pub(super) fn fetch(c: &mut Ctx<'_>) -> Answer {
    let name = c.text("prop")?;
    let field = schema().get(c.this.kind).and_then(|ty| ty.field(&name));
    let ty = field.ok_or_else(|| Fault::invalid_property(&name))?.ty;
    Ok(c.sight().property(&c.this, &name)?.map(|value| Value::typed(ty, value)))
}

pub(super) fn create_filter(c: &mut Ctx<'_>) -> Answer {
    let spec = c.data("spec")?;
    let moref = c.session.fresh("PropertyFilter");
    let filter = Filter::new(moref.clone(), spec, c.args.flag("partialUpdates").unwrap_or(false))?;
    filter.check(&c.sight())?;
    let id = c.this.id.clone();
    let gone = Fault::gone(&c.this);
    let collector = c.session.collectors.get_mut(&*id).ok_or(gone)?;
    collector.filters.push(filter);
    Ok(Some(moref.into()))
}

pub(super) fn destroy_filter(c: &mut Ctx<'_>) -> Answer {
    let this = c.this.clone();
    let dropped = c.session.collectors.values_mut().any(|collector| collector.drop_filter(&this));
    if dropped { Ok(None) } else { Err(Fault::gone(&this)) }
}

fn selected(c: &Ctx<'_>) -> Result<Paging, Fault> {
    let mut rest = std::collections::VecDeque::new();
    for spec in c.args.list("specSet").iter().filter_map(Value::data) {
        let selection = Selection::parse(spec)?;
        selection.check_starts(&c.sight())?;
        rest.extend(selection.objects(&c.sight()));
    }
    Ok(Paging { rest, page: usize::MAX })
}

pub(super) fn retrieve(c: &mut Ctx<'_>) -> Answer {
    let mut paging = selected(c)?;
    Ok(Some(Value::List(next_page(&c.sight(), &mut paging))))
}

pub(super) fn retrieve_ex(c: &mut Ctx<'_>) -> Answer {
    let mut paging = selected(c)?;
    let most = c.data("options")?.int("maxObjects");
    paging.page = match most {
        Some(most) if most < 1 => return Err(Fault::invalid_argument("options.maxObjects")),
        Some(most) => usize::try_from(most).unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE),
        None => LARGEST_PAGE * 4,
    };
    if paging.rest.is_empty() {
        return Ok(None);
    }
    page(c, paging)
}

fn page(c: &mut Ctx<'_>, mut paging: Paging) -> Answer {
    let objects = next_page(&c.sight(), &mut paging);
    let mut result: Data = data("RetrieveResult").with("objects", Value::List(objects));
    if !paging.rest.is_empty() {
        let token = c.session.fresh("PropertyFilter").id.to_string();
        result.set("token", token.clone());
        collector(c)?.retrievals.insert(token, paging);
    }
    Ok(Some(result.into()))
}

fn collector<'a>(c: &'a mut Ctx<'_>) -> Result<&'a mut Collector, Fault> {
    let gone = Fault::gone(&c.this);
    c.session.collectors.get_mut(&*c.this.id).ok_or(gone)
}

pub(super) fn go_on(c: &mut Ctx<'_>) -> Answer {
    let token = c.text("token")?;
    let paging = collector(c)?.retrievals.remove(&token);
    page(c, paging.ok_or_else(|| Fault::invalid_argument("token"))?)
}

pub(super) fn cancel_retrieval(c: &mut Ctx<'_>) -> Answer {
    let token = c.text("token")?;
    match collector(c)?.retrievals.remove(&token) {
        Some(_) => Ok(None),
        None => Err(Fault::invalid_argument("token")),
    }
}

pub(super) fn cancel_wait(c: &mut Ctx<'_>) -> Answer {
    collector(c)?.cancelled += 1;
    c.world.change += 1;
    Ok(None)
}

pub(super) fn create_collector(c: &mut Ctx<'_>) -> Answer {
    let moref = c.session.fresh("PropertyCollector");
    c.session.collectors.insert(moref.id.to_string(), Collector::default());
    Ok(Some(moref.into()))
}

pub(super) fn destroy_collector(c: &mut Ctx<'_>) -> Answer {
    if &*c.this.id == "propertyCollector" {
        return Err(Fault::not_supported());
    }
    c.session.collectors.remove(&*c.this.id);
    c.world.change += 1;
    Ok(None)
}
