//! Who may do what.

use super::{Answer, Ctx};
use crate::sim::vcenter::soap::{Data, Value, data, schema};

/// The privileges of methods whose arguments decide, on the object of the call.
const BY_ARGUMENT: [(&str, &str); 14] = [
    ("CloneVM_Task", "VirtualMachine.Provisioning.Clone"),
    ("ReconfigVM_Task", "VirtualMachine.Config.Settings"),
    ("RelocateVM_Task", "Resource.ColdMigrate"),
    ("MigrateVM_Task", "Resource.HotMigrate"),
    ("Destroy_Task", "VirtualMachine.Inventory.Delete"),
    ("Rename_Task", "VirtualMachine.Config.Rename"),
    ("CreateFolder", "Folder.Create"),
    ("CreateVM_Task", "VirtualMachine.Inventory.Create"),
    ("RegisterVM_Task", "VirtualMachine.Inventory.Register"),
    ("MoveIntoFolder_Task", "VirtualMachine.Inventory.Move"),
    ("CreateNasDatastore", "Host.Config.Storage"),
    ("RemoveDatastore", "Datastore.Delete"),
    ("DeleteDatastoreFile_Task", "Datastore.FileManagement"),
    ("CreateResourcePool", "Resource.CreatePool"),
];

/// What a call of this method needs.
pub(in crate::sim::vcenter) fn needed(kind: &str, method: &str) -> Option<&'static str> {
    let by_argument = || BY_ARGUMENT.iter().find(|(of, _)| *of == method).map(|(_, privilege)| *privilege);
    schema().method(kind, method).and_then(|method| method.privilege).or_else(by_argument)
}

/// Every privilege that some method needs.
pub(in crate::sim::vcenter) fn privileges() -> Vec<&'static str> {
    let mut all: Vec<_> = schema().methods().filter_map(|method| method.privilege).collect();
    all.extend(BY_ARGUMENT.iter().map(|(_, privilege)| privilege));
    all.extend([
        "VirtualMachine.Provisioning.DeployTemplate",
        "Datastore.AllocateSpace",
        "Network.Assign",
        "Resource.AssignVMToPool",
    ]);
    all.retain(|privilege| !privilege.starts_with("System."));
    all.sort_unstable();
    all.dedup();
    all
}

pub(super) fn answer(c: &mut Ctx<'_>, method: &str) -> Answer {
    let wanted: Vec<String> =
        c.args.list("privId").iter().filter_map(Value::text).map(str::to_owned).collect();
    let asked: Vec<_> = match c.args.moref("entity") {
        Some(one) => vec![one.clone()],
        None => ["entity", "entities"]
            .iter()
            .flat_map(|name| c.args.list(name))
            .filter_map(Value::moref)
            .cloned()
            .collect(),
    };
    for moref in &asked {
        c.sight().must_exist(moref)?;
    }
    let availability = |privilege: &String| -> Data {
        data("PrivilegeAvailability").with("privId", privilege).with("isGranted", c.session.may(privilege))
    };
    match method {
        "HasPrivilegeOnEntity" => {
            Ok(Some(wanted.iter().map(|one| Value::Bool(c.session.may(one))).collect::<Vec<_>>().into()))
        }
        "FetchUserPrivilegeOnEntities" => {
            let own = privileges().into_iter().filter(|one| c.session.may(one));
            let own: Vec<Value> = ["System.Anonymous", "System.View", "System.Read"]
                .into_iter()
                .chain(own)
                .map(Value::from)
                .collect();
            let results = asked.iter().map(|moref| {
                data("UserPrivilegeResult").with("entity", moref).with("privileges", own.clone())
            });
            Ok(Some(results.collect::<Vec<_>>().into()))
        }
        _ => {
            let results = asked.iter().map(|moref| {
                data("EntityPrivilege")
                    .with("entity", moref)
                    .with("privAvailability", wanted.iter().map(availability).collect::<Vec<_>>())
            });
            Ok(Some(results.collect::<Vec<_>>().into()))
        }
    }
}
