//! One file per area; each case in it begins with `#[test]` and `#[ignore = "needs the lab: tests/run"]`.

mod conflicts;
mod contract;
mod cuts;
mod deployed;
mod deployed_failures;
mod direct;
mod errors;
mod failed_over;
mod foreign;
mod hindered;
mod interrupted;
mod laws;
mod prepared;
mod protected;
mod rehearsed;
mod replicate;
mod replicate_kinds;
mod replicate_local;
mod replicate_rights;
mod the_lab;
mod together;
mod unsuited;
mod witness;
mod zfs_room;

pub use prepared::told_at_start;
