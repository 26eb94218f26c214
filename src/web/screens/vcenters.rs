//! vCenter connections: list, one, adding one with its certificate confirmed.

use askama::Template;

use crate::web::view::form::Field;
use crate::web::view::page::Link;
use crate::web::view::{Html, Page, Status};

/// `/vcenters`.
#[derive(Template)]
#[template(path = "vcenters/list.html")]
pub struct Vcenters {
    /// The frame.
    pub page: Page,
    /// By name.
    pub rows: Vec<VcenterRow>,
    /// Whether the viewer may connect another one.
    pub may_change: bool,
}

/// What is wrong, and the way on.
pub struct Trouble {
    /// What happened and why.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// Where that is done, if it is done here.
    pub mend: Option<Link>,
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
    pub trouble: Option<Trouble>,
    /// Host, user, product, certificate: name and fact.
    pub facts: Vec<(String, Html)>,
    /// SHA-256 of the certificate that is accepted; None: one whose chain this machine trusts.
    pub thumbprint: Option<String>,
    /// What the inventory holds: name, count, address.
    pub counts: Vec<(&'static str, String, String)>,
    /// Whether the viewer may change it.
    pub may_change: bool,
    /// Whether the viewer may test and sync it.
    pub may_work: bool,
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
    /// What went wrong when it was tried.
    pub trouble: Option<Trouble>,
    /// Whether a connection is changed that is kept already.
    pub changes: bool,
    /// Where one goes instead.
    pub back: String,
}

/// The certificate of a server, shown to be confirmed.
#[derive(Template)]
#[template(path = "vcenters/certificate.html")]
pub struct ConfirmCertificate {
    /// The frame.
    pub page: Page,
    /// Where the form is sent.
    pub action: String,
    /// Host and port.
    pub host: String,
    /// SHA-256.
    pub thumbprint: String,
    /// The thumbprint that was accepted before, if it has changed.
    pub before: Option<String>,
    /// Subject, valid until: name and fact.
    pub facts: Vec<(String, Html)>,
    /// Where one goes instead.
    pub back: String,
}
