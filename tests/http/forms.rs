//! Requests that change something and do not come from a page of ours: none gets through.

use axum::body::Body;
use axum::http::Request;
use zerfaux::auth::table::RULES;

use super::site::{Site, encode, filled};

/// What is wrong with the request, its form, its headers.
type Case<'a> = (&'a str, String, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn every_changing_route_refuses_requests_from_elsewhere() {
    let site = Site::new().await;
    let mut other = site.signed_in("admin").await;
    other.get("/account").await.expect(200);
    let foreign_token = other.token.clone();
    let mut admin = site.signed_in("admin").await;
    admin.get("/account").await.expect(200);
    let (own, mut tried) = (admin.token.clone(), 0);
    assert_ne!(own, foreign_token);
    let lines = site.app.audit_lines(&Default::default()).await.unwrap().1;
    for (method, path, _) in RULES.iter().filter(|(method, ..)| *method != "GET") {
        let path = filled(path);
        let right = encode(&[("csrf", &own)]);
        let cases: [Case<'_>; 6] = [
            ("no token", encode(&[("name", "x")]), &[("sec-fetch-site", "same-origin")]),
            ("a foreign token", encode(&[("csrf", &foreign_token)]), &[("sec-fetch-site", "same-origin")]),
            ("another site, says the browser", right.clone(), &[("sec-fetch-site", "cross-site")]),
            ("a neighbour's site", right.clone(), &[("sec-fetch-site", "same-site")]),
            ("a foreign origin", right.clone(), &[("origin", "https://evil.example")]),
            ("no origin to tell", right.clone(), &[("origin", "null")]),
        ];
        for (what, form, headers) in cases {
            let got = admin.ask(method, &path, Some(form), headers).await;
            assert_eq!(got.status, 403, "{method} {path} with {what}: {}", got.text);
            tried += 1;
        }
        // As JSON, as a page of another site may send it without asking.
        let headers = [("sec-fetch-site", "same-origin"), ("content-type", "text/plain")];
        let got = admin.ask(method, &path, None, &headers).await;
        assert_eq!(got.status, 403, "{method} {path} as text: {}", got.text);
        tried += 1;
    }
    assert!(tried > 150, "{tried} tried");
    let after = site.app.audit_lines(&Default::default()).await.unwrap().1;
    assert_eq!(lines, after, "nothing was done");
    admin.get("/account").await.expect(200);
}

#[tokio::test]
async fn nothing_is_changed_by_get() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    let before = site.app.audit_lines(&Default::default()).await.unwrap().1;
    for (method, path, _) in RULES {
        if *method == "GET" && !path.ends_with("/events") {
            admin.get(&filled(path)).await;
        }
    }
    assert_eq!(site.app.audit_lines(&Default::default()).await.unwrap().1, before);
}

#[tokio::test]
async fn a_form_with_the_header_instead_of_the_field_is_taken() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    let token = admin.token.clone();
    let headers = [("sec-fetch-site", "same-origin"), ("x-csrf-token", token.as_str())];
    admin
        .ask("POST", "/theme", Some(encode(&[("theme", "dark"), ("back", "/jobs")])), &headers)
        .await
        .leads_to("/jobs");
    admin.get("/jobs").await.expect(200).says("data-theme=\"dark\"");
}

/// Browsers speak HTTP/2 to a service with TLS: no `Host`, but the authority in the address.
#[tokio::test]
async fn over_http_2_a_page_of_ours_is_told_from_a_foreign_one_by_the_authority() {
    let site = Site::new().await;
    let mut admin = site.signed_in("admin").await;
    admin.get("/account").await.expect(200);
    let cookies: Vec<String> = admin.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let form = encode(&[("csrf", &admin.token), ("theme", "dark"), ("back", "/jobs")]);
    for (origin, status) in [("https://zerfaux.test:8443", 303), ("https://evil.example", 403)] {
        let request = Request::builder()
            .method("POST")
            .uri("https://zerfaux.test:8443/theme")
            .header("cookie", cookies.join("; "))
            .header("origin", origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.clone()));
        site.send(request.unwrap()).await.expect(status);
    }
}
