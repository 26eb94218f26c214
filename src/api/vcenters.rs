//! `/vcenters`

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::jobs::{Accepted, accepted};
use super::paging::{List, Paging};
use super::{Answer, BASE, created};
use crate::app::vcenters::{ApiKind, Contact, ServerCertificate, Trust, VcenterView, VcenterWish, unproved};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::VcenterId;
use crate::domain::thumbprint::{NotAThumbprint, Thumbprint};

/// A connection to a vCenter or to a single ESXi host. Its password is never shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Vcenter {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Who logs in.
    pub username: String,
    /// SHA-256 of the only certificate that is accepted; null: any whose chain the server trusts.
    pub thumbprint: Option<String>,
    /// Whose the accepted certificate is.
    pub certificate_subject: Option<String>,
    /// Until when it is valid.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub certificate_not_after: Option<Timestamp>,
    /// The certificate that was refused last; null after a contact that worked.
    pub refused_certificate: Option<Certificate>,
    /// `vcenter` or `esxi`; null before the first contact.
    pub kind: Option<String>,
    /// For example `8.0.2`.
    pub version: Option<String>,
    /// Name, version and build as the server says them.
    pub product: Option<String>,
    /// How the stream of changes stands: `connecting`, `reading`, `following` or `lost`; null: not followed yet.
    pub stream_state: Option<String>,
    /// When the inventory was last read in full.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub synced_at: Option<Timestamp>,
    /// Why the last contact failed; null after a good one.
    pub last_error: Option<String>,
    /// Virtual machines that are there, without templates.
    pub vms: u64,
    /// Templates that are there.
    pub templates: u64,
    /// Hosts that are there.
    pub hosts: u64,
    /// Datastores that are there.
    pub datastores: u64,
    /// Networks that are there.
    pub networks: u64,
    /// When the connection was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A server's certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// SHA-256, two digits per byte with colons between.
    pub thumbprint: String,
    /// Whose it is.
    pub subject: String,
    /// Until when it is valid.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub not_after: Option<Timestamp>,
}

impl From<ServerCertificate> for Certificate {
    fn from(one: ServerCertificate) -> Self {
        Self { thumbprint: one.thumbprint.to_string(), subject: one.subject, not_after: one.not_after }
    }
}

impl Vcenter {
    fn of(app: &App, view: VcenterView) -> Result<Self, AppError> {
        let stream = app.vcenters()?.stream(view.vcenter.id);
        let stream_state = stream.map(|stream| stream.state.as_str().to_owned());
        let (one, certificates) = (view.vcenter, view.certificates);
        let thumbprint = match one.trust {
            Trust::Pinned(thumbprint) => Some(thumbprint.to_string()),
            Trust::System => None,
        };
        let kind = one.about.as_ref().map(|about| match about.kind {
            ApiKind::VirtualCenter => "vcenter".to_owned(),
            ApiKind::HostAgent => "esxi".to_owned(),
        });
        Ok(Self {
            stream_state,
            id: one.id.to_string(),
            name: one.name,
            host: one.address.host,
            port: one.address.port,
            username: one.username,
            thumbprint,
            certificate_subject: certificates.accepted.as_ref().map(|one| one.subject.clone()),
            certificate_not_after: certificates.accepted.and_then(|one| one.not_after),
            refused_certificate: certificates.refused.map(Certificate::from),
            kind,
            version: one.about.as_ref().map(|about| about.version.clone()),
            product: one.about.map(|about| about.full_name),
            synced_at: one.synced_at,
            last_error: one.last_error,
            vms: view.counts.vms,
            templates: view.counts.templates,
            hosts: view.counts.hosts,
            datastores: view.counts.datastores,
            networks: view.counts.networks,
            created_at: one.created_at,
        })
    }
}

/// A new connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVcenter {
    /// What people will call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Who logs in.
    pub username: String,
    /// The password; it is sealed, and never shown again.
    #[schema(value_type = String)]
    pub password: SecretString,
    /// TCP port: 443 unless given.
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// SHA-256 of the certificate that a person has compared. Without it only one whose chain the server trusts is
    /// accepted.
    pub thumbprint: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedVcenter {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Host name or address. With another one the password has to be given again.
    pub host: Option<String>,
    /// TCP port.
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// Who logs in.
    pub username: Option<String>,
    /// The password.
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretString>,
    /// SHA-256 of the certificate that is accepted from now on.
    pub thumbprint: Option<String>,
}

fn thumbprint(text: Option<&str>) -> Result<Option<Thumbprint>, AppError> {
    let wrong = |error: NotAThumbprint| AppError::invalid("thumbprint", error);
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

/// Connections, by name.
#[utoipa::path(get, path = "/vcenters", tag = "vcenters", params(Paging),
    responses((status = OK, description = "The connections", body = List<Vcenter>)))]
pub async fn list(State(app): State<App>, Query(paging): Query<Paging>) -> Answer<Json<List<Vcenter>>> {
    let views = app.vcenters()?.views().await?.into_iter();
    let all = views.map(|view| Vcenter::of(&app, view)).collect::<Result<_, _>>()?;
    let part = paging.part(all, |one: &Vcenter, words| {
        one.name.to_lowercase().contains(words) || one.host.to_lowercase().contains(words)
    })?;
    Ok(Json(part))
}

/// Connect a vCenter or a single ESXi host, once a login has worked.
#[utoipa::path(post, path = "/vcenters", tag = "vcenters", request_body = NewVcenter,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key creates nothing again")),
    responses(
        (status = CREATED, description = "The connection", body = Vcenter),
        (status = CONFLICT, description = "The type ends in /certificate-untrusted: compare `thumbprint`, `subject` and `not_after`, then send the thumbprint along. The password was not sent to the server. Or the name or address is taken", body = super::problem::Problem, content_type = "application/problem+json"),
    ))]
pub async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Json(new): Json<NewVcenter>,
) -> Answer<Response> {
    let wish = VcenterWish {
        name: new.name,
        host: new.host,
        port: new.port.unwrap_or(443),
        username: new.username,
        password: Some(new.password),
        accepted: thumbprint(new.thumbprint.as_deref())?,
    };
    let cases = app.vcenters()?;
    let kept = cases.create(&who, wish).await?.kept()?;
    let view = Vcenter::of(&app, cases.view(kept.id).await?)?;
    Ok(created(format!("{BASE}/vcenters/{}", view.id), view))
}

/// One connection.
#[utoipa::path(get, path = "/vcenters/{id}", tag = "vcenters", params(("id" = String, Path, description = "The connection's id")),
    responses((status = OK, description = "The connection", body = Vcenter)))]
pub async fn one(State(app): State<App>, Path(id): Path<VcenterId>) -> Answer<Json<Vcenter>> {
    Ok(Json(Vcenter::of(&app, app.vcenters()?.view(id).await?)?))
}

/// Change a connection, once a login has worked; with `thumbprint` accept another certificate.
#[utoipa::path(patch, path = "/vcenters/{id}", tag = "vcenters", request_body = ChangedVcenter,
    params(("id" = String, Path, description = "The connection's id")),
    responses((status = OK, description = "The connection", body = Vcenter)))]
pub async fn change(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<VcenterId>,
    Json(change): Json<ChangedVcenter>,
) -> Answer<Json<Vcenter>> {
    let cases = app.vcenters()?;
    let old = cases.get(id).await?;
    let same_host = change.host.as_ref().is_none_or(|host| *host == old.address.host);
    let accepted = match (thumbprint(change.thumbprint.as_deref())?, old.trust) {
        (None, Trust::Pinned(pinned)) if same_host => Some(pinned),
        (given, _) => given,
    };
    let wish = VcenterWish {
        name: change.name.unwrap_or(old.name),
        host: change.host.unwrap_or(old.address.host),
        port: change.port.unwrap_or(old.address.port),
        username: change.username.unwrap_or(old.username),
        password: change.password,
        accepted,
    };
    cases.update(&who, id, wish).await?.kept()?;
    Ok(Json(Vcenter::of(&app, cases.view(id).await?)?))
}

/// Disconnect: the inventory and the password are forgotten. Refused while anything refers to it.
#[utoipa::path(delete, path = "/vcenters/{id}", tag = "vcenters", params(("id" = String, Path, description = "The connection's id")),
    responses((status = NO_CONTENT, description = "It is gone")))]
pub async fn delete(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<VcenterId>,
) -> Answer<StatusCode> {
    app.vcenters()?.delete(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a test found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Tested {
    /// The login worked; otherwise the answer is a problem.
    pub ok: bool,
    /// Name, version and build as the server says them.
    pub product: String,
    /// For example `8.0.2`.
    pub version: String,
    /// The version of its API.
    pub api_version: String,
}

/// Try certificate and login.
#[utoipa::path(post, path = "/vcenters/{id}/test", tag = "vcenters", params(("id" = String, Path, description = "The connection's id")),
    responses((status = OK, description = "The login worked", body = Tested)))]
pub async fn test(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<VcenterId>,
) -> Answer<Json<Tested>> {
    match app.vcenters()?.test(&who, id).await? {
        Contact::Answered(about) => Ok(Json(Tested {
            ok: true,
            product: about.full_name,
            version: about.version,
            api_version: about.api_version,
        })),
        Contact::CertificateUnknown(found) => Err(unproved(None, &found).into()),
        Contact::CertificateChanged { pinned, found } => Err(unproved(Some(pinned), &found).into()),
    }
}

/// Read the whole inventory.
#[utoipa::path(post, path = "/vcenters/{id}/sync", tag = "vcenters", params(("id" = String, Path, description = "The connection's id")),
    responses((status = ACCEPTED, description = "A job reads it", body = Accepted)))]
pub async fn sync(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<VcenterId>,
) -> Answer<Response> {
    Ok(accepted(app.vcenters()?.sync(&who, id).await?))
}
