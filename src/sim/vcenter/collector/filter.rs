//! The update stream: filters, versions, and what changed between two of them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::retrieve::values;
use super::select::{Selection, Wanted};
use crate::sim::vcenter::show::Sight;
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, data};

/// A property as it was last told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Unset,
    Whole(u64),
    /// A data object of which changes are told field by field.
    Parts(Vec<(&'static str, u64)>),
}

/// A filter, and what its client knows.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Filter {
    pub(in crate::sim::vcenter) moref: Moref,
    pub(in crate::sim::vcenter) spec: Data,
    pub(in crate::sim::vcenter) partial: bool,
    selection: Selection,
    known: HashMap<Moref, (Arc<Wanted>, Vec<Told>)>,
    /// [`crate::sim::vcenter::world::World::change`] up to which everything was told.
    seen: u64,
    begun: bool,
}

/// A property collector of a session.
#[derive(Debug, Default)]
pub(in crate::sim::vcenter) struct Collector {
    pub(in crate::sim::vcenter) filters: Vec<Filter>,
    version: u64,
    /// The last answer and the version that was asked for it, should it have got lost.
    last: Option<(u64, Data)>,
    pending: VecDeque<(Moref, Data)>,
    /// Counts calls of `CancelWaitForUpdates`.
    pub(in crate::sim::vcenter) cancelled: u64,
    pub(in crate::sim::vcenter) retrievals: HashMap<String, super::Paging>,
}

fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn told(value: Option<&Value>, partial: bool) -> Told {
    match value {
        None => Told::Unset,
        Some(value) => match value.data().filter(|_| partial) {
            Some(data) => Told::Parts(data.fields().map(|(name, value)| (name, digest(value))).collect()),
            None => Told::Whole(digest(value)),
        },
    }
}

fn change(name: String, value: Option<Value>) -> Value {
    data("PropertyChange").with("name", name).with("op", "assign").maybe("val", value).into()
}

/// How a property is told that is not as it was.
fn changes(name: &str, before: &Told, after: &Told, value: Option<&Value>) -> Vec<Value> {
    let (Told::Parts(old), Told::Parts(new), Some(data)) = (before, after, value.and_then(Value::data))
    else {
        return vec![change(name.to_owned(), value.cloned())];
    };
    let mut found = Vec::new();
    for (field, sum) in new {
        if !old.contains(&(field, *sum)) {
            let ty = crate::sim::vcenter::soap::schema().get(data.ty).and_then(|ty| ty.field(field));
            let value = data.get(field).cloned().map(|value| match (value, ty) {
                (value @ Value::Typed(..), _) | (value, None) => value,
                (value, Some(field)) => Value::typed(field.ty, value),
            });
            found.push(change(format!("{name}.{field}"), value));
        }
    }
    let gone = old.iter().filter(|(field, _)| !new.iter().any(|(other, _)| other == field));
    found.extend(gone.map(|(field, _)| change(format!("{name}.{field}"), None)));
    found
}

impl Filter {
    pub(in crate::sim::vcenter) fn new(moref: Moref, spec: Data, partial: bool) -> Result<Self, Fault> {
        let selection = Selection::parse(&spec)?;
        Ok(Self { moref, spec, partial, selection, known: HashMap::new(), seen: 0, begun: false })
    }

    /// Whether what it starts from exists.
    pub(in crate::sim::vcenter) fn check(&self, sight: &Sight<'_>) -> Result<(), Fault> {
        self.selection.check_starts(sight)
    }

    /// What has changed since it was last asked.
    fn updates(&mut self, sight: &Sight<'_>) -> Vec<Data> {
        let world = sight.world;
        if self.begun && self.seen == world.change {
            return Vec::new();
        }
        let mut found = Vec::new();
        if !self.begun || world.structure > self.seen || sight.views_changed() > self.seen {
            self.reselect(sight, &mut found);
        }
        let seen = self.seen;
        let changed: Vec<_> =
            self.known.keys().filter(|object| sight.changed(object) > seen).cloned().collect();
        for object in changed {
            let Some((wanted, before)) = self.known.get_mut(&object) else { continue };
            let values = values(sight, &object, wanted);
            let after: Vec<_> = values.iter().map(|(_, value)| told(value.as_ref(), self.partial)).collect();
            let mut set = Vec::new();
            for (((name, value), before), after) in values.iter().zip(&*before).zip(&after) {
                if before != after {
                    set.extend(changes(name, before, after, value.as_ref()));
                }
            }
            *before = after;
            if !set.is_empty() {
                found.push(update("modify", &object, set));
            }
        }
        self.begun = true;
        self.seen = world.change;
        found
    }

    /// Finds out which objects came and went.
    fn reselect(&mut self, sight: &Sight<'_>, found: &mut Vec<Data>) {
        let objects = self.selection.objects(sight);
        let present: HashSet<_> = objects.iter().map(|(object, _)| object).collect();
        let gone: Vec<_> = self.known.keys().filter(|object| !present.contains(object)).cloned().collect();
        for object in gone {
            self.known.remove(&object);
            found.push(update("leave", &object, Vec::new()));
        }
        for (object, wanted) in objects {
            if self.known.contains_key(&object) {
                continue;
            }
            let values = values(sight, &object, &wanted);
            let told = values.iter().map(|(_, value)| told(value.as_ref(), self.partial)).collect();
            let set = values.into_iter().filter(|(_, value)| value.is_some());
            found.push(update("enter", &object, set.map(|(name, value)| change(name, value)).collect()));
            self.known.insert(object, (wanted, told));
        }
    }

    fn forget(&mut self) {
        self.known.clear();
        self.begun = false;
        self.seen = 0;
    }
}

fn update(kind: &'static str, object: &Moref, changes: Vec<Value>) -> Data {
    let update = data("ObjectUpdate").with("kind", kind).with("obj", object);
    if changes.is_empty() { update } else { update.with("changeSet", changes) }
}

impl Collector {
    /// Reads the version that a client is at. An empty one begins from nothing.
    fn arrive(&mut self, version: &str) -> Result<Option<Data>, Fault> {
        if version.is_empty() {
            self.filters.iter_mut().for_each(Filter::forget);
            self.pending.clear();
            self.last = None;
            return Ok(None);
        }
        let number: Option<u64> = version.parse().ok();
        match &self.last {
            _ if number == Some(self.version) => Ok(None),
            Some((from, again)) if number == Some(*from) => Ok(Some(again.clone())),
            _ => Err(Fault::new(
                "InvalidCollectorVersion",
                "The version of the property collector is not known.",
            )),
        }
    }

    /// What is new since a version; None if nothing is.
    pub(in crate::sim::vcenter) fn poll(
        &mut self,
        sight: &Sight<'_>,
        version: &str,
        most: Option<usize>,
    ) -> Result<Option<Data>, Fault> {
        if let Some(again) = self.arrive(version)? {
            return Ok(Some(again));
        }
        for filter in &mut self.filters {
            for update in filter.updates(sight) {
                self.pending.push_back((filter.moref.clone(), update));
            }
        }
        if self.pending.is_empty() && !version.is_empty() {
            return Ok(None);
        }
        if self.pending.is_empty() && self.filters.is_empty() {
            return Ok(None);
        }
        let count = most.unwrap_or(usize::MAX).min(self.pending.len());
        let mut sets: Vec<(Moref, Vec<Data>)> = Vec::new();
        for (filter, update) in self.pending.drain(..count) {
            match sets.iter_mut().find(|(of, _)| *of == filter) {
                Some((_, updates)) => updates.push(update),
                None => sets.push((filter, vec![update])),
            }
        }
        let from = self.version;
        self.version += 1;
        let sets = sets.into_iter().map(|(filter, updates)| {
            data("PropertyFilterUpdate").with("filter", filter).with("objectSet", updates)
        });
        let mut set = data("UpdateSet")
            .with("version", self.version.to_string())
            .with("filterSet", sets.collect::<Vec<_>>());
        if !self.pending.is_empty() {
            set.set("truncated", true);
        }
        self.last = Some((if version.is_empty() { u64::MAX } else { from }, set.clone()));
        Ok(Some(set))
    }

    /// Takes a filter away; whether there was one.
    pub(in crate::sim::vcenter) fn drop_filter(&mut self, moref: &Moref) -> bool {
        let before = self.filters.len();
        self.filters.retain(|filter| filter.moref != *moref);
        self.pending.retain(|(filter, _)| filter != moref);
        self.filters.len() < before
    }
}
