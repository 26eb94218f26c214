//! The services of a vCenter and what they show: content, sessions, tasks, events, settings, views.

use super::{Sight, list};
use crate::sim::vcenter::soap::{Data, Moref, Value, data, schema};
use crate::sim::vcenter::world::World;

/// Objects of which there is one, by type and id.
pub(in crate::sim::vcenter) const SINGLETONS: [(&str, &str); 13] = [
    ("ServiceInstance", "ServiceInstance"),
    ("SessionManager", "SessionManager"),
    ("PropertyCollector", "propertyCollector"),
    ("ViewManager", "ViewManager"),
    ("SearchIndex", "SearchIndex"),
    ("TaskManager", "TaskManager"),
    ("EventManager", "EventManager"),
    ("OptionManager", "VpxSettings"),
    ("AuthorizationManager", "AuthorizationManager"),
    ("CustomizationSpecManager", "CustomizationSpecManager"),
    ("FileManager", "FileManager"),
    ("VirtualDiskManager", "virtualDiskManager"),
    ("ExtensibleManagedObject", "CustomFieldsManager"),
];

/// The privileges that the methods of this simulator ask for.
fn privileges() -> Vec<Data> {
    let mut ids = vec!["System.Anonymous", "System.View", "System.Read"];
    ids.extend(crate::sim::vcenter::methods::privileges());
    let privilege = |id: &'static str| {
        let (group, name) = id.rsplit_once('.').unwrap_or(("System", id));
        data("AuthorizationPrivilege")
            .with("privId", id)
            .with("onParent", false)
            .with("name", name)
            .with("privGroupName", group)
    };
    ids.into_iter().map(privilege).collect()
}

/// What `RetrieveServiceContent` answers.
pub(in crate::sim::vcenter) fn content(world: &World) -> Data {
    let one = |kind: &'static str| {
        let id = SINGLETONS.iter().find(|(of, _)| *of == kind).map_or("", |(_, id)| id);
        Moref::new(kind, id)
    };
    let version = world.options.api_version.as_str();
    let short: Vec<_> = version.split('.').take(3).collect();
    let short = short.join(".");
    let esxi = world.options.esxi;
    let name = if esxi { "VMware ESXi" } else { "VMware vCenter Server" };
    let about = data("AboutInfo")
        .with("name", name)
        .with("fullName", format!("{name} {short} build-22617221 (simulated by Zerfaux)"))
        .with("vendor", "VMware, Inc.")
        .with("version", short)
        .with("build", "22617221")
        .with("localeVersion", "INTL")
        .with("localeBuild", "000")
        .with("osType", if esxi { "vmnix-x86" } else { "linux-x64" })
        .with("productLineId", if esxi { "embeddedEsx" } else { "vpx" })
        .with("apiType", if esxi { "HostAgent" } else { "VirtualCenter" })
        .with("apiVersion", world.options.api_version.clone())
        .maybe("instanceUuid", (!esxi).then_some(&world.uuid))
        .with("licenseProductName", if esxi { "VMware ESX Server" } else { "VMware VirtualCenter Server" })
        .with("licenseProductVersion", "8.0");
    data("ServiceContent")
        .with("rootFolder", &world.root)
        .with("propertyCollector", one("PropertyCollector"))
        .with("viewManager", one("ViewManager"))
        .with("about", about)
        .with("setting", one("OptionManager"))
        .with("sessionManager", one("SessionManager"))
        .with("authorizationManager", one("AuthorizationManager"))
        .with("eventManager", one("EventManager"))
        .with("taskManager", one("TaskManager"))
        .maybe("customizationSpecManager", (!esxi).then(|| one("CustomizationSpecManager")))
        .with("searchIndex", one("SearchIndex"))
        .with("fileManager", one("FileManager"))
        .with("virtualDiskManager", one("VirtualDiskManager"))
}

pub(in crate::sim::vcenter) fn option(key: &str, value: Value) -> Data {
    data("OptionValue").with("key", key.to_owned()).with("value", value)
}

impl Sight<'_> {
    pub(super) fn service_property(&self, moref: &Moref, name: &str) -> Option<Value> {
        let session = self.session?;
        match (moref.kind, name) {
            ("ServiceInstance", "serverClock") => Some(self.world.timestamp().into()),
            ("ServiceInstance", "content") => Some(content(self.world).into()),
            ("SessionManager", "currentSession") => Some(session.shown().into()),
            ("SessionManager", "sessionList") => list([session.shown()]),
            ("SessionManager", "message") => Some("".into()),
            ("SessionManager", "defaultLocale") => Some("en".into()),
            ("SessionManager", "messageLocaleList" | "supportedLocaleList") => {
                Some(Value::List(vec!["en".into(), "en_US".into()]))
            }
            ("PropertyCollector", "filter") => {
                let filters = &session.collectors.get(&*moref.id)?.filters;
                Some(filters.iter().map(|filter| filter.moref.clone()).collect::<Vec<_>>().into())
            }
            ("PropertyFilter", "spec") => Some(session.filter(moref)?.spec.clone().into()),
            ("PropertyFilter", "partialUpdates") => Some(session.filter(moref)?.partial.into()),
            ("ViewManager", "viewList") => {
                Some(session.views.values().map(|(moref, _)| moref.clone()).collect::<Vec<_>>().into())
            }
            ("ContainerView" | "ListView", _) => self.view_property(moref, name),
            ("TaskManager", "recentTask") => {
                let recent = self.world.tasks.iter().rev().take(200).cloned();
                Some(recent.collect::<Vec<_>>().into())
            }
            ("TaskManager", "description") => {
                let none = || Value::List(Vec::new());
                Some(
                    data("TaskDescription")
                        .with("methodInfo", none())
                        .with("state", none())
                        .with("reason", none())
                        .into(),
                )
            }
            ("TaskManager" | "EventManager", "maxCollector") => Some(1000.into()),
            ("EventManager", "latestEvent") => self.world.events.back().cloned().map(Value::Data),
            ("OptionManager", "setting") => list([
                option("VirtualCenter.InstanceName", self.world.options.site.clone().into()),
                option("VirtualCenter.FQDN", format!("vcenter.{}.example", self.world.options.site).into()),
            ]),
            ("AuthorizationManager", "privilegeList") => list(privileges()),
            ("AuthorizationManager", "roleList") => list([data("AuthorizationRole")
                .with("roleId", -1)
                .with("system", true)
                .with("name", "Admin")
                .with(
                    "info",
                    data("Description").with("label", "Administrator").with("summary", "Full access rights"),
                )
                .with(
                    "privilege",
                    Value::List(privileges().iter().filter_map(|one| one.get("privId").cloned()).collect()),
                )]),
            ("AuthorizationManager", "description") => Some(
                data("AuthorizationDescription")
                    .with("privilege", Value::List(Vec::new()))
                    .with("privilegeGroup", Value::List(Vec::new()))
                    .into(),
            ),
            ("CustomizationSpecManager", "info") => {
                list(self.world.specs.values().filter_map(|item| item.data("info").cloned()))
            }
            ("EventHistoryCollector", "latestPage") => {
                let (_, filter, _) = session.histories.get(&*moref.id)?;
                list(crate::sim::vcenter::methods::events(self.world, filter).into_iter().rev().take(100))
            }
            ("EventHistoryCollector" | "TaskHistoryCollector", "filter") => {
                session.histories.get(&*moref.id).map(|(_, filter, _)| filter.clone().into())
            }
            _ => None,
        }
    }

    fn view_property(&self, moref: &Moref, name: &str) -> Option<Value> {
        use crate::sim::vcenter::session::View;
        let (_, view) = self.session?.views.get(&*moref.id)?;
        match (name, view) {
            ("view", view) => Some(view.objects(self.world).into()),
            ("container", View::Container { container, .. }) => Some(container.into()),
            ("recursive", View::Container { recursive, .. }) => Some((*recursive).into()),
            ("type", View::Container { kinds, .. }) => {
                Some(Value::List(kinds.iter().map(|kind| Value::from(*kind)).collect()))
            }
            _ => None,
        }
    }

    pub(super) fn part_property(&self, moref: &Moref, owner: &Moref, name: &str) -> Option<Value> {
        let world = self.world;
        match (moref.kind, name) {
            ("HostDatastoreSystem", "datastore") => Some(world.datastores_on(owner).into()),
            ("HostDatastoreSystem", "capabilities") => Some(
                data("HostDatastoreSystemCapabilities")
                    .with("nfsMountCreationRequired", true)
                    .with("nfsMountCreationSupported", true)
                    .with("localDatastoreSupported", false)
                    .with("vmfsExtentExpansionSupported", true)
                    .into(),
            ),
            ("HostStorageSystem", "fileSystemVolumeInfo") => Some(self.mounts(owner).into()),
            ("HostNetworkSystem", "networkInfo") => {
                world.host(owner).ok().map(|host| self.network_info(host).into())
            }
            ("OptionManager", "setting") => {
                let host = world.host(owner).ok()?;
                list(host.settings.iter().map(|(key, value)| option(key, Value::typed("long", *value))))
            }
            ("OptionManager", "supportedOption") => Some(Value::List(Vec::new())),
            ("HostDatastoreBrowser", "datastore") => Some(Value::List(vec![owner.into()])),
            ("HostDatastoreBrowser", "supportedType") => {
                let kinds = [
                    "FolderFileQuery",
                    "VmConfigFileQuery",
                    "VmDiskFileQuery",
                    "VmLogFileQuery",
                    "VmNvramFileQuery",
                ];
                list(kinds.into_iter().filter(|kind| schema().get(kind).is_some()).map(data))
            }
            _ => None,
        }
    }
}
