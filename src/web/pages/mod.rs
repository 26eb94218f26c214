//! The pages: one file per noun, one handler per address. Read, validate, act, then redirect, or draw again with what
//! was typed and the error beside the field.

pub(super) mod about;
pub(super) mod access;
pub(super) mod account;
pub(super) mod appliance_datasets;
pub(super) mod appliance_form;
pub(super) mod appliances;
mod attention;
pub(super) mod audit;
pub(super) mod dashboard;
pub(super) mod datastores;
pub(super) mod deployment_form;
pub(super) mod deployments;
pub(super) mod docs;
pub(super) mod group_page;
pub(super) mod group_vms;
pub(super) mod inventory;
pub(super) mod inventory_objects;
pub(super) mod job;
pub(super) mod job_list;
pub(super) mod job_result;
pub(super) mod protection_groups;
pub(super) mod replicate;
pub(super) mod settings;
pub(super) mod setup;
mod site_map;
pub(super) mod ssh_key_rotation;
pub(super) mod ssh_keys;
mod stream;
pub(super) mod template_forms;
pub(super) mod templates;
pub(super) mod theme;
pub(super) mod tokens;
pub(super) mod users;
pub(super) mod vcenter_forms;
pub(super) mod vcenters;
pub(super) mod vm;
