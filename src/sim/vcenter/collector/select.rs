//! Which objects a specification selects, and which of their properties.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::path::Path;
use crate::sim::vcenter::show::Sight;
use crate::sim::vcenter::soap::{Data, Fault, Moref, Value, schema};

/// A step from an object to others.
#[derive(Debug)]
struct Traversal {
    kind: &'static str,
    path: Path,
    skip: bool,
    next: Vec<Next>,
}

/// Where to go on.
#[derive(Debug)]
enum Next {
    By(Arc<Traversal>),
    Named(String),
}

#[derive(Debug)]
struct Start {
    object: Moref,
    skip: bool,
    next: Vec<Next>,
}

/// The properties that are wanted of a type.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Wanted {
    kind: &'static str,
    pub(in crate::sim::vcenter) paths: Paths,
}

#[derive(Debug)]
pub(in crate::sim::vcenter) enum Paths {
    All,
    These(Vec<Path>),
}

/// A `PropertyFilterSpec` that has been checked.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Selection {
    starts: Vec<Start>,
    named: HashMap<String, Arc<Traversal>>,
    pub(in crate::sim::vcenter) wanted: Vec<Arc<Wanted>>,
}

/// How many traversals may lie in one another.
const DEEPEST: usize = 32;

impl Selection {
    pub(in crate::sim::vcenter) fn parse(spec: &Data) -> Result<Self, Fault> {
        let mut named = HashMap::new();
        let mut wanted = Vec::new();
        for set in spec.list("propSet").iter().filter_map(Value::data) {
            let name = set.text("type").unwrap_or_default();
            let ty = schema().get(name).filter(|ty| schema().is_managed(ty.name));
            let kind = ty
                .ok_or_else(|| {
                    Fault::invalid_request(format!("{name:?} is no managed type.")).retyped("InvalidType")
                })?
                .name;
            let paths = match set.flag("all") {
                Some(true) => Paths::All,
                _ => {
                    let texts = set.list("pathSet").iter().filter_map(Value::text);
                    Paths::These(texts.map(|text| Path::parse(kind, text)).collect::<Result<_, _>>()?)
                }
            };
            wanted.push(Arc::new(Wanted { kind, paths }));
        }
        let mut starts = Vec::new();
        for set in spec.list("objectSet").iter().filter_map(Value::data) {
            let object = set.moref("obj").ok_or_else(|| Fault::invalid_argument("specSet.objectSet.obj"))?;
            let next = steps(set.list("selectSet"), &mut named, 0)?;
            starts.push(Start { object: object.clone(), skip: set.flag("skip").unwrap_or(false), next });
        }
        let found = Self { starts, named, wanted };
        found.check_names()?;
        Ok(found)
    }

    /// A name that nothing has would silently select nothing.
    fn check_names(&self) -> Result<(), Fault> {
        let all = self.starts.iter().flat_map(|start| &start.next);
        let all = all.chain(self.named.values().flat_map(|traversal| &traversal.next));
        for next in all {
            if let Next::Named(name) = next
                && !self.named.contains_key(name)
            {
                return Err(Fault::invalid_argument("specSet.objectSet.selectSet"));
            }
        }
        Ok(())
    }

    /// The objects it starts from have to exist.
    pub(in crate::sim::vcenter) fn check_starts(&self, sight: &Sight<'_>) -> Result<(), Fault> {
        self.starts.iter().try_for_each(|start| sight.must_exist(&start.object))
    }

    /// The objects that are selected, each once, with what is wanted of them.
    pub(in crate::sim::vcenter) fn objects(&self, sight: &Sight<'_>) -> Vec<(Moref, Arc<Wanted>)> {
        let mut found = Found::default();
        for start in &self.starts {
            if sight.must_exist(&start.object).is_err() {
                continue;
            }
            if !start.skip {
                found.add(&start.object);
            }
            self.follow(sight, &start.object, &start.next, &mut found);
        }
        found
            .order
            .into_iter()
            .filter_map(|object| Some((object.clone(), self.wanted_of(&object)?)))
            .collect()
    }

    /// Of several sets that fit, the one for the nearest type counts.
    fn wanted_of(&self, object: &Moref) -> Option<Arc<Wanted>> {
        let mut best: Option<&Arc<Wanted>> = None;
        for wanted in self.wanted.iter().filter(|wanted| schema().is_a(object.kind, wanted.kind)) {
            if best.is_none_or(|best| schema().is_a(wanted.kind, best.kind)) {
                best = Some(wanted);
            }
        }
        best.cloned()
    }

    fn follow(&self, sight: &Sight<'_>, object: &Moref, next: &[Next], found: &mut Found) {
        let traversals = next.iter().filter_map(|next| match next {
            Next::By(traversal) => Some(traversal),
            Next::Named(name) => self.named.get(name),
        });
        for traversal in traversals.filter(|traversal| schema().is_a(object.kind, traversal.kind)) {
            if !found.been.insert((object.clone(), Arc::as_ptr(traversal) as usize)) {
                continue;
            }
            let Ok(Some(root)) = sight.property(object, traversal.path.root()) else { continue };
            let Some(value) = traversal.path.walk(&root) else { continue };
            let targets = value.moref().into_iter().chain(value.list().iter().filter_map(Value::moref));
            for target in targets {
                if !traversal.skip {
                    found.add(target);
                }
                if !traversal.next.is_empty() {
                    self.follow(sight, target, &traversal.next, found);
                }
            }
        }
    }
}

#[derive(Default)]
struct Found {
    order: Vec<Moref>,
    seen: HashSet<Moref>,
    been: HashSet<(Moref, usize)>,
}

impl Found {
    fn add(&mut self, object: &Moref) {
        if self.seen.insert(object.clone()) {
            self.order.push(object.clone());
        }
    }
}

fn steps(
    set: &[Value],
    named: &mut HashMap<String, Arc<Traversal>>,
    depth: usize,
) -> Result<Vec<Next>, Fault> {
    if depth > DEEPEST {
        return Err(Fault::invalid_argument("specSet.objectSet.selectSet"));
    }
    let mut found = Vec::new();
    for spec in set.iter().filter_map(Value::data) {
        if spec.ty != "TraversalSpec" {
            found.push(Next::Named(spec.text("name").unwrap_or_default().to_owned()));
            continue;
        }
        let name = spec.text("type").unwrap_or_default();
        let ty = schema().get(name).filter(|ty| schema().is_managed(ty.name));
        let kind = ty.ok_or_else(|| Fault::invalid_argument("specSet.objectSet.selectSet.type"))?.name;
        let path = Path::parse(kind, spec.text("path").unwrap_or_default())?;
        let next = steps(spec.list("selectSet"), named, depth + 1)?;
        let traversal = Arc::new(Traversal { kind, path, skip: spec.flag("skip").unwrap_or(false), next });
        if let Some(name) = spec.text("name").filter(|name| !name.is_empty()) {
            named.insert(name.to_owned(), traversal.clone());
        }
        found.push(Next::By(traversal));
    }
    Ok(found)
}
