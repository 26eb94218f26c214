//! Simulated systems that speak the real protocols, for the demo, for trying Zerfaux out, and for tests.
//!
//! In: what a real system would answer on the wire. Out: everything that Zerfaux itself does; a simulator shares
//! no code with the clients that talk to it, so that a mistake cannot hide on both sides.

pub mod appliance;
pub mod exports;
pub mod files;
pub mod machines;
pub mod vcenter;
