//! The API: JSON per noun, over the same use cases as the pages; described by OpenAPI 3.1.
//!
//! A handler is registered together with its description (`utoipa_axum`), so neither is there without the other, and
//! `tests/http/` compares both with the table of access.

pub mod adoption;
pub mod audit;
pub mod checkpoints;
pub mod datastores;
pub mod deployments;
pub mod dr_shell_verbs;
pub mod dr_shells;
pub mod failovers;
pub mod group_keys;
pub mod group_preflights;
pub mod group_states;
pub mod idempotency;
pub mod inventory;
pub mod inventory_items;
pub mod jobs;
pub mod jobs_watch;
pub mod paging;
pub mod problem;
pub mod protected_vms;
pub mod protection_group_fields;
pub mod protection_groups;
pub mod protection_plans;
pub mod recovery_plan_fields;
pub mod recovery_plans;
pub mod recovery_runs;
pub mod recovery_states;
pub mod replicas;
pub mod replications;
pub mod sessions;
pub mod settings;
pub mod ssh_key_rotation;
pub mod ssh_keys;
pub mod target_facts;
pub mod targets;
pub mod templates;
pub mod tokens;
pub mod users;
pub mod vcenters;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router, middleware};
use utoipa::openapi::SecurityRequirement;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, AppError};
use crate::auth::table::{Need, need};

/// Where everything but the description itself lies.
pub const BASE: &str = "/api/replication";

/// An error on its way to becoming a problem document.
#[derive(Debug)]
pub struct Trouble(pub AppError);

impl From<AppError> for Trouble {
    fn from(error: AppError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        problem::pending(self.0)
    }
}

/// What handlers answer.
pub type Answer<T> = Result<T, Trouble>;

/// The routes, and what describes them.
pub fn router(app: App) -> (Router, OpenApi) {
    let (router, mut api) = routes().split_for_parts();
    complete(&mut api);
    let router = router
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::layer))
        .layer(Extension(Described::new(&api)))
        .with_state(app);
    (router, api)
}

/// The description alone, for `zerfaux openapi`.
pub fn document() -> OpenApi {
    let (_, mut api) = routes().split_for_parts();
    complete(&mut api);
    api
}

fn routes() -> OpenApiRouter<App> {
    let nouns = OpenApiRouter::new()
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::list_replications, replications::start))
        .routes(routes!(replications::preview))
        .routes(routes!(jobs::one))
        .routes(routes!(jobs::console))
        .routes(routes!(jobs_watch::events))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::retry))
        .routes(routes!(jobs::cleanup))
        .routes(routes!(jobs::acknowledge))
        .routes(routes!(ssh_keys::list, ssh_keys::create))
        .routes(routes!(ssh_keys::one, ssh_keys::delete))
        .routes(routes!(ssh_key_rotation::one, ssh_key_rotation::begin, ssh_key_rotation::cancel))
        .routes(routes!(ssh_key_rotation::install))
        .routes(routes!(ssh_key_rotation::switch))
        .routes(routes!(targets::list, targets::create))
        .routes(routes!(targets::one, targets::replace, targets::change, targets::delete))
        .routes(routes!(target_facts::test))
        .routes(routes!(target_facts::check))
        .routes(routes!(target_facts::health))
        .routes(routes!(target_facts::accept_host_key))
        .routes(routes!(target_facts::datasets))
        .routes(routes!(target_facts::snapshots))
        .routes(routes!(templates::list, templates::create))
        .routes(routes!(templates::script))
        .routes(routes!(templates::one, templates::change, templates::delete))
        .routes(routes!(datastores::list, datastores::create))
        .routes(routes!(datastores::mount_again))
        .routes(routes!(deployments::plan))
        .routes(routes!(deployments::deploy))
        .routes(routes!(protection_groups::list, protection_groups::create))
        .routes(routes!(protection_groups::one, protection_groups::change, protection_groups::delete))
        .routes(routes!(group_keys::one, group_keys::set, group_keys::forget))
        .routes(routes!(replicas::delete_with_replica))
        .routes(routes!(protection_groups::pause))
        .routes(routes!(protection_groups::resume))
        .routes(routes!(protection_groups::run_now))
        .routes(routes!(protection_groups::checkpoints))
        .routes(routes!(checkpoints::one))
        .routes(routes!(adoption::adopt))
        .routes(routes!(adoption::list))
        .routes(routes!(group_states::state))
        .routes(routes!(group_states::rpo_history))
        .routes(routes!(recovery_plans::one, recovery_plans::replace))
        .routes(routes!(recovery_plans::check))
        .routes(routes!(recovery_states::one))
        .routes(routes!(protection_groups::obstacles))
        .routes(routes!(group_preflights::last, group_preflights::check))
        .routes(routes!(group_preflights::see))
        .routes(routes!(protected_vms::list, protected_vms::assign))
        .routes(routes!(protected_vms::one, protected_vms::remove))
        .routes(routes!(protection_plans::plan))
        .routes(routes!(protection_plans::start))
        .routes(routes!(dr_shells::plan))
        .routes(routes!(dr_shells::create))
        .routes(routes!(dr_shell_verbs::list))
        .routes(routes!(dr_shell_verbs::one, dr_shell_verbs::remove))
        .routes(routes!(dr_shell_verbs::repair))
        .routes(routes!(recovery_runs::test_failover))
        .routes(routes!(failovers::failover))
        .routes(routes!(failovers::rollback))
        .routes(routes!(recovery_runs::list))
        .routes(routes!(recovery_runs::one))
        .routes(routes!(recovery_runs::judge))
        .routes(routes!(recovery_runs::clean_up))
        .routes(routes!(recovery_runs::retry_vm))
        .routes(routes!(recovery_runs::confirm))
        .routes(routes!(vcenters::list, vcenters::create))
        .routes(routes!(vcenters::one, vcenters::change, vcenters::delete))
        .routes(routes!(vcenters::test))
        .routes(routes!(vcenters::sync))
        .routes(routes!(inventory::vms))
        .routes(routes!(inventory::vm))
        .routes(routes!(inventory::templates))
        .routes(routes!(inventory::datastores))
        .routes(routes!(inventory::networks))
        .routes(routes!(inventory::hosts))
        .routes(routes!(inventory::clusters))
        .routes(routes!(inventory::folders))
        .routes(routes!(inventory::resource_pools))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::one, users::change))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(sessions::whoami))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(settings::show, settings::change))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify));
    OpenApiRouter::new().nest(BASE, nouns).routes(routes!(description))
}

/// Methods and paths of the API, as its description lists them.
pub fn listed(api: &OpenApi) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (path, item) in &api.paths.paths {
        for (method, operation) in [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ] {
            if operation.is_some() {
                all.push((method.to_owned(), path.clone()));
            }
        }
    }
    all
}

/// The description as it is answered. Written once and shared: each route has its own copy of what is laid around it.
#[derive(Clone)]
struct Described(Bytes);

impl Described {
    fn new(api: &OpenApi) -> Self {
        // A description is texts and lists, which can always be written.
        Self(serde_json::to_vec(api).unwrap_or_default().into())
    }
}

/// This description (OpenAPI 3.1).
#[utoipa::path(get, path = "/api/openapi.json", tag = "about",
    responses((status = OK, description = "The description of this API", body = serde_json::Value)))]
async fn description(Extension(Described(api)): Extension<Described>) -> Response {
    ([(CONTENT_TYPE, "application/json")], api).into_response()
}

/// Adds what is true of every operation: how one proves who one is, which role is needed, what errors look like.
fn complete(api: &mut OpenApi) {
    api.info = InfoBuilder::new()
        .title("Zerfaux")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let components = api.components.get_or_insert_with(Default::default);
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", bearer);
    let problem = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    let error = ResponseBuilder::new()
        .description("What went wrong (RFC 9457)")
        .content("application/problem+json", problem)
        .build();
    let (name, schema) = (<problem::Problem as utoipa::ToSchema>::name(), problem::schema());
    components.schemas.insert(name.into_owned(), schema);
    for (field, schema) in problem::schemas() {
        components.schemas.insert(field, schema);
    }
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in [
            ("GET", &mut item.get),
            ("POST", &mut item.post),
            ("PATCH", &mut item.patch),
            ("PUT", &mut item.put),
            ("DELETE", &mut item.delete),
        ] {
            let Some(operation) = operation else { continue };
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && parameter.name == "id"
                {
                    parameter.schema = Some(uuid_schema());
                }
            }
            operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(error.clone()));
            if let Some(Need::Role(role) | Need::Confirmed(role)) = need(method, path) {
                operation.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
                let role = format!("Needs the role {role}.");
                let text = operation.description.take().map(|text| format!("{text}\n\n{role}"));
                operation.description = Some(text.unwrap_or(role));
            }
        }
    }
}

/// Every id in an address is one.
fn uuid_schema() -> RefOr<Schema> {
    let text = SchemaType::new(Type::String);
    ObjectBuilder::new()
        .schema_type(text)
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .build()
        .into()
}

const ABOUT: &str = "\
Times are RFC 3339 in UTC, sizes are bytes, ids are UUIDs. Lists answer `items`, `total` and `next`; ask with \
`cursor` for the next part. Long operations answer 202 with the job's id and its address in `Location`. \
A POST that creates something may carry an `Idempotency-Key`: repeating it within a day answers as the first time and \
creates nothing again. Errors are problem documents (RFC 9457).";

/// Where something that was just created lies.
fn created<T: serde::Serialize>(location: String, body: T) -> Response {
    (StatusCode::CREATED, [("location", location)], Json(body)).into_response()
}
