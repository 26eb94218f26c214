//! One file per kind of job: its steps, what each does, how it is undone.

/// The names of all kinds. `tests/laws.rs` fails when one of them has no world in which the laws are tried.
pub fn kinds() -> Vec<&'static str> {
    Vec::new()
}
