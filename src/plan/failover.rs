//! A failover: the machines of the group themselves, as their DR shells where they have one, made under their own names where
//! they have none. In: what a failover needs beyond what a test needs. Out: doing it.

use super::recovery::{Aim, Facts, Member, Not, Planned, RecoveryWish, Said, recover};
use crate::domain::dr_shell::ShellSpec;
use crate::domain::hardware::{Controller, Nic, PowerState};
use crate::domain::ids::ProtectedVmId;
use crate::domain::inventory::Vm;
use crate::domain::machine::Machine;
use crate::domain::moref::VmRef;
use crate::domain::recovery_run::UsedShell;

/// A DR shell as it is now.
#[derive(Debug, Clone)]
pub struct ShellNow {
    /// Which.
    pub used: UsedShell,
    /// As it was made.
    pub spec: ShellSpec,
    /// As the DR vCenter has it; none: not any more.
    pub vm: Option<Vm>,
}

impl ShellNow {
    /// Its name.
    pub fn name(&self) -> &str {
        self.vm.as_ref().map_or(&self.spec.name, |vm| &vm.name)
    }

    pub(super) fn nics(&self) -> &[Nic] {
        self.vm.as_ref().map_or(&[], |vm| &vm.hardware.nics)
    }
}

/// What is known of the two sides of one virtual machine.
#[derive(Debug, Clone)]
pub struct MemberSides {
    /// Whose.
    pub id: ProtectedVmId,
    /// Its DR shell, if it has one.
    pub shell: Option<ShellNow>,
    /// Which virtual machine it is in the source vCenter now; none: that has it no more.
    pub source: Option<VmRef>,
}

/// Both sides of the group.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// Whether the source goes along and is shut down.
    pub planned: bool,
    /// Whether both sides are in the same vCenter.
    pub same_vcenter: bool,
    /// Of each virtual machine.
    pub members: &'a [MemberSides],
}

/// One of them, as far as its plan needs it.
#[derive(Default)]
pub(super) struct Side<'a> {
    pub(super) shell: Option<&'a ShellNow>,
    pub(super) source: Option<VmRef>,
}

/// Plans a failover.
pub fn failover(wish: &RecoveryWish, facts: &Facts<'_>, sides: &Sides<'_>) -> Planned {
    recover(Aim::Failover(sides), wish, facts)
}

fn is_same(one: &Controller, other: &Controller) -> bool {
    one.kind == other.kind && one.bus == other.bus
}

impl Sides<'_> {
    /// The sides of one, or why it cannot be recovered.
    pub(super) fn of(&self, member: &Member, machine: &Machine, said: &mut Said) -> Result<Side<'_>, Not> {
        let Some(own) = self.members.iter().find(|one| one.id == member.id) else {
            return Ok(Side::default());
        };
        let mut troubles = Vec::new();
        if self.planned && own.source.is_none() {
            troubles.push(
                "the source vCenter has it no more, so it cannot be shut down. Synchronise that vCenter, or remove it \
                 from the group."
                    .to_owned(),
            );
        }
        if let Some(shell) = &own.shell {
            look_at_shell(shell, machine, &member.name, said, &mut troubles);
        }
        if own.shell.is_none() && self.same_vcenter && !self.planned {
            let what = "it keeps its network addresses, which the source has in the same vCenter. See to it that the \
                        source does not run.";
            said.of(&member.name, "virtual_machines", what);
        }
        if !troubles.is_empty() {
            return Err(Not::Trouble(troubles));
        }
        let source = own.source.clone().filter(|_| self.planned);
        Ok(Side { shell: own.shell.as_ref(), source })
    }
}

/// What of a shell differs from what was in the checkpoint.
fn look_at_shell(shell: &ShellNow, then: &Machine, name: &str, said: &mut Said, troubles: &mut Vec<String>) {
    let Some(now) = &shell.vm else {
        troubles.push(
            "its DR shell is not in the DR vCenter as that is known. Synchronise that vCenter; if the shell was deleted, remove \
             what is left of it and make another one."
                .to_owned(),
        );
        return;
    };
    if now.power != PowerState::Off {
        troubles.push(format!(
            "its DR shell {:?} is not powered off. Look who runs it, and power it off.",
            now.name
        ));
    }
    let hardware = &then.hardware;
    let used = hardware.controllers.iter().filter(|one| {
        one.kind != "VirtualIDEController" && hardware.disks.iter().any(|disk| disk.controller == one.key)
    });
    for one in used.filter(|one| !now.hardware.controllers.iter().any(|has| is_same(one, has))) {
        let what = format!(
            "its DR shell has no controller {} {}, on which a disk was in the checkpoint: the failover adds it.",
            one.kind, one.bus
        );
        said.of(name, "virtual_machines", what);
    }
    if now.firmware.is_some_and(|firmware| firmware != then.firmware) {
        troubles.push(format!(
            "it started by {} in the checkpoint, and its DR shell does otherwise. Repair the shell.",
            then.firmware.as_str()
        ));
    }
    let mut differs = |what: &str, was: String, is: String| {
        if was != is {
            said.of(
                name,
                "virtual_machines",
                format!("its DR shell has {is} {what}, {was} in the checkpoint. Repair the shell to have what it had."),
            );
        }
    };
    differs("virtual CPUs", then.cpus.to_string(), now.cpus.to_string());
    differs("MiB of memory", then.memory_mib.to_string(), (now.memory_bytes >> 20).to_string());
}

#[cfg(test)]
#[path = "failover_tests.rs"]
mod tests;
