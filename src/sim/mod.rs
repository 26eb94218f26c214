//! Simulators that speak the wire of what Zerfaux works with. The clients do not know whom they talk to.
//!
//! In: a vCenter. Out: any code of the clients; a simulator that shared it would share its mistakes.

pub mod exports;
pub mod files;
pub mod vcenter;
