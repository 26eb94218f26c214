//! A test failover: from what was in a checkpoint, the group's recovery plan and what the DR vCenter has to each test machine,
//! or why there is none of it. The page shows this plan; the job does what it says.

use super::recovery::{Aim, recover};
pub use super::recovery::{Facts, Member, Planned, RecoveryWish as TestWish};

/// What a test machine is called after the one that it is a test of.
pub const SUFFIX: &str = "-test";

/// Plans a test.
pub fn test_failover(wish: &TestWish, facts: &Facts<'_>) -> Planned {
    recover(Aim::Test, wish, facts)
}
