//! Reading properties once, in pages if there are many objects.

use std::collections::VecDeque;
use std::sync::Arc;

use super::path::Path;
use super::select::{Paths, Wanted};
use crate::sim::vcenter::show::Sight;
use crate::sim::vcenter::soap::{Data, Moref, Value, data};

/// What is still to be told of a retrieval.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Paging {
    pub(in crate::sim::vcenter) rest: VecDeque<(Moref, Arc<Wanted>)>,
    pub(in crate::sim::vcenter) page: usize,
}

/// Every wanted property of an object that is set, with its path.
pub(in crate::sim::vcenter) fn values(
    sight: &Sight<'_>,
    object: &Moref,
    wanted: &Wanted,
) -> Vec<(String, Option<Value>)> {
    let all;
    let paths = match &wanted.paths {
        Paths::These(paths) => paths,
        Paths::All => {
            all = Path::all(object.kind);
            &all
        }
    };
    // Several paths often begin with the same property, which is put together once.
    let mut roots: Vec<(&str, Option<Value>)> = Vec::new();
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        if !roots.iter().any(|(root, _)| *root == path.root()) {
            roots.push((path.root(), sight.property(object, path.root()).ok().flatten()));
        }
        let root = roots.iter().find(|(root, _)| *root == path.root()).and_then(|(_, value)| value.as_ref());
        let value = root.and_then(|root| path.walk(root)).map(|value| match value {
            Value::Typed(..) => value.clone(),
            value => Value::typed(path.leads_to.ty, value.clone()),
        });
        found.push((path.text.clone(), value));
    }
    found
}

/// An object with its properties; what is not set is not there.
pub(in crate::sim::vcenter) fn object_content(sight: &Sight<'_>, object: &Moref, wanted: &Wanted) -> Data {
    let set = values(sight, object, wanted)
        .into_iter()
        .filter_map(|(name, value)| Some(data("DynamicProperty").with("name", name).with("val", value?)))
        .collect::<Vec<_>>();
    data("ObjectContent").with("obj", object).with("propSet", set)
}

/// The next objects of a retrieval. What has gone since is passed over.
pub(in crate::sim::vcenter) fn next_page(sight: &Sight<'_>, paging: &mut Paging) -> Vec<Value> {
    let mut page = Vec::new();
    while page.len() < paging.page {
        let Some((object, wanted)) = paging.rest.pop_front() else { break };
        if sight.must_exist(&object).is_ok() {
            page.push(object_content(sight, &object, &wanted).into());
        }
    }
    page
}
