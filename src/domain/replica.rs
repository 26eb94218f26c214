//! Words about the replica of a group.

/// The kind of the job that destroys one: the database keeps other jobs from a group meanwhile.
pub const DELETE_REPLICA: &str = "delete_replica";
