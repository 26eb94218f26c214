//! The whole way of a new operator in a real browser, before the real binary: by mouse and by keyboard alone, with and
//! without scripts, narrow and wide, light and dark.
//!
//! `tests/run` runs these, having fetched what they need: Chromium and its driver, and axe-core, which ZERFAUX_AXE names.
//! Pictures of every page are kept in the target directory under `tmp/browser`, to be looked at.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "support/appliances.rs"]
#[allow(dead_code)]
mod appliances;
#[path = "browser/walk/chromium.rs"]
mod chromium;
#[path = "browser/walk/hands.rs"]
#[allow(dead_code)] // What later walks use as well.
mod hands;
#[path = "browser/walk/pages.rs"]
mod pages;
#[path = "browser/walk/server.rs"]
mod server;

use chromium::Shown;
use hands::{Hands, Person};
use server::Server;
use zerfaux::sim::appliance::FaultRule;

/// The way of somebody who has just started Zerfaux for the first time.
async fn first_day(walk: &str, shown: Shown, hands: Hands, examines: bool) {
    let two = appliances::Two::new();
    two.source.root("zfs create src/data");
    two.source.add_fault(FaultRule {
        command: "zfs snapshot".to_owned(),
        delay_ms: 6_000,
        count: Some(1),
        ..FaultRule::default()
    });
    let data = tempfile::tempdir().unwrap();
    queue_a_replication(data.path(), &two).await;
    let server = Server::over(data);
    let mut person = Person::at(&server.address, walk, shown, hands, examines).await;

    pages::set_up(&mut person, &server).await;
    person.go_to("Jobs").await;
    person.press("replicate").await;
    pages::watch_console(&mut person, "snapshot").await;
    pages::cancel_job(&mut person).await;
    pages::retry_job(&mut person).await;
    let _public = pages::make_ssh_key(&mut person, "site keys").await;
    pages::look_around(&mut person).await;
    person.open("/replication").await;
    pages::sign_out(&mut person).await;
    pages::sign_in(&mut person).await;
    pages::sign_out(&mut person).await;
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

async fn queue_a_replication(data: &std::path::Path, two: &appliances::Two) {
    let app = zerfaux::boot::serving(data, None).await.unwrap();
    let input = serde_json::json!({
        "source": two.location(&two.source, "src/data"), "destination": two.location(&two.target, "dst/copy"),
    });
    app.start_replication(&serde_json::from_value(input).unwrap(), "anna").await.unwrap();
    app.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_wide_light_by_mouse_with_scripts() {
    let shown = Shown { width: 1440, dark: false, javascript: true };
    first_day("wide-light", shown, Hands::Mouse, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_narrow_dark_by_mouse_without_scripts() {
    let shown = Shown { width: 360, dark: true, javascript: false };
    first_day("narrow-dark", shown, Hands::Mouse, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_wide_dark_by_keyboard_with_scripts() {
    let shown = Shown { width: 1440, dark: true, javascript: true };
    first_day("keyboard-wide", shown, Hands::Keyboard, false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run fetches it"]
async fn the_first_day_narrow_light_by_keyboard_without_scripts() {
    let shown = Shown { width: 360, dark: false, javascript: false };
    first_day("keyboard-narrow", shown, Hands::Keyboard, false).await;
}
