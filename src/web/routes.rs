//! The pages and their addresses, written down as they are added, so that a test can compare them with the table of
//! access.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, get, post};
use utoipa::openapi::OpenApi;

use super::pages::{
    about, access, account, adoption, appliance_datasets, appliance_form, appliances, assignable_vms, audit,
    checkpoints, dashboard, datastores, deployment_form, deployments, docs, dr_shell_verbs, dr_shells,
    failovers, group_edit, group_key, group_page, group_preflights, group_vms, group_wizard, inventory,
    inventory_objects, job, job_list, job_result, protected_vms, protection_groups, protection_plans,
    recovery_plan_forms, recovery_plans, recovery_run_lists, recovery_runs, replicas, replicate, rollbacks,
    settings, setup, ssh_key_rotation, ssh_keys, template_forms, templates, test_failovers, theme, tokens,
    users, vcenter_forms, vcenters, vm,
};
use super::{Site, assets};

/// A router and the list of what was put into it.
struct Listed {
    router: Router<Site>,
    listed: Vec<(String, String)>,
}

impl Listed {
    fn get<H: Handler<T, Site>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add("GET", path, get(handler))
    }

    fn post<H: Handler<T, Site>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add("POST", path, post(handler))
    }

    fn add(mut self, method: &str, path: &str, route: MethodRouter<Site>) -> Self {
        self.router = self.router.route(path, route);
        self.listed.push((method.to_owned(), path.to_owned()));
        self
    }
}

/// All pages, and their methods and addresses.
pub fn router(site: Site, api: &OpenApi) -> (Router, Vec<(String, String)>) {
    let docs = docs::Description::new(api);
    let all = Listed { router: Router::new(), listed: Vec::new() }
        .get("/static/{*path}", assets::get)
        .get("/", access::root)
        .get("/sign-in", access::sign_in_page)
        .post("/sign-in", access::sign_in)
        .post("/sign-out", access::sign_out)
        .get("/step-up", access::step_up_page)
        .post("/step-up", access::step_up)
        .get("/setup", setup::page)
        .post("/setup", setup::set_up)
        .post("/theme", theme::choose)
        .get("/replication", dashboard::page)
        .get("/replication/events", dashboard::events)
        .get("/protection-groups", protection_groups::page)
        .get("/protection-groups/new", group_wizard::new)
        .post("/protection-groups/new", group_wizard::choose_source)
        .get("/protection-groups/drafts/{id}/dr", group_wizard::dr)
        .post("/protection-groups/drafts/{id}/dr", group_wizard::choose_dr)
        .get("/protection-groups/drafts/{id}/policy", group_wizard::policy)
        .post("/protection-groups/drafts/{id}/policy", group_wizard::save_policy)
        .get("/protection-groups/drafts/{id}/review", group_wizard::review)
        .post("/protection-groups/drafts/{id}/create", group_wizard::create)
        .get("/protection-groups/adopt", adoption::page)
        .post("/protection-groups/adopt", adoption::adopt)
        .get("/protection-groups/{id}", group_page::overview)
        .get("/protection-groups/{id}/obstacles", group_page::obstacles)
        .post("/protection-groups/{id}/preflight", group_preflights::check)
        .post("/protection-groups/{id}/preflight/seen", group_preflights::see)
        .get("/protection-groups/{id}/edit", group_edit::edit)
        .post("/protection-groups/{id}/edit", group_edit::change)
        .get("/protection-groups/{id}/delete", group_edit::ask)
        .post("/protection-groups/{id}/delete", group_edit::delete)
        .get("/protection-groups/{id}/delete-with-replica", replicas::ask)
        .post("/protection-groups/{id}/delete-with-replica", replicas::delete)
        .get("/protection-groups/{id}/vms", group_vms::page)
        .get("/protection-groups/{id}/vms/new", assignable_vms::page)
        .post("/protection-groups/{id}/vms", assignable_vms::assign)
        .get("/protection-groups/{id}/move", protection_plans::several)
        .post("/protection-groups/{id}/move", protection_plans::start_several)
        .get("/protected-vms/{id}", protected_vms::one)
        .get("/protected-vms/{id}/remove", protected_vms::ask)
        .post("/protected-vms/{id}/remove", protected_vms::remove)
        .get("/protected-vms/{id}/move", protection_plans::one)
        .post("/protected-vms/{id}/move", protection_plans::start)
        .get("/protected-vms/{id}/dr-shell", dr_shells::plan)
        .get("/protected-vms/{id}/dr-shell/review", dr_shells::review)
        .post("/protected-vms/{id}/dr-shell", dr_shells::create)
        .get("/protection-groups/{id}/tests", recovery_run_lists::of_group)
        .get("/protection-groups/{id}/failover", failovers::plan)
        .post("/protection-groups/{id}/failover", failovers::start)
        .get("/protection-groups/{id}/rollback", rollbacks::ask)
        .post("/protection-groups/{id}/rollback", rollbacks::begin)
        .get("/recovery-runs", recovery_run_lists::all)
        .get("/protection-groups/{id}/test", test_failovers::plan)
        .post("/protection-groups/{id}/test", test_failovers::start)
        .get("/recovery-runs/{id}", recovery_runs::page)
        .get("/recovery-runs/{id}/report.html", recovery_runs::report)
        .post("/recovery-runs/{id}/verdict", recovery_runs::judge)
        .post("/recovery-runs/{id}/cleanup", recovery_runs::clean_up)
        .post("/recovery-runs/{id}/retry", recovery_runs::retry)
        .post("/recovery-runs/{id}/confirm", recovery_runs::confirm)
        .get("/dr-shells/{id}/remove", dr_shell_verbs::ask)
        .post("/dr-shells/{id}/remove", dr_shell_verbs::remove)
        .get("/dr-shells/{id}/repair", dr_shell_verbs::plan)
        .post("/dr-shells/{id}/repair", dr_shell_verbs::repair)
        .get("/protection-groups/{id}/checkpoints", group_page::checkpoints)
        .get("/protection-groups/{id}/checkpoints/{guid}", checkpoints::one)
        .get("/protection-groups/{id}/recovery-plan", recovery_plans::page)
        .post("/protection-groups/{id}/recovery-plan", recovery_plans::change)
        .get("/protection-groups/{id}/recovery-plan/check", recovery_plans::check)
        .get("/protection-groups/{id}/recovery-plan/networks", recovery_plan_forms::networks)
        .post("/protection-groups/{id}/recovery-plan/networks", recovery_plan_forms::map_networks)
        .get("/protection-groups/{id}/recovery-plan/vms/{vm}", recovery_plan_forms::machine)
        .post("/protection-groups/{id}/recovery-plan/vms/{vm}", recovery_plan_forms::change_machine)
        .get("/protection-groups/{id}/history", group_page::history)
        .get("/protection-groups/{id}/settings", group_page::settings)
        .get("/protection-groups/{id}/key", group_key::form)
        .post("/protection-groups/{id}/key", group_key::set)
        .get("/protection-groups/{id}/key/forget", group_key::ask_to_forget)
        .post("/protection-groups/{id}/key/forget", group_key::forget)
        .post("/protection-groups/{id}/pause", protection_groups::pause)
        .post("/protection-groups/{id}/resume", protection_groups::resume)
        .post("/protection-groups/{id}/run-now", protection_groups::run_now)
        .get("/jobs", job_list::page)
        .get("/jobs/events", dashboard::events)
        .get("/jobs/replicate/new", replicate::new)
        .post("/jobs/replicate/review", replicate::review)
        .post("/jobs/replicate", replicate::start)
        .get("/jobs/{id}", job::page)
        .get("/jobs/{id}/console.txt", job::console)
        .post("/jobs/{id}/cancel", job::cancel)
        .post("/jobs/{id}/retry", job::retry)
        .post("/jobs/{id}/cleanup", job::cleanup)
        .post("/jobs/{id}/acknowledge", job::acknowledge)
        .post("/jobs/{id}/mount-again", job_result::mount_again)
        .get("/audit", audit::page)
        .post("/audit/verify", audit::verify)
        .get("/audit/export", audit::export)
        .get("/account", account::page)
        .post("/account/password", account::password)
        .post("/account/sessions/{id}/end", account::end_session)
        .get("/users", users::page)
        .post("/users", users::create)
        .get("/users/new", users::new)
        .get("/users/{id}", users::one)
        .post("/users/{id}", users::change)
        .get("/users/tokens/new", tokens::new)
        .post("/users/tokens", tokens::create)
        .post("/users/tokens/{name}/revoke", tokens::revoke)
        .get("/appliances", appliances::page)
        .post("/appliances", appliance_form::create)
        .get("/appliances/new", appliance_form::new)
        .get("/appliances/{id}", appliances::one)
        .post("/appliances/{id}/test", appliances::test)
        .get("/appliances/{id}/edit", appliance_form::edit)
        .post("/appliances/{id}/edit", appliance_form::change)
        .get("/appliances/{id}/host-key", appliances::host_key)
        .post("/appliances/{id}/host-key", appliances::accept_host_key)
        .get("/appliances/{id}/delete", appliances::ask)
        .post("/appliances/{id}/delete", appliances::delete)
        .get("/appliances/{id}/datasets", appliance_datasets::page)
        .get("/appliances/{id}/datasets/{*path}", appliance_datasets::one)
        .get("/appliances/{id}/datastores/new", datastores::new)
        .post("/appliances/{id}/datastores", datastores::create)
        .get("/deployments/new", deployments::new)
        .post("/deployments", deployments::begin)
        .get("/deployments/{id}/configure", deployment_form::page)
        .post("/deployments/{id}/configure", deployment_form::save)
        .get("/deployments/{id}/review", deployments::review)
        .post("/deployments/{id}/start", deployments::start)
        .get("/zfs-templates", templates::page)
        .post("/zfs-templates", template_forms::create)
        .get("/zfs-templates/new", template_forms::new)
        .get("/zfs-templates/preparation", templates::preparation)
        .get("/zfs-templates/preparation-script", templates::script)
        .get("/zfs-templates/{id}", templates::one)
        .post("/zfs-templates/{id}", template_forms::change)
        .get("/zfs-templates/{id}/edit", template_forms::edit)
        .get("/zfs-templates/{id}/delete", templates::ask)
        .post("/zfs-templates/{id}/delete", templates::delete)
        .get("/ssh-keys", ssh_keys::page)
        .post("/ssh-keys", ssh_keys::create)
        .get("/ssh-keys/new", ssh_keys::new)
        .get("/ssh-keys/{id}", ssh_keys::one)
        .get("/ssh-keys/{id}/delete", ssh_keys::ask)
        .post("/ssh-keys/{id}/delete", ssh_keys::delete)
        .get("/vcenters", vcenters::page)
        .post("/vcenters", vcenter_forms::create)
        .get("/vcenters/new", vcenter_forms::new)
        .get("/vcenters/drafts/{id}", vcenter_forms::draft)
        .post("/vcenters/drafts/{id}", vcenter_forms::accept)
        .get("/vcenters/{id}", vcenters::one)
        .post("/vcenters/{id}", vcenter_forms::change)
        .get("/vcenters/{id}/edit", vcenter_forms::edit)
        .get("/vcenters/{id}/certificate", vcenters::certificate)
        .post("/vcenters/{id}/certificate", vcenters::accept_certificate)
        .post("/vcenters/{id}/test", vcenters::test)
        .post("/vcenters/{id}/sync", vcenters::sync)
        .get("/vcenters/{id}/delete", vcenters::ask)
        .post("/vcenters/{id}/delete", vcenters::delete)
        .get("/inventory", inventory::page)
        .get("/inventory/events", inventory::events)
        .get("/inventory/hosts", inventory_objects::hosts)
        .get("/inventory/datastores", inventory_objects::datastores)
        .get("/inventory/networks", inventory_objects::networks)
        .get("/inventory/{vcenter}/vms/{moref}", vm::page)
        .post("/ssh-keys/{id}/rotation", ssh_key_rotation::begin)
        .post("/ssh-keys/{id}/rotation/install", ssh_key_rotation::install)
        .post("/ssh-keys/{id}/rotation/switch", ssh_key_rotation::switch)
        .post("/ssh-keys/{id}/rotation/cancel", ssh_key_rotation::cancel)
        .get("/settings", settings::page)
        .post("/settings/sessions", settings::sessions)
        .post("/settings/history", settings::history)
        .post("/settings/runs", settings::runs)
        .post("/settings/recovery-key", settings::recovery_key)
        .get("/about", about::page)
        .get("/api/docs", docs::page);
    (all.router.layer(axum::Extension(docs)).with_state(site), all.listed)
}
