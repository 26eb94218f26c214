//! Answers that no server should send.

use std::process::Command;

#[path = "../support/soap_fuzz.rs"]
mod soap_fuzz;

/// Set in the process that reads the answers.
const ALONE: &str = "ZERFAUX_FUZZ_ALONE";

/// In a process of its own: what is bounded is that process's memory, and other tests beside this one use some too.
#[test]
fn no_answer_makes_the_reader_panic_or_grow() {
    if std::env::var_os(ALONE).is_some() {
        soap_fuzz::try_answers(20_000, 0);
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fuzz::no_answer_makes_the_reader_panic_or_grow", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("fuzz: 20000 answers"), "{}\n{said}", child.status);
    eprint!("{said}");
}
