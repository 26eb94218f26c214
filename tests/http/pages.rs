//! Pages: forms that keep what was typed, text that stays text, secrets that never come back.

use super::site::Site;
use zerfaux::domain::access::Role;

#[tokio::test]
async fn every_page_of_the_navigation_can_be_drawn_for_each_role() {
    let site = Site::new().await;
    for role in Role::ALL {
        let mut browser = site.signed_in(role.as_str()).await;
        let page = browser.get("/replication").await.expect(200);
        let navigation =
            page.text.split("<nav class=\"nav\"").nth(1).unwrap().split("</nav>").next().unwrap();
        let addresses: Vec<String> = navigation
            .split("href=\"/")
            .skip(1)
            .map(|rest| format!("/{}", rest.split('"').next().unwrap()))
            .collect();
        let addresses: Vec<String> =
            addresses.into_iter().filter(|one| !one.starts_with("/static/")).collect();
        assert!(addresses.len() >= 6, "{addresses:?}");
        for address in addresses {
            let page = browser.get(&address).await.expect(200);
            assert!(page.text.contains("<h1>") && page.text.len() < 100 * 1024, "{address}");
        }
    }
}

#[tokio::test]
async fn a_key_is_made_shown_and_deleted_and_its_private_half_is_nowhere() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    admin
        .post("/ssh-keys", &[("name", ""), ("generate", "ed25519")])
        .await
        .expect(422)
        .says("1 to 100 characters");
    let got = admin.post("/ssh-keys", &[("name", "<b>lab & co"), ("generate", "ed25519")]).await.expect(303);
    let address = got.header("location").to_owned();
    let page = admin.get(&address).await.expect(200);
    assert!(page.text.contains("ssh-ed25519 AAAA") && !page.text.contains("<b>lab"), "{}", page.text);
    assert!(!page.text.contains("PRIVATE KEY"));
    let list = admin.get("/ssh-keys").await.expect(200).says("&#60;b&#62;lab &#38; co");
    assert!(list.text.contains(&address));
    let delete = format!("{address}/delete");
    admin.get(&delete).await.expect(200).says("cannot be brought back");
    admin.post(&delete, &[("confirm", "lab")]).await.expect(422).says("not its name");
    admin.post(&delete, &[("confirm", "<b>lab & co")]).await.leads_to("/ssh-keys");
    admin.get(&address).await.expect(404);
}

#[tokio::test]
async fn an_imported_key_that_cannot_be_used_is_refused_beside_its_field_and_not_sent_back() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    let form = [("name", "imported"), ("private_key", "canary-not-a-key"), ("passphrase", "canary-phrase")];
    let page = admin.post("/ssh-keys", &form).await.expect(422).says("f-private_key-error");
    assert!(page.text.contains("value=\"imported\""));
    assert!(!page.text.contains("canary"), "secrets are not sent back");
}

#[tokio::test]
async fn a_viewer_is_shown_no_button_that_is_not_for_viewers() {
    let site = Site::new().await;
    let mut viewer = site.signed_in("viewer").await;
    let page = viewer.get("/replication").await.expect(200);
    assert!(!page.text.contains("href=\"/users\"") && !page.text.contains("href=\"/settings\""));
    viewer.get("/users").await.expect(403).says("needs the role admin");
}

#[tokio::test]
async fn files_are_kept_by_browsers_and_nothing_outside_can_be_asked_for() {
    let site = Site::new().await;
    let mut browser = site.browser();
    let page = browser.get("/sign-in").await.expect(200);
    let sheet = page.text.split("href=\"/static/app.css").nth(1).unwrap().split('"').next().unwrap();
    assert!(sheet.starts_with("?v="), "{sheet}");
    let got = browser.get("/static/app.css").await.expect(200);
    assert!(got.header("cache-control").contains("immutable"));
    let tag = got.header("etag").to_owned();
    browser.ask("GET", "/static/app.css", None, &[("if-none-match", &tag)]).await.expect(304);
    for path in ["/static/../Cargo.toml", "/static/%2e%2e/Cargo.toml", "/static//etc/passwd", "/static/none"]
    {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_audit_page_shows_what_was_done_and_the_export_has_every_line() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    admin.post("/ssh-keys", &[("name", "k1"), ("generate", "ed25519")]).await.expect(303);
    admin.get("/audit?q=ssh_key").await.expect(200).says("ssh_key.create").says("k1");
    admin.post("/audit/verify", &[]).await.leads_to("/audit?verify=now");
    admin.get("/audit?verify=now").await.expect(200).says("unbroken");
    let export = admin.get("/audit/export").await.expect(200);
    let total = site.app.audit_lines(&Default::default()).await.unwrap().1;
    assert_eq!(export.text.lines().count() as u64, total);
    let first: serde_json::Value = serde_json::from_str(export.text.lines().next().unwrap()).unwrap();
    assert_eq!(first["seq"], 1);
}
