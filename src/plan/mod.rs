//! Pure planning: facts and a wish in, steps or a typed conflict out. No I/O, no clock, no randomness.

pub mod adoption;
pub mod agreement;
pub mod capacity;
pub mod conflict;
pub mod deploy;
pub mod direction;
pub mod disk;
pub mod dr_shell;
pub mod findings;
pub mod group_preview;
pub mod health;
pub mod nfs_room;
pub mod obstacles;
pub mod placement;
pub mod preflight;
pub mod preparation;
pub mod readiness;
pub mod recovery_check;
pub mod recovery_check_networks;
pub mod recovery_verbs;
pub mod replica;
pub mod replication;
pub mod retention;
pub mod rpo;
pub mod schedule;
pub mod shell_drift;
pub mod shell_return;
pub mod shell_shape;
pub mod test_failover;
pub mod timetable;

mod deploy_estimate;
mod deploy_places;
mod dr_shell_cards;
mod dr_shell_places;
mod partial;
mod streams;
