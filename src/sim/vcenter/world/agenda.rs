//! What happens by itself, and when.

use std::time::{Duration, Instant};

use super::World;
use crate::sim::vcenter::soap::Moref;

/// Something that is due at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::vcenter) enum Due {
    /// A task gets on, or ends.
    Task(Moref),
    /// The guest of a virtual machine has started VMware Tools; only if it is still that boot.
    ToolsUp { vm: Moref, boot: u64 },
    /// It has its addresses.
    AddressUp { vm: Moref, boot: u64 },
    /// It has shut itself down.
    GuestDown { vm: Moref, boot: u64 },
}

impl World {
    pub(in crate::sim::vcenter) fn schedule(&mut self, after: Duration, due: Due) {
        self.ids += 1;
        self.agenda.insert((self.now + after, self.ids), due);
    }

    /// When the next thing is due.
    pub(in crate::sim::vcenter) fn next_due(&self) -> Option<Instant> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Lets happen what is due by now.
    pub(in crate::sim::vcenter) fn advance(&mut self, now: Instant) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            self.now = entry.key().0;
            match entry.remove() {
                Due::Task(task) => self.work_on(&task),
                Due::ToolsUp { vm, boot } => self.tools_up(&vm, boot),
                Due::AddressUp { vm, boot } => self.address_up(&vm, boot),
                Due::GuestDown { vm, boot } => self.guest_down(&vm, boot),
            }
        }
        self.now = now;
    }
}
