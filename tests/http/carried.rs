//! A form that is sent when the session has ended: what was typed is carried through the sign-in, and sent once somebody
//! says so.

use std::time::Duration;

use super::site::{PASSWORD, Site, encode};

const TYPED: [(&str, &str); 2] = [("session_idle_minutes", "45"), ("session_hours", "11")];
const ADDRESS: &str = "/settings/sessions";

fn carried() -> String {
    serde_json::to_string(&TYPED).unwrap()
}

#[tokio::test]
async fn what_was_typed_outlives_the_session_and_is_sent_when_somebody_says_so() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    admin.get("/settings").await.expect(200);
    site.clock.advance(Duration::from_secs(31 * 60));
    let page = admin.post(ADDRESS, &TYPED).await.expect(401).says("Your session has ended");
    assert!(page.text.contains(&format!("name=\"carried_to\" value=\"{ADDRESS}\"")), "{}", page.text);
    let before = site.app.settings().session_idle_minutes;
    assert_ne!(before, 45, "nothing was done");
    let carried = carried();
    let sign_in = |password| {
        [("name", "admin"), ("password", password), ("carried_to", ADDRESS), ("carried", carried.as_str())]
    };
    admin.post("/sign-in", &sign_in("wrong")).await.expect(401).says("carried_to");
    let page = admin.post("/sign-in", &sign_in(PASSWORD)).await.expect(200).says("You are signed in again");
    assert!(page.text.contains("name=\"session_idle_minutes\" value=\"45\""), "{}", page.text);
    assert_eq!(site.app.settings().session_idle_minutes, before, "nothing is sent by itself");
    admin.post(ADDRESS, &TYPED).await.leads_to("/settings");
    assert_eq!(site.app.settings().session_idle_minutes, 45);
}

#[tokio::test]
async fn passwords_and_forms_of_other_sites_are_not_carried() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    site.clock.advance(Duration::from_secs(31 * 60));
    let secret = [("password", "correct horse"), ("new_password", "battery staple")];
    let led = admin.post("/account/password", &secret).await.expect(303);
    assert!(
        led.header("location").starts_with("/sign-in?next=") && !led.text.contains("horse"),
        "{}",
        led.text
    );
    let form = || Some(encode(&TYPED));
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("origin", "https://evil.example")],
        // A program that has no session and no token.
        &[],
    ] {
        let got = admin.ask("POST", ADDRESS, form(), headers).await.expect(403);
        assert!(!got.text.contains("carried"), "{}", got.text);
    }
    // What a page of ours sends by script is not the whole form.
    let script = [("sec-fetch-site", "same-origin"), ("hx-request", "true")];
    admin.ask("POST", ADDRESS, form(), &script).await.expect(403);
}

#[tokio::test]
async fn nobody_is_led_to_another_site_with_a_form() {
    let site = Site::new().await;
    let mut admin = site.browser();
    admin.get("/sign-in").await.expect(200);
    let carried = carried();
    let form = [
        ("name", "admin"),
        ("password", PASSWORD),
        ("carried_to", "//evil.example/settings"),
        ("carried", carried.as_str()),
    ];
    admin.post("/sign-in", &form).await.leads_to("/replication");
}
