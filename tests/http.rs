//! The server as a browser and a program meet it: the whole router, in this process, over a database in a temporary
//! directory and a clock that stands still.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "http/access.rs"]
mod access;
#[path = "http/api.rs"]
mod api;
#[path = "http/appliances.rs"]
mod appliances;
#[path = "http/forms.rs"]
mod forms;
#[path = "http/jobs.rs"]
mod jobs;
#[path = "http/pages.rs"]
mod pages;
#[path = "http/routes.rs"]
mod routes;
#[path = "http/service.rs"]
mod service;
#[path = "http/site.rs"]
mod site;
