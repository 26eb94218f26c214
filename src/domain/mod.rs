//! The words of the field: ids, names parsed at the edge, states as enums that carry their data.
//!
//! In: value types and the rules that need nothing but their own data. Out: I/O, clocks, SQL, commands.
//! Everything else may import this module; this module imports nothing of the house.

pub mod access;
pub mod agreement;
pub mod argv;
pub mod audit;
pub mod causes;
pub mod checkpoint;
pub mod dataset;
pub mod deployment;
pub mod disk;
pub mod dr_shell;
pub mod endpoint;
pub mod epoch;
pub mod exit;
pub mod group_key;
pub mod hardware;
pub mod health;
pub mod ids;
pub mod inventory;
pub mod job;
pub mod listen;
pub mod location;
pub mod machine;
pub mod manifest;
pub mod moref;
pub mod names;
pub mod nearest;
pub mod networks;
pub mod packed;
pub mod preflight;
pub mod privileges;
pub mod protected_vm;
pub mod protection_group;
pub mod rate;
pub mod recovery_plan;
pub mod recovery_run;
pub mod recovery_state;
pub mod replica;
pub mod retention;
pub mod settings;
pub mod size;
pub mod ssh_key;
pub mod target;
pub mod template;
pub mod terms;
pub mod thumbprint;
pub mod timetable;
pub mod transport;
pub mod vcenter;
pub mod vm_snapshot;
pub mod x509;
