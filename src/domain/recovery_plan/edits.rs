//! Small changes of a recovery plan, as people make them one at a time.

use super::{MOST_TIERS, PlanVm, RecoveryPlan, Tier};
use crate::domain::ids::ProtectedVmId;

/// Where a virtual machine goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// One place earlier in its tier.
    Up,
    /// One place later in its tier.
    Down,
    /// To the end of the tier before.
    Earlier,
    /// To the end of the tier after.
    Later,
}

impl RecoveryPlan {
    /// Moves a virtual machine. False: there is nothing in that direction, or the plan does not name it.
    pub fn shift(&mut self, vm: ProtectedVmId, shift: Shift) -> bool {
        let Some((tier, place)) = self.place_of(vm) else { return false };
        let count = self.tiers.len();
        let Some(own) = self.tiers.get_mut(tier) else { return false };
        match shift {
            Shift::Up if place > 0 => own.vms.swap(place, place - 1),
            Shift::Down if place + 1 < own.vms.len() => own.vms.swap(place, place + 1),
            Shift::Earlier if tier > 0 => {
                let one = own.vms.remove(place);
                self.tiers.iter_mut().skip(tier - 1).take(1).for_each(|to| to.vms.push(one.clone()));
            }
            Shift::Later if tier + 1 < count => {
                let one = own.vms.remove(place);
                self.tiers.iter_mut().skip(tier + 1).take(1).for_each(|to| to.vms.push(one.clone()));
            }
            _ => return false,
        }
        true
    }

    /// Adds an empty tier at the end. False: there are as many as there may be.
    pub fn add_tier(&mut self) -> bool {
        if self.tiers.len() >= MOST_TIERS {
            return false;
        }
        let is_free = |name: &String| !self.tiers.iter().any(|tier| tier.name.eq_ignore_ascii_case(name));
        let name = (self.tiers.len() + 1..).map(|number| format!("Tier {number}")).find(is_free);
        self.tiers.push(Tier { name: name.unwrap_or_default(), delay_after_seconds: 0, vms: Vec::new() });
        true
    }

    /// Takes the tier at `index` away. Its virtual machines go to the end of the one before, or to the beginning of the one
    /// after if it was the first. False: it is the only one, or there is none.
    pub fn drop_tier(&mut self, index: usize) -> bool {
        if self.tiers.len() < 2 || index >= self.tiers.len() {
            return false;
        }
        let gone = self.tiers.remove(index);
        match index.checked_sub(1).and_then(|before| self.tiers.get_mut(before)) {
            Some(before) => before.vms.extend(gone.vms),
            None => {
                if let Some(first) = self.tiers.first_mut() {
                    first.vms.splice(0..0, gone.vms);
                }
            }
        }
        true
    }

    /// Says this about a virtual machine, and has it in the tier at `index`: where it is if it is there already, else at the
    /// end. False: there is no such tier.
    pub fn put_vm(&mut self, index: usize, vm: PlanVm) -> bool {
        if index >= self.tiers.len() {
            return false;
        }
        if let Some((tier, place)) = self.place_of(vm.vm) {
            let Some(own) = self.tiers.get_mut(tier) else { return false };
            if tier == index {
                if let Some(one) = own.vms.get_mut(place) {
                    *one = vm;
                }
                return true;
            }
            own.vms.remove(place);
        }
        if let Some(tier) = self.tiers.get_mut(index) {
            tier.vms.push(vm);
        }
        true
    }

    fn place_of(&self, vm: ProtectedVmId) -> Option<(usize, usize)> {
        self.tiers.iter().enumerate().find_map(|(index, tier)| {
            tier.vms.iter().position(|one| one.vm == vm).map(|place| (index, place))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tiers: &[&[ProtectedVmId]]) -> RecoveryPlan {
        let tier = |(index, vms): (usize, &&[ProtectedVmId])| Tier {
            name: format!("Tier {}", index + 1),
            delay_after_seconds: 0,
            vms: vms.iter().map(|vm| PlanVm::plain(*vm)).collect(),
        };
        RecoveryPlan { tiers: tiers.iter().enumerate().map(tier).collect(), ..RecoveryPlan::default() }
    }

    fn order(plan: &RecoveryPlan) -> Vec<Vec<ProtectedVmId>> {
        plan.tiers.iter().map(|tier| tier.vms.iter().map(|one| one.vm).collect()).collect()
    }

    #[test]
    fn a_machine_moves_one_step_and_never_out_of_the_plan() {
        let [a, b, c] = [(); 3].map(|()| ProtectedVmId::new());
        let mut plan = plan(&[&[a, b], &[c]]);
        assert!(plan.shift(b, Shift::Up));
        assert_eq!(order(&plan), [vec![b, a], vec![c]]);
        assert!(!plan.shift(b, Shift::Up) && !plan.shift(b, Shift::Earlier) && !plan.shift(c, Shift::Later));
        assert!(plan.shift(b, Shift::Later) && plan.shift(b, Shift::Up));
        assert_eq!(order(&plan), [vec![a], vec![b, c]]);
        assert!(plan.shift(c, Shift::Earlier));
        assert_eq!(order(&plan), [vec![a, c], vec![b]]);
        assert!(!plan.shift(ProtectedVmId::new(), Shift::Down));
    }

    #[test]
    fn a_tier_that_goes_leaves_its_machines_to_its_neighbour() {
        let [a, b, c] = [(); 3].map(|()| ProtectedVmId::new());
        let mut later = plan(&[&[a], &[b], &[c]]);
        assert!(later.drop_tier(1));
        assert_eq!(order(&later), [vec![a, b], vec![c]]);
        assert!(later.drop_tier(0));
        assert_eq!(order(&later), [vec![a, b, c]]);
        assert!(!later.drop_tier(0));
        assert!(later.add_tier() && later.add_tier());
        let names: Vec<&str> = later.tiers.iter().map(|tier| tier.name.as_str()).collect();
        // "Tier 3" was there already.
        assert_eq!(names, ["Tier 3", "Tier 2", "Tier 4"]);
    }

    #[test]
    fn what_is_said_of_a_machine_stays_in_its_place_or_moves_with_it() {
        let [a, b, c] = [(); 3].map(|()| ProtectedVmId::new());
        let mut plan = plan(&[&[a, b], &[c]]);
        assert!(plan.put_vm(0, PlanVm { left_out: true, ..PlanVm::plain(a) }));
        assert_eq!(order(&plan), [vec![a, b], vec![c]]);
        assert!(plan.tiers[0].vms[0].left_out);
        assert!(plan.put_vm(1, PlanVm::plain(a)));
        assert_eq!(order(&plan), [vec![b], vec![c, a]]);
        assert!(!plan.put_vm(2, PlanVm::plain(a)));
        assert_eq!(order(&plan), [vec![b], vec![c, a]]);
    }
}
