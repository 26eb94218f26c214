//! `/about`: the version, whether the installation is well, what it is made with.

use axum::extract::State;

use crate::app::checks::CheckState;
use crate::web::cx::Cx;
use crate::web::screens::settings::About;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html};
use crate::web::{Answer, Site};

/// Name, version, licence of every part, with tabs between; made from the lock file.
const PARTS: &str = include_str!("../parts.tsv");

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let text = |text: &str| Html(html::escape(text).to_string());
    let facts = vec![
        ("Version".to_owned(), text(env!("CARGO_PKG_VERSION"))),
        ("Licence".to_owned(), text(env!("CARGO_PKG_LICENSE"))),
    ];
    let health = site.app.quick_checks().await?.into_iter().map(|check| {
        let mark = match check.state {
            CheckState::Ok => Mark::Met,
            CheckState::Warn => Mark::Risk,
            CheckState::Fail => Mark::Broken,
        };
        (check.name.to_owned(), Status::new(mark, check.found))
    });
    let link = |label: &str, address: &str| Link { label: label.to_owned(), address: address.to_owned() };
    let links = vec![link("The API", "/api/docs"), link("Its description (OpenAPI)", "/api/openapi.json")];
    let parts = PARTS.lines().filter_map(|line| {
        let mut columns = line.split('\t').map(str::to_owned);
        Some((columns.next()?, columns.next()?, columns.next()?))
    });
    let page = cx.page("About", Area::About);
    cx.draw(&About { page, facts, health: health.collect(), links, parts: parts.collect() })
}
