//! What tests of streams between hosts share: scripts as commands, data in which nothing repeats, waiting for what other
//! processes do.

use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use zerfaux::domain::argv::Argv;

/// A script as a command.
pub fn sh(script: &str) -> Argv {
    Argv::new(["sh", "-c", script]).unwrap()
}

/// Writes bytes in which nothing repeats at the distance of a packet, and gives their SHA-256.
pub fn write_data(path: &Path, len: usize) -> [u8; 32] {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    std::fs::write(path, &bytes).unwrap();
    Sha256::digest(&bytes).into()
}

/// Waits until something is so; within a minute it has to be.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come to pass");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether a process runs. A zombie has ended.
pub fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
