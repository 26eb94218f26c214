//! One machine that commands run on: this one, or one reached over SSH.
//!
//! In: running a command, streaming bytes between two of them. Out: what the commands mean.
