//! vCenter connections: list, one, adding one with its certificate confirmed.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::{Html, Page, Status};

/// `/vcenters`.
#[derive(Template)]
#[template(path = "vcenters/list.html")]
pub struct Vcenters {
    /// The frame.
    pub page: Page,
    /// By name.
    pub rows: Vec<VcenterRow>,
}

/// A connection.
pub struct VcenterRow {
    /// The name.
    pub name: String,
    /// Its own page.
    pub address: String,
    /// Host and port.
    pub host: String,
    /// How the connection stands.
    pub status: Status,
    /// `vCenter 8.0.3`.
    pub product: String,
    /// VMs in the inventory.
    pub vms: String,
    /// When it was last synced.
    pub synced: Option<Html>,
    /// How the update stream stands.
    pub stream: Status,
    /// Whether it is simulated.
    pub simulated: bool,
}

/// `/vcenters/{id}`.
#[derive(Template)]
#[template(path = "vcenters/one.html")]
pub struct VcenterPage {
    /// The frame.
    pub page: Page,
    /// The connection.
    pub row: VcenterRow,
    /// What is wrong and what to do, if something is.
    pub trouble: Option<(String, String)>,
    /// Host, user, product, certificate: name and fact.
    pub facts: Vec<(String, Html)>,
    /// SHA-256 of the certificate that is accepted.
    pub thumbprint: String,
    /// What the inventory holds: name, count, address.
    pub counts: Vec<(&'static str, String, String)>,
    /// Whether the viewer may change it.
    pub may_change: bool,
}

/// `/vcenters/new` and `/vcenters/{id}/edit`.
#[derive(Template)]
#[template(path = "vcenters/new.html")]
pub struct NewVcenter {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// Name, host, port, user, password.
    pub fields: Vec<Field>,
    /// What went wrong when it was tried: what and what to do.
    pub trouble: Option<(String, String)>,
}

/// The certificate of a server, shown to be confirmed.
#[derive(Template)]
#[template(path = "vcenters/certificate.html")]
pub struct ConfirmCertificate {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// What was typed before, carried on.
    pub carried: Vec<(String, String)>,
    /// Host and port.
    pub host: String,
    /// SHA-256.
    pub thumbprint: String,
    /// The thumbprint that was accepted before, if it has changed.
    pub before: Option<String>,
    /// Subject, issuer, valid until: name and fact.
    pub facts: Vec<(String, Html)>,
}
