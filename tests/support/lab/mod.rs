//! What a lab case needs: the hosts, a scene on them, a look at the result, and ways to break things.
//!
//! Everything here works through the system's `ssh` and plain `zfs` commands. It uses nothing of Zerfaux, so that a
//! case never tests the code with itself. How the hosts come to be: `tests/lab/README.md`.

mod breakage;
mod compare;
mod host;
mod look;
mod scene;
mod script;
mod spare;

pub use breakage::{SessionWatch, Signal, Stream, wait_until};
pub use compare::{assert_part_of, assert_same};
pub use host::{Answer, LabHost, hosts};
pub use look::{Entry, SnapshotSeen};
pub use scene::{Scene, Side};
pub use spare::{Disk, Mine, PREPARED_USER, Spare, spare};
