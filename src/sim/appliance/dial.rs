//! `ssh`: from one simulated appliance to another.

use super::shell::{Io, Shell};

/// Runs `ssh WORDS…`.
pub(super) fn run(_shell: &Shell, _words: &[String], io: &Io) -> i32 {
    io.complain("ssh: this simulated machine cannot connect to others");
    255
}
