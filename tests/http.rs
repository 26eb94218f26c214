//! The server as a browser and a program meet it: the whole router, in this process, over a database in a temporary
//! directory and a clock that stands still.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

#[path = "http/access.rs"]
mod access;
#[path = "http/adoption.rs"]
mod adoption;
#[path = "http/api.rs"]
mod api;
#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;
#[path = "http/canaries.rs"]
mod canaries;
#[path = "http/carried.rs"]
mod carried;
#[path = "http/disk.rs"]
mod disk;
#[path = "http/dr_shells.rs"]
mod dr_shells;
#[path = "http/elsewhere.rs"]
mod elsewhere;
#[path = "http/failing_over.rs"]
mod failing_over;
#[path = "http/forms.rs"]
mod forms;
#[path = "http/group_keys.rs"]
mod group_keys;
#[path = "http/group_preflights.rs"]
mod group_preflights;
#[path = "http/group_wizard.rs"]
mod group_wizard;
#[path = "http/jobs.rs"]
mod jobs;
#[path = "http/pages.rs"]
mod pages;
#[path = "http/prompting.rs"]
mod prompting;
#[path = "http/protected_vms.rs"]
mod protected_vms;
#[path = "http/protecting.rs"]
mod protecting;
#[path = "http/protection_groups.rs"]
mod protection_groups;
#[path = "http/recovery_plans.rs"]
mod recovery_plans;
#[path = "http/rehearsing.rs"]
mod rehearsing;
#[path = "http/replicas.rs"]
mod replicas;
#[path = "http/routes.rs"]
mod routes;
#[path = "http/service.rs"]
mod service;
#[path = "http/settings.rs"]
mod settings;
#[path = "http/site.rs"]
mod site;
#[path = "support/small_disk.rs"]
#[allow(dead_code)]
mod small_disk;
#[path = "http/targets.rs"]
mod targets;
#[path = "http/templates.rs"]
mod templates;
#[path = "http/together.rs"]
mod together;
#[path = "http/vcenters.rs"]
mod vcenters;
