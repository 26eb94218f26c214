//! Sample pages of a small company, drawn with the screens that the server fills.

mod appliances;
mod dashboard;
mod deployments;
mod failovers;
mod groups;
mod inventory;
mod jobs;
mod protected_vms;
mod recovery_plans;
mod replicas;
mod setup;
mod wizard;

use askama::Template;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use zerfaux::web::view::navigation::Area;
use zerfaux::web::view::page::{Link, Page, Theme, Viewer};
use zerfaux::web::view::{Html, Mark, Status, html, when};

/// Every sample: the file's name and the page.
pub(crate) fn pages() -> Vec<(&'static str, String)> {
    [
        dashboard::pages(),
        jobs::pages(),
        protected_vms::pages(),
        inventory::pages(),
        appliances::pages(),
        deployments::pages(),
        groups::pages(),
        replicas::pages(),
        recovery_plans::pages(),
        failovers::pages(),
        setup::pages(),
        wizard::pages(),
    ]
    .concat()
}

fn draw(name: &'static str, screen: &impl Template) -> (&'static str, String) {
    (name, screen.render().unwrap())
}

fn asset(name: &str) -> String {
    format!("/static/{name}")
}

fn page(title: &str, area: Area) -> Page {
    Page {
        title: title.to_owned(),
        area,
        user: Some(Viewer { name: "anna".to_owned(), role: "admin".to_owned() }),
        csrf: "token".to_owned(),
        simulated: true,
        theme: Theme::System,
        address: area.address().to_owned(),
        working: 3,
        now: now().as_second(),
        version: "0.1.0",
        toasts: Vec::new(),
        crumbs: Vec::new(),
        assets: asset,
    }
}

/// A page below its area's own.
fn below(title: &str, area: Area) -> Page {
    Page { crumbs: vec![link(area.label(), area.address())], ..page(title, area) }
}

fn now() -> Timestamp {
    "2026-11-20T14:07:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> Html {
    when::relative(now() - seconds.seconds(), now(), &zone())
}

fn exact(seconds_ago: i64) -> Html {
    when::exact(now() - seconds_ago.seconds(), &zone())
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn link(label: &str, address: &str) -> Link {
    Link { label: label.to_owned(), address: address.to_owned() }
}

fn says(mark: Mark, word: &str) -> Status {
    Status::new(mark, word.to_owned())
}

/// Name and fact, the fact as plain text.
fn fact(name: &str, text: &str) -> (String, Html) {
    (name.to_owned(), html::text(text))
}
