//! How long the phases of a deployment will take, from how long they took before.

use std::collections::BTreeMap;

/// Seconds that each phase took, newest last.
pub type History = BTreeMap<String, Vec<u64>>;

/// The phases, in their order, and how many seconds each takes where none has been seen yet.
pub const PHASES: [(&str, u64); 9] = [
    ("clone", 120),
    ("power_on", 5),
    ("wait_tools", 90),
    ("wait_ip", 15),
    ("ssh_connect", 10),
    ("zfs_create", 10),
    ("nfs_setup", 10),
    ("register_target", 1),
    ("register_datastore", 15),
];

/// How many of the newest runs count.
const NEWEST: usize = 9;

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Its name.
    pub phase: &'static str,
    /// How long it will take.
    pub seconds: u64,
    /// How many earlier runs say so; 0: a rule of thumb.
    pub runs: usize,
}

/// The median of the newest runs of each phase: one that waited for a person does not count for much.
pub(super) fn estimate(history: &History) -> Vec<Estimate> {
    PHASES
        .into_iter()
        .map(|(phase, usual)| {
            let all = history.get(phase).map(Vec::as_slice).unwrap_or_default();
            let mut newest: Vec<u64> = all.iter().rev().take(NEWEST).copied().collect();
            newest.sort_unstable();
            let seconds = newest.get(newest.len() / 2).copied().unwrap_or(usual);
            Estimate { phase, seconds, runs: newest.len() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_newest_runs_counts_and_else_a_rule_of_thumb() {
        let history = History::from([
            ("clone".to_owned(), vec![9999, 60, 70, 80, 10_000]),
            ("power_on".to_owned(), (0..100).collect()),
        ]);
        let all = estimate(&history);
        assert_eq!((all[0].seconds, all[0].runs), (80, 5));
        assert_eq!((all[1].seconds, all[1].runs), (95, 9), "the newest nine");
        assert_eq!((all[2].phase, all[2].seconds, all[2].runs), ("wait_tools", 90, 0));
        assert_eq!(all.len(), PHASES.len());
    }
}
