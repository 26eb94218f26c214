//! One type for each screen: what it shows, and with which template. Filled by the pages, drawn in the gallery.
//!
//! In: facts as they are read, already in words. Out: where they come from, and what happens to a form.
//! Where a screen has a part that is redrawn alone, a second type names the same template and that part's block.

pub mod access;
pub mod account;
pub mod adoption;
pub mod appliances;
pub mod assignable_vms;
pub mod audit;
pub mod checkpoints;
pub mod dashboard;
pub mod datastores;
pub mod deployments;
pub mod dr_shells;
pub mod error;
pub mod failovers;
pub mod group_vms;
pub mod group_wizard;
pub mod inventory;
pub mod jobs;
pub mod protected_vms;
pub mod protection_groups;
pub mod recovery_plans;
pub mod recovery_runs;
pub mod replicas;
pub mod replicate;
pub mod settings;
pub mod ssh_keys;
pub mod templates;
pub mod users;
pub mod vcenters;
