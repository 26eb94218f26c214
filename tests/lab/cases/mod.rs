//! One file per area; each case in it begins with `#[test]` and `#[ignore = "needs the lab: tests/run"]`.

mod conflicts;
mod errors;
mod foreign;
mod hindered;
mod laws;
mod the_lab;
mod unsuited;
mod witness;
mod zfs_room;
