//! What all entities of the inventory have: name, parent, status, rights.

use super::Sight;
use crate::sim::vcenter::soap::{Moref, Value, data, schema};
use crate::sim::vcenter::world::{Body, Object, Power};

impl Sight<'_> {
    /// Some(value) if it is a property of every entity, with the value it has.
    pub(super) fn entity_property(&self, object: &Object, name: &str) -> Option<Option<Value>> {
        if !schema().is_a(object.moref.kind, "ManagedEntity") {
            return None;
        }
        Some(match name {
            "name" => Some(self.shown_name(object).into()),
            "parent" => object.parent.clone().map(Value::Ref),
            "overallStatus" => Some(self.status(object).into()),
            "configStatus" => Some("green".into()),
            "effectiveRole" => Some(Value::List(vec![Value::Int(-1)])),
            "permission" => self.permission(&object.moref),
            "recentTask" => Some(self.recent_tasks(&object.moref)),
            "disabledMethod" => Some(disabled(object)),
            "alarmActionsEnabled" => Some(true.into()),
            "tag" => Some(Value::List(Vec::new())),
            "configIssue" => Some(Value::List(Vec::new())),
            _ => return None,
        })
    }

    /// A slash, a backslash and a per cent sign are escaped in names.
    fn shown_name(&self, object: &Object) -> String {
        object.name.replace('%', "%25").replace('/', "%2f").replace('\\', "%5c")
    }

    pub(super) fn status(&self, object: &Object) -> &'static str {
        match &object.body {
            Body::Host(host) if host.connection != "connected" => "red",
            Body::Datastore(datastore) if !datastore.accessible => "red",
            _ => "green",
        }
    }

    fn permission(&self, moref: &Moref) -> Option<Value> {
        let root = *moref == self.world.root;
        let permission = |principal: &str| {
            data("Permission")
                .with("entity", moref)
                .with("principal", principal.to_owned())
                .with("group", false)
                .with("roleId", -1)
                .with("propagate", true)
        };
        let all = self.world.options.users.iter().filter(|_| root).map(|user| permission(&user.name));
        Some(all.collect::<Vec<_>>().into())
    }

    fn recent_tasks(&self, moref: &Moref) -> Value {
        let recent = self.world.tasks.iter().rev().take(100).filter(|task| {
            self.world.task(task).is_ok_and(|task| task.entity == *moref && task.completed.is_none())
        });
        recent.cloned().collect::<Vec<_>>().into()
    }
}

/// The methods that make no sense in the present state, as clients grey them out by.
fn disabled(object: &Object) -> Value {
    let names: &[&'static str] = match &object.body {
        Body::Vm(vm) if vm.template => {
            &["PowerOnVM_Task", "PowerOffVM_Task", "ResetVM_Task", "MarkAsTemplate"]
        }
        Body::Vm(vm) => match vm.power {
            Power::On => {
                &["PowerOnVM_Task", "MarkAsTemplate", "UnregisterVM", "Destroy_Task", "CustomizeVM_Task"]
            }
            Power::Off => &[
                "PowerOffVM_Task",
                "SuspendVM_Task",
                "ResetVM_Task",
                "ShutdownGuest",
                "RebootGuest",
                "AnswerVM",
            ],
            Power::Suspended => &["SuspendVM_Task", "ResetVM_Task", "ShutdownGuest", "MarkAsTemplate"],
        },
        _ => &[],
    };
    names.iter().map(|name| Value::from(*name)).collect::<Vec<_>>().into()
}
