//! Sample pages of a small company, drawn with the partials that the real pages use.

use askama::Template;
use zerfaux::web::view::form::{Choice, Confirm, Field};
use zerfaux::web::view::navigation::Area;
use zerfaux::web::view::page::{Link, Page, Theme, Toast, Viewer};
use zerfaux::web::view::status::{Mark, Status};

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
        now: 1_795_261_000,
        version: "0.1.0",
        toasts: Vec::new(),
        crumbs: Vec::new(),
        assets: asset,
    }
}

#[derive(Template)]
#[template(path = "vcenters/new.html")]
struct NewVcenter {
    page: Page,
    fields: Vec<Field>,
}

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let fields = vec![
        Field::line("name", "Name")
            .value("vc-berlin")
            .hint("How this connection is called on every page.")
            .first(),
        Field::line("host", "Host").value("vc-berln.example").error(Some(
            "vc-berln.example is not known to the name server. Check the spelling, or use the address.",
        )),
        Field::number("port", "Port").value("443").optional(),
        Field::password("password", "Password", "off").hint("Sealed at rest; never shown again."),
        Field::select("site", "Site", vec![Choice::new("a", "Primary"), Choice::new("b", "DR")]).value("b"),
        Field::check("verify", "Sync at once"),
    ];
    let mut new = page("Connect a vCenter", Area::Vcenters);
    new.crumbs = vec![Link { label: "vCenters".into(), address: "/vcenters".into() }];
    new.toasts = vec![Toast { mark: Mark::Met, message: "vc-potsdam is connected.".into() }];
    let _ = (Status::from(Mark::Met), None::<Confirm>);
    vec![("vcenter-new", NewVcenter { page: new, fields }.render().unwrap())]
}
