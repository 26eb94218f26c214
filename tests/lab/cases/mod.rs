//! One file per area; each case in it begins with `#[test]` and `#[ignore = "needs the lab: tests/run"]`.

mod laws;
mod the_lab;
mod zfs_room;
