//! A way for tests to give the readers whatever they like: output without a host.

use super::verbs::Depth;
use super::{classify, detect, estimate, hold, list, pool, properties_not_received, token};
use crate::domain::names::DatasetName;

/// Reads text as the output of each command that is read. Returns how much of it was understood.
pub fn read_output(text: &str) -> usize {
    let wanted: Vec<DatasetName> =
        ["tank/vm", "backup/vm"].iter().filter_map(|name| name.parse().ok()).collect();
    let mut understood = 0;
    if let Ok(owners) = list::read_owners(text) {
        for depth in [Depth::One, Depth::All] {
            understood +=
                list::read(text, &owners, &wanted, depth).map_or(0, |listing| listing.datasets.len());
        }
    }
    understood += usize::from(token::read(text).is_some());
    understood += usize::from(estimate::read(text).is_some());
    understood += usize::from(pool::read("tank", text, text).is_ok());
    understood += usize::from(detect::read(text).is_some());
    understood += hold::read(text).map_or(0, |holds| holds.len());
    let _complaint = classify(text);
    understood + properties_not_received(text).len()
}
