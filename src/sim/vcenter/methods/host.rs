//! Hosts: their datastores, their settings, their state.

use super::entity::unused;
use super::{Answer, Ctx};
use crate::sim::exports::{Export, ExportError};
use crate::sim::vcenter::soap::{Fault, Moref, Value, data};
use crate::sim::vcenter::world::{Backing, Body, Datastore, Occurrence, World};

fn host_of(c: &Ctx<'_>) -> Result<Moref, Fault> {
    c.sight().owner(&c.this).ok_or_else(|| Fault::gone(&c.this))
}

fn reachable(world: &World, host: &Moref) -> Result<(), Fault> {
    match world.host(host)?.connection {
        "connected" => Ok(()),
        _ => Err(Fault::new(
            "HostNotConnected",
            "Unable to communicate with the remote host, since it is disconnected.",
        )),
    }
}

pub(super) fn create_nas(c: &mut Ctx<'_>) -> Answer {
    let (spec, host) = (c.data("spec")?, host_of(c)?);
    reachable(c.world, &host)?;
    let text = |name: &'static str| {
        spec.text(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let server = text("remoteHost").ok_or_else(|| Fault::invalid_argument("spec.remoteHost"))?;
    let path = text("remotePath").filter(|path| path.starts_with('/'));
    let path = path.ok_or_else(|| Fault::invalid_argument("spec.remotePath"))?;
    let name = text("localPath").filter(|name| !name.contains('/') && name.chars().count() <= 42);
    let name = name.ok_or_else(|| Fault::invalid_name(spec.text("localPath").unwrap_or_default()))?;
    let kind = match spec.text("type") {
        None | Some("NFS") => "NFS",
        Some("NFS41") => "NFS41",
        Some(_) => return Err(Fault::invalid_argument("spec.type")),
    };
    let read_only = match spec.text("accessMode") {
        Some("readOnly") => true,
        Some("readWrite") => false,
        _ => return Err(Fault::invalid_argument("spec.accessMode")),
    };
    let export = Export::new(server, path);
    let datacenter = c.world.datacenter_of(&host).ok_or_else(|| Fault::gone(&host))?;
    let known = known(c.world, &datacenter, &name, &export, &host)?;
    let most = setting(c.world, &host, "NFS.MaxVolumes")?;
    let mounted = c
        .world
        .datastores_on(&host)
        .into_iter()
        .filter(|moref| c.world.datastore(moref).is_ok_and(|datastore| datastore.kind() != "VMFS"));
    if i64::try_from(mounted.count()).is_ok_and(|count| count >= most) {
        return Err(Fault::new(
            "NasConnectionLimitReached",
            "The number of NFS mounts has reached NFS.MaxVolumes.",
        )
        .with("name", name)
        .with("remoteHost", export.server)
        .with("remotePath", export.path));
    }
    let room = c.world.options.exports.mount(&export).map_err(|error| not_mounted(&name, &export, &error))?;
    let moref = match known {
        Some(moref) => {
            c.world.datastore_mut(&moref)?.hosts.push(host.clone());
            moref
        }
        None => {
            let moref = c.world.fresh("Datastore", "datastore-");
            let volume =
                c.world.new_uuid("").chars().filter(|letter| *letter != '-').take(16).collect::<String>();
            let volume = format!("{}-{}", &volume[..8], &volume[8..]);
            let datastore = Datastore {
                backing: Backing::Nas { export: export.clone(), kind, read_only },
                volume,
                capacity: room.capacity,
                free: room.free,
                accessible: true,
                hosts: vec![host.clone()],
            };
            let folder = c.world.datacenter(&datacenter)?.datastore_folder.clone();
            c.world.put(moref.clone(), &name, Some(folder), Body::Datastore(Box::new(datastore)));
            moref
        }
    };
    c.world.restructured(&host);
    if let Some(cluster) = c.world.cluster_of(&host) {
        c.world.touch(&cluster);
    }
    let about = Occurrence { host: Some(host), datastore: Some(moref.clone()), vm: None };
    c.world.event(data("NASDatastoreCreatedEvent"), about, &format!("Created NAS datastore {name}."));
    Ok(Some(moref.into()))
}

/// The datastore of the datacenter that is the same export under the same name; one that only shares the name or only
/// the export is in the way.
fn known(
    world: &World,
    datacenter: &Moref,
    name: &str,
    export: &Export,
    host: &Moref,
) -> Result<Option<Moref>, Fault> {
    let mut same = None;
    for object in world.of_kind("Datastore") {
        if world.datacenter_of(&object.moref).as_ref() != Some(datacenter) {
            continue;
        }
        let Ok(datastore) = world.datastore(&object.moref) else { continue };
        let its_export = match &datastore.backing {
            Backing::Nas { export, .. } => Some(export),
            Backing::Vmfs(_) => None,
        };
        let here = datastore.hosts.contains(host);
        match (object.name == name, its_export == Some(export)) {
            (true, true) if here => {
                return Err(Fault::new(
                    "AlreadyExists",
                    format!("The datastore '{name}' is mounted already."),
                )
                .with("name", name.to_owned()));
            }
            (true, true) => same = Some(object.moref.clone()),
            (true, false) => return Err(Fault::duplicate_name(name, &object.moref)),
            (false, true) if here => {
                return Err(Fault::new(
                    "AlreadyExists",
                    format!("{export} is mounted as '{}' already.", object.name),
                )
                .with("name", object.name.clone()));
            }
            _ => {}
        }
    }
    Ok(same)
}

fn not_mounted(name: &str, export: &Export, error: &ExportError) -> Fault {
    let reason = match error {
        ExportError::Unreachable(_) => "Unable to connect to NFS server",
        _ => {
            "The mount request was denied by the NFS server. Check that the export exists and that the client is permitted to mount it"
        }
    };
    Fault::new("NasVolumeNotMounted", format!("NFS mount {export} failed: {reason}."))
        .with("name", name.to_owned())
        .with("remoteHost", &export.server)
        .with("remotePath", &export.path)
        .retyped("NasVolumeNotMounted")
        .with(
            "faultMessage",
            Value::List(vec![
                data("LocalizableMessage")
                    .with("key", "com.vmware.vim.hostd.nfs")
                    .with("message", reason)
                    .into(),
            ]),
        )
}

pub(super) fn remove_datastore(c: &mut Ctx<'_>) -> Answer {
    let (host, datastore) = (host_of(c)?, c.object("datastore")?);
    reachable(c.world, &host)?;
    let here = c.world.datastore(&datastore)?.hosts.contains(&host);
    if !here {
        return Err(Fault::not_found());
    }
    let used = c
        .world
        .vms()
        .any(|(_, vm)| vm.host.as_ref() == Some(&host) && c.world.datastores_of(vm).contains(&datastore));
    if used {
        unused(c.world, &datastore)?;
    }
    c.world.datastore_mut(&datastore)?.hosts.retain(|other| *other != host);
    c.world.restructured(&host);
    if let Some(cluster) = c.world.cluster_of(&host) {
        c.world.touch(&cluster);
    }
    if c.world.datastore(&datastore)?.hosts.is_empty() {
        c.world.datastore_gone(&datastore);
    }
    Ok(None)
}

impl World {
    /// Forgets a datastore; its files stay where they are.
    pub(in crate::sim::vcenter) fn datastore_gone(&mut self, moref: &Moref) {
        let hosts = self.datastore(moref).map(|datastore| datastore.hosts.clone()).unwrap_or_default();
        hosts.iter().for_each(|host| self.touch(host));
        self.remove(moref);
    }
}

fn setting(world: &World, host: &Moref, key: &str) -> Result<i64, Fault> {
    let found = world.host(host)?.settings.iter().find(|(own, _)| own == key).map(|(_, value)| *value);
    Ok(found.unwrap_or(i64::MAX))
}

pub(super) fn query_options(c: &mut Ctx<'_>) -> Answer {
    let wanted = c.args.text("name").unwrap_or_default().to_owned();
    let all = c.sight().property(&c.this, "setting")?;
    let fits = |option: &&Value| {
        let key = option.data().and_then(|option| option.text("key")).unwrap_or_default();
        wanted.is_empty() || key == wanted || wanted.ends_with('.') && key.starts_with(&wanted)
    };
    let found: Vec<Value> = all.iter().flat_map(Value::list).filter(fits).cloned().collect();
    match found.is_empty() {
        true => Err(Fault::invalid_name(&wanted)),
        false => Ok(Some(found.into())),
    }
}

pub(super) fn update_options(c: &mut Ctx<'_>) -> Answer {
    let host = c.sight().owner(&c.this).ok_or_else(Fault::not_supported)?;
    for option in c.args.list("changedValue").to_vec().iter().filter_map(Value::data) {
        let (Some(key), Some(value)) = (option.text("key").map(str::to_owned), option.int("value")) else {
            return Err(Fault::invalid_argument("changedValue.value"));
        };
        let host = c.world.host_mut(&host)?;
        match host.settings.iter_mut().find(|(own, _)| *own == key) {
            Some((_, own)) => *own = value,
            None => return Err(Fault::invalid_name(&key)),
        }
    }
    Ok(None)
}

pub(super) fn state(c: &mut Ctx<'_>, method: &str) -> Answer {
    let this = c.this.clone();
    let (names, change): (_, fn(&mut crate::sim::vcenter::world::Host)) = match method {
        "EnterMaintenanceMode_Task" => {
            (("EnterMaintenanceMode_Task", "HostSystem.enterMaintenanceMode"), |host| host.maintenance = true)
        }
        "ExitMaintenanceMode_Task" => {
            (("ExitMaintenanceMode_Task", "HostSystem.exitMaintenanceMode"), |host| host.maintenance = false)
        }
        "DisconnectHost_Task" => {
            (("DisconnectHost_Task", "HostSystem.disconnect"), |host| host.connection = "disconnected")
        }
        _ => (("ReconnectHost_Task", "HostSystem.reconnect"), |host| host.connection = "connected"),
    };
    c.task(names, 2.0, Ok(()), move |world| {
        change(world.host_mut(&this)?);
        for vm in world.vms_on(&this) {
            world.touch(&vm);
        }
        Ok(None)
    })
}
