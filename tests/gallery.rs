//! Draws the partials and sample pages into a directory, to be looked at and checked by the scripts in
//! `tests/browser`: `GALLERY=DIR cargo test --test gallery -- --ignored`. The first test runs always: every sample
//! page can be drawn and keeps to the content security policy.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "gallery/samples.rs"]
mod samples;

use std::path::PathBuf;

#[test]
fn no_page_carries_style_or_script_of_its_own() {
    for (name, html) in samples::pages() {
        assert!(!html.contains(" style="), "{name} has a style attribute");
        assert!(!html.contains("<style"), "{name} has a style element");
        assert!(
            !html.contains(" onclick=") && !html.contains("javascript:"),
            "{name} has a script in an attribute"
        );
        for script in html.split("<script").skip(1) {
            assert!(script.starts_with(" src=\""), "{name} has an inline script");
        }
        for form in html.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let form = &form[..form.find("</form>").unwrap()];
            assert!(form.contains("name=\"csrf\""), "{name} has a form without the session's token: {form}");
        }
    }
}

#[test]
#[ignore = "writes files to be looked at"]
fn draw() {
    let Some(directory) = std::env::var_os("GALLERY").map(PathBuf::from) else {
        panic!("GALLERY names no directory")
    };
    std::fs::create_dir_all(&directory).unwrap();
    for (name, html) in samples::pages() {
        std::fs::write(directory.join(format!("{name}.html")), html).unwrap();
    }
}
