//! Sessions, with what belongs to one: its views, its property collectors, its event collectors.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;

use super::collector::Collector;
use super::soap::{Data, Moref, data};
use super::world::World;

/// Of which objects a view consists.
#[derive(Debug, Clone)]
pub(super) enum View {
    Container { container: Moref, kinds: Vec<&'static str>, recursive: bool },
    List(Vec<Moref>),
}

/// Somebody who is logged in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) key: String,
    pub(super) user: String,
    /// What the user may do; None for everything.
    pub(super) privileges: Option<Vec<String>>,
    pub(super) since: Timestamp,
    pub(super) used: Timestamp,
    pub(super) used_at: Instant,
    pub(super) calls: u64,
    pub(super) agent: String,
    pub(super) views: BTreeMap<String, (Moref, View)>,
    /// By id; the session's own is `propertyCollector`.
    pub(super) collectors: BTreeMap<String, Collector>,
    /// Event collectors: filter and position.
    pub(super) histories: BTreeMap<String, (Moref, Data, usize)>,
    /// [`World::change`] when a view was made, changed or destroyed.
    pub(super) views_changed: u64,
    ids: u64,
}

impl Session {
    pub(super) fn new(
        key: String,
        user: String,
        privileges: Option<Vec<String>>,
        agent: &str,
        now: Instant,
    ) -> Self {
        let since = Timestamp::now();
        Self {
            key,
            user,
            privileges,
            since,
            used: since,
            used_at: now,
            calls: 0,
            agent: agent.to_owned(),
            views: BTreeMap::new(),
            collectors: BTreeMap::from([("propertyCollector".to_owned(), Collector::default())]),
            histories: BTreeMap::new(),
            views_changed: 0,
            ids: 0,
        }
    }

    /// A reference to something that ends with the session.
    pub(super) fn fresh(&mut self, kind: &'static str) -> Moref {
        self.ids += 1;
        let id = format!("session[{}]{}-{:04x}", self.key, &self.key[..self.key.len().min(8)], self.ids);
        Moref::new(kind, id)
    }

    pub(super) fn may(&self, privilege: &str) -> bool {
        privilege.starts_with("System.")
            || self.privileges.as_ref().is_none_or(|all| all.iter().any(|own| own == privilege))
    }

    /// Whether something that belongs to the session is still there.
    pub(super) fn has(&self, moref: &Moref) -> bool {
        match moref.kind {
            "ContainerView" | "ListView" => self.views.contains_key(&*moref.id),
            "PropertyCollector" => self.collectors.contains_key(&*moref.id),
            "PropertyFilter" => self.filter(moref).is_some(),
            "EventHistoryCollector" | "TaskHistoryCollector" => self.histories.contains_key(&*moref.id),
            _ => false,
        }
    }

    pub(super) fn filter(&self, moref: &Moref) -> Option<&super::collector::Filter> {
        self.collectors
            .values()
            .flat_map(|collector| &collector.filters)
            .find(|filter| filter.moref == *moref)
    }

    /// As `UserSession` shows it.
    pub(super) fn shown(&self) -> Data {
        data("UserSession")
            .with("key", &self.key)
            .with("userName", &self.user)
            .with("fullName", &self.user)
            .with("loginTime", self.since)
            .with("lastActiveTime", self.used)
            .with("locale", "en")
            .with("messageLocale", "en")
            .with("extensionSession", false)
            .with("ipAddress", "127.0.0.1")
            .with("userAgent", &self.agent)
            .with("callCount", self.calls)
    }
}

impl View {
    /// The objects in a view, at present.
    pub(super) fn objects(&self, world: &World) -> Vec<Moref> {
        match self {
            Self::List(list) => {
                list.iter().filter(|moref| world.objects.contains_key(&moref.id)).cloned().collect()
            }
            Self::Container { container, kinds, recursive } => {
                let mut all = match recursive {
                    true => world.descendants(container),
                    false => world.children(container),
                };
                // Machines of a host or a pool are not below it in the tree, yet its view has them.
                if matches!(
                    container.kind,
                    "HostSystem" | "ResourcePool" | "ClusterComputeResource" | "ComputeResource"
                ) {
                    let inside = |moref: &Moref| moref == container || all.contains(moref);
                    let vms: Vec<_> = world
                        .vms()
                        .filter(|(_, vm)| vm.host.iter().chain(&vm.pool).any(inside))
                        .map(|(object, _)| object.moref.clone())
                        .collect();
                    all.extend(vms);
                }
                let fits = |moref: &Moref| {
                    kinds.is_empty() || kinds.iter().any(|kind| super::soap::schema().is_a(moref.kind, kind))
                };
                all.into_iter().filter(fits).collect()
            }
        }
    }
}
