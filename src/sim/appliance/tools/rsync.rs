//! placeholder
use super::{Io, Shell};
pub(super) fn run(_shell: &Shell, program: &str, _words: &[String], _io: &Io) -> Option<i32> {
    (program == "rsync").then_some(1)
}
