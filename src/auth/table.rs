//! The one table of what may be asked for, and by whom. Pages and API are checked against it by the same layer, before
//! any handler runs; what is not in it is refused. `tests/http/` compares it with the router, line by line.

use crate::domain::access::Role;

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Everybody who reaches the port. Such a route shows nothing about the sites and their machines.
    Nobody,
    /// Those with this role or a stronger one.
    Role(Role),
    /// The same, and in a browser the password has to have been typed within the last minutes.
    Confirmed(Role),
}

/// One line: a method, a path as the router writes it, who may.
pub type Rule = (&'static str, &'static str, Need);

const OPEN: Need = Need::Nobody;
const READ: Need = Need::Role(Role::Viewer);
const WORK: Need = Need::Role(Role::Operator);
const MANAGE: Need = Need::Role(Role::Admin);
const DANGER: Need = Need::Confirmed(Role::Admin);

/// All of them.
pub const RULES: &[Rule] = &[
    // For load balancers and monitoring. Numbers only: no name of anything.
    ("GET", "/healthz", OPEN),
    ("GET", "/readyz", OPEN),
    ("GET", "/metrics", OPEN),
    ("GET", "/static/{*path}", OPEN),
    // Coming in and going out.
    ("GET", "/", OPEN),
    ("GET", "/sign-in", OPEN),
    ("POST", "/sign-in", OPEN),
    ("GET", "/setup", OPEN),
    ("POST", "/setup", OPEN),
    ("POST", "/sign-out", READ),
    ("GET", "/step-up", READ),
    ("POST", "/step-up", READ),
    ("POST", "/theme", READ),
    // What one sees.
    ("GET", "/replication", READ),
    ("GET", "/replication/events", READ),
    ("GET", "/jobs", READ),
    ("GET", "/jobs/events", READ),
    ("GET", "/jobs/{id}", READ),
    ("GET", "/jobs/{id}/console.txt", READ),
    ("GET", "/audit", READ),
    ("POST", "/audit/verify", READ),
    ("GET", "/audit/export", READ),
    ("GET", "/about", READ),
    ("GET", "/ssh-keys", READ),
    ("GET", "/protection-groups", READ),
    ("GET", "/protection-groups/{id}", READ),
    ("GET", "/protection-groups/{id}/vms", READ),
    ("GET", "/protected-vms/{id}", READ),
    ("GET", "/protected-vms/{id}/move", READ),
    ("GET", "/protection-groups/{id}/checkpoints", READ),
    ("GET", "/protection-groups/{id}/checkpoints/{guid}", READ),
    ("GET", "/protection-groups/{id}/recovery-plan", READ),
    ("GET", "/protection-groups/{id}/recovery-plan/check", READ),
    ("GET", "/protection-groups/{id}/tests", READ),
    ("GET", "/protection-groups/{id}/test", WORK),
    ("POST", "/protection-groups/{id}/test", WORK),
    ("GET", "/recovery-runs/{id}", READ),
    ("GET", "/recovery-runs/{id}/report.html", READ),
    ("POST", "/recovery-runs/{id}/verdict", WORK),
    ("POST", "/recovery-runs/{id}/cleanup", WORK),
    ("POST", "/recovery-runs/{id}/retry", WORK),
    ("GET", "/protection-groups/{id}/history", READ),
    ("GET", "/protection-groups/{id}/obstacles", READ),
    ("GET", "/protection-groups/{id}/settings", READ),
    ("GET", "/appliances", READ),
    ("GET", "/appliances/{id}", READ),
    ("GET", "/appliances/{id}/datasets", READ),
    ("GET", "/appliances/{id}/datasets/{*path}", READ),
    ("GET", "/vcenters", READ),
    ("GET", "/vcenters/{id}", READ),
    ("GET", "/inventory", READ),
    ("GET", "/inventory/events", READ),
    ("GET", "/inventory/hosts", READ),
    ("GET", "/inventory/datastores", READ),
    ("GET", "/inventory/networks", READ),
    ("GET", "/inventory/{vcenter}/vms/{moref}", READ),
    // What one does.
    ("GET", "/protection-groups/adopt", WORK),
    ("POST", "/protection-groups/adopt", WORK),
    ("GET", "/protection-groups/new", WORK),
    ("POST", "/protection-groups/new", WORK),
    ("GET", "/protection-groups/drafts/{id}/dr", WORK),
    ("POST", "/protection-groups/drafts/{id}/dr", WORK),
    ("GET", "/protection-groups/drafts/{id}/policy", WORK),
    ("POST", "/protection-groups/drafts/{id}/policy", WORK),
    ("GET", "/protection-groups/drafts/{id}/review", WORK),
    ("POST", "/protection-groups/drafts/{id}/create", WORK),
    ("POST", "/protection-groups/{id}/preflight", WORK),
    ("POST", "/protection-groups/{id}/preflight/seen", WORK),
    ("GET", "/protection-groups/{id}/edit", WORK),
    ("POST", "/protection-groups/{id}/edit", WORK),
    ("GET", "/protection-groups/{id}/delete", WORK),
    ("POST", "/protection-groups/{id}/delete", WORK),
    ("GET", "/protection-groups/{id}/key", WORK),
    ("POST", "/protection-groups/{id}/key", WORK),
    ("GET", "/protection-groups/{id}/key/forget", WORK),
    ("POST", "/protection-groups/{id}/key/forget", WORK),
    // Destroys every checkpoint there is: not for whoever may work.
    ("GET", "/protection-groups/{id}/delete-with-replica", MANAGE),
    ("POST", "/protection-groups/{id}/delete-with-replica", DANGER),
    ("POST", "/protection-groups/{id}/pause", WORK),
    ("POST", "/protection-groups/{id}/resume", WORK),
    ("POST", "/protection-groups/{id}/run-now", WORK),
    ("POST", "/protection-groups/{id}/recovery-plan", WORK),
    ("GET", "/protection-groups/{id}/recovery-plan/networks", WORK),
    ("POST", "/protection-groups/{id}/recovery-plan/networks", WORK),
    ("GET", "/protection-groups/{id}/recovery-plan/vms/{vm}", WORK),
    ("POST", "/protection-groups/{id}/recovery-plan/vms/{vm}", WORK),
    ("GET", "/protection-groups/{id}/vms/new", WORK),
    ("POST", "/protection-groups/{id}/vms", WORK),
    ("GET", "/protection-groups/{id}/move", WORK),
    ("POST", "/protection-groups/{id}/move", WORK),
    ("GET", "/protected-vms/{id}/remove", WORK),
    ("POST", "/protected-vms/{id}/remove", WORK),
    ("POST", "/protected-vms/{id}/move", WORK),
    ("GET", "/protected-vms/{id}/dr-shell", WORK),
    ("GET", "/protected-vms/{id}/dr-shell/review", WORK),
    ("POST", "/protected-vms/{id}/dr-shell", WORK),
    ("GET", "/dr-shells/{id}/remove", WORK),
    ("POST", "/dr-shells/{id}/remove", WORK),
    ("GET", "/dr-shells/{id}/repair", WORK),
    ("POST", "/dr-shells/{id}/repair", WORK),
    ("POST", "/appliances/{id}/test", WORK),
    ("GET", "/jobs/replicate/new", WORK),
    ("POST", "/jobs/replicate/review", WORK),
    ("POST", "/jobs/replicate", WORK),
    ("POST", "/vcenters/{id}/test", WORK),
    ("POST", "/vcenters/{id}/sync", WORK),
    ("POST", "/jobs/{id}/cancel", WORK),
    ("POST", "/jobs/{id}/retry", WORK),
    ("POST", "/jobs/{id}/cleanup", WORK),
    ("POST", "/jobs/{id}/acknowledge", WORK),
    ("POST", "/jobs/{id}/mount-again", WORK),
    ("GET", "/appliances/{id}/datastores/new", WORK),
    ("POST", "/appliances/{id}/datastores", WORK),
    // One's own account.
    ("GET", "/account", READ),
    ("POST", "/account/password", READ),
    ("POST", "/account/sessions/{id}/end", READ),
    // Who else may come in.
    ("GET", "/users", MANAGE),
    ("POST", "/users", DANGER),
    ("GET", "/users/new", MANAGE),
    ("GET", "/users/{id}", MANAGE),
    ("POST", "/users/{id}", DANGER),
    ("GET", "/users/tokens/new", MANAGE),
    ("POST", "/users/tokens", DANGER),
    ("POST", "/users/tokens/{name}/revoke", DANGER),
    // Appliances.
    ("POST", "/appliances", MANAGE),
    ("GET", "/appliances/new", MANAGE),
    ("GET", "/appliances/{id}/edit", MANAGE),
    ("POST", "/appliances/{id}/edit", MANAGE),
    ("GET", "/appliances/{id}/host-key", MANAGE),
    ("POST", "/appliances/{id}/host-key", DANGER),
    ("GET", "/appliances/{id}/delete", MANAGE),
    ("POST", "/appliances/{id}/delete", DANGER),
    // Credentials and settings.
    ("POST", "/ssh-keys", MANAGE),
    ("GET", "/ssh-keys/new", MANAGE),
    ("GET", "/ssh-keys/{id}", READ),
    ("GET", "/ssh-keys/{id}/delete", MANAGE),
    ("POST", "/ssh-keys/{id}/delete", DANGER),
    ("POST", "/vcenters", MANAGE),
    ("GET", "/vcenters/new", MANAGE),
    ("GET", "/vcenters/drafts/{id}", MANAGE),
    ("POST", "/vcenters/drafts/{id}", MANAGE),
    ("POST", "/vcenters/{id}", MANAGE),
    ("GET", "/vcenters/{id}/edit", MANAGE),
    ("GET", "/vcenters/{id}/certificate", MANAGE),
    ("POST", "/vcenters/{id}/certificate", DANGER),
    ("GET", "/vcenters/{id}/delete", MANAGE),
    ("POST", "/vcenters/{id}/delete", DANGER),
    ("GET", "/deployments/new", WORK),
    ("POST", "/deployments", WORK),
    ("GET", "/deployments/{id}/configure", WORK),
    ("POST", "/deployments/{id}/configure", WORK),
    ("GET", "/deployments/{id}/review", WORK),
    ("POST", "/deployments/{id}/start", WORK),
    ("GET", "/zfs-templates", READ),
    ("POST", "/zfs-templates", MANAGE),
    ("GET", "/zfs-templates/new", MANAGE),
    ("GET", "/zfs-templates/preparation", READ),
    ("GET", "/zfs-templates/preparation-script", READ),
    ("GET", "/zfs-templates/{id}", READ),
    ("POST", "/zfs-templates/{id}", MANAGE),
    ("GET", "/zfs-templates/{id}/edit", MANAGE),
    ("GET", "/zfs-templates/{id}/delete", MANAGE),
    ("POST", "/zfs-templates/{id}/delete", MANAGE),
    ("POST", "/ssh-keys/{id}/rotation", MANAGE),
    ("POST", "/ssh-keys/{id}/rotation/install", DANGER),
    ("POST", "/ssh-keys/{id}/rotation/switch", DANGER),
    ("POST", "/ssh-keys/{id}/rotation/cancel", MANAGE),
    ("GET", "/settings", MANAGE),
    ("POST", "/settings/sessions", DANGER),
    ("POST", "/settings/history", DANGER),
    ("POST", "/settings/runs", DANGER),
    ("POST", "/settings/recovery-key", DANGER),
    ("GET", "/api/replication/settings", MANAGE),
    ("PATCH", "/api/replication/settings", DANGER),
    // The API. Its description names no machine, so everybody may read it.
    ("GET", "/api/openapi.json", OPEN),
    ("GET", "/api/docs", OPEN),
    ("GET", "/api/replication/session", READ),
    ("GET", "/api/replication/jobs", READ),
    ("GET", "/api/replication/replication-jobs", READ),
    ("POST", "/api/replication/replication-jobs", WORK),
    ("POST", "/api/replication/replication-jobs/preview", WORK),
    ("GET", "/api/replication/targets", READ),
    ("POST", "/api/replication/targets", MANAGE),
    ("GET", "/api/replication/targets/{id}", READ),
    ("PUT", "/api/replication/targets/{id}", MANAGE),
    ("PATCH", "/api/replication/targets/{id}", MANAGE),
    ("DELETE", "/api/replication/targets/{id}", DANGER),
    ("POST", "/api/replication/targets/{id}/test", WORK),
    ("POST", "/api/replication/targets/{id}/health-check", WORK),
    ("GET", "/api/replication/targets/{id}/health", READ),
    ("POST", "/api/replication/targets/{id}/host-key", DANGER),
    ("GET", "/api/replication/targets/{id}/datasets", READ),
    ("GET", "/api/replication/targets/{id}/snapshots", READ),
    ("GET", "/api/replication/jobs/{id}", READ),
    ("GET", "/api/replication/jobs/{id}/console", READ),
    ("GET", "/api/replication/jobs/{id}/events", READ),
    ("POST", "/api/replication/jobs/{id}/cancel", WORK),
    ("POST", "/api/replication/jobs/{id}/retry", WORK),
    ("POST", "/api/replication/jobs/{id}/cleanup", WORK),
    ("POST", "/api/replication/jobs/{id}/acknowledge", WORK),
    ("GET", "/api/replication/ssh-keys", READ),
    ("POST", "/api/replication/ssh-keys", MANAGE),
    ("GET", "/api/replication/ssh-keys/{id}", READ),
    ("DELETE", "/api/replication/ssh-keys/{id}", DANGER),
    ("GET", "/api/replication/zfs-templates", READ),
    ("POST", "/api/replication/zfs-templates", MANAGE),
    ("GET", "/api/replication/zfs-templates/preparation-script", READ),
    ("GET", "/api/replication/zfs-templates/{id}", READ),
    ("PATCH", "/api/replication/zfs-templates/{id}", MANAGE),
    ("DELETE", "/api/replication/zfs-templates/{id}", MANAGE),
    ("GET", "/api/replication/targets/{id}/datastores", READ),
    ("POST", "/api/replication/targets/{id}/datastores", WORK),
    ("POST", "/api/replication/jobs/{id}/mount-again", WORK),
    ("POST", "/api/replication/zfs-templates/{id}/deploy-plan", WORK),
    ("POST", "/api/replication/zfs-templates/{id}/deploy", WORK),
    ("GET", "/api/replication/protection-groups", READ),
    ("POST", "/api/replication/protection-groups", WORK),
    ("GET", "/api/replication/protection-groups/{id}", READ),
    ("PATCH", "/api/replication/protection-groups/{id}", WORK),
    ("DELETE", "/api/replication/protection-groups/{id}", WORK),
    ("GET", "/api/replication/protection-groups/{id}/key", READ),
    ("PUT", "/api/replication/protection-groups/{id}/key", WORK),
    ("DELETE", "/api/replication/protection-groups/{id}/key", WORK),
    ("POST", "/api/replication/protection-groups/{id}/delete-with-replica", DANGER),
    ("POST", "/api/replication/protection-groups/{id}/pause", WORK),
    ("POST", "/api/replication/protection-groups/{id}/resume", WORK),
    ("POST", "/api/replication/protection-groups/{id}/run-now", WORK),
    ("GET", "/api/replication/protection-groups/{id}/checkpoints", READ),
    ("GET", "/api/replication/protection-groups/{id}/checkpoints/{guid}", READ),
    ("POST", "/api/replication/protection-groups/adopt", WORK),
    ("GET", "/api/replication/targets/{id}/adoptable-groups", READ),
    ("GET", "/api/replication/protection-groups/{id}/obstacles", READ),
    ("GET", "/api/replication/protection-groups/{id}/preflight", READ),
    ("POST", "/api/replication/protection-groups/{id}/preflight", WORK),
    ("POST", "/api/replication/protection-groups/{id}/preflight/seen", WORK),
    ("GET", "/api/replication/protection-groups/{id}/rpo-history", READ),
    ("GET", "/api/replication/protection-groups/{id}/state", READ),
    ("POST", "/api/replication/protection-groups/{id}/test-failover", WORK),
    ("GET", "/api/replication/recovery-runs", READ),
    ("GET", "/api/replication/recovery-runs/{id}", READ),
    ("POST", "/api/replication/recovery-runs/{id}/verdict", WORK),
    ("POST", "/api/replication/recovery-runs/{id}/cleanup", WORK),
    ("POST", "/api/replication/recovery-runs/{id}/vms/{source_uuid}/retry", WORK),
    ("GET", "/api/replication/protection-groups/{id}/recovery-plan", READ),
    ("PUT", "/api/replication/protection-groups/{id}/recovery-plan", WORK),
    ("GET", "/api/replication/protection-groups/{id}/recovery-plan/check", READ),
    ("GET", "/api/replication/protection-groups/{id}/recovery-state", READ),
    ("GET", "/api/replication/protection-groups/{id}/protected-vms", READ),
    ("POST", "/api/replication/protection-groups/{id}/protected-vms", WORK),
    ("GET", "/api/replication/protected-vms/{id}", READ),
    ("DELETE", "/api/replication/protected-vms/{id}", WORK),
    ("GET", "/api/replication/protected-vms/{id}/protection-plan", READ),
    ("POST", "/api/replication/protected-vms/{id}/move-to-protection-datastore", WORK),
    ("GET", "/api/replication/protected-vms/{id}/dr-shell-plan", READ),
    ("POST", "/api/replication/protected-vms/{id}/create-dr-shell", WORK),
    ("GET", "/api/replication/protection-groups/{id}/dr-shells", READ),
    ("GET", "/api/replication/dr-shells/{id}", READ),
    ("DELETE", "/api/replication/dr-shells/{id}", WORK),
    ("POST", "/api/replication/dr-shells/{id}/repair", WORK),
    ("GET", "/api/replication/vcenters", READ),
    ("POST", "/api/replication/vcenters", MANAGE),
    ("GET", "/api/replication/vcenters/{id}", READ),
    ("PATCH", "/api/replication/vcenters/{id}", MANAGE),
    ("DELETE", "/api/replication/vcenters/{id}", DANGER),
    ("POST", "/api/replication/vcenters/{id}/test", WORK),
    ("POST", "/api/replication/vcenters/{id}/sync", WORK),
    ("GET", "/api/replication/vcenters/{id}/vms", READ),
    ("GET", "/api/replication/vcenters/{id}/vms/{moref}", READ),
    ("GET", "/api/replication/vcenters/{id}/templates", READ),
    ("GET", "/api/replication/vcenters/{id}/datastores", READ),
    ("GET", "/api/replication/vcenters/{id}/networks", READ),
    ("GET", "/api/replication/vcenters/{id}/hosts", READ),
    ("GET", "/api/replication/vcenters/{id}/clusters", READ),
    ("GET", "/api/replication/vcenters/{id}/folders", READ),
    ("GET", "/api/replication/vcenters/{id}/resource-pools", READ),
    ("GET", "/api/replication/ssh-keys/{id}/rotation", READ),
    ("POST", "/api/replication/ssh-keys/{id}/rotation", MANAGE),
    ("DELETE", "/api/replication/ssh-keys/{id}/rotation", MANAGE),
    ("POST", "/api/replication/ssh-keys/{id}/rotation/install", DANGER),
    ("POST", "/api/replication/ssh-keys/{id}/rotation/switch", DANGER),
    ("GET", "/api/replication/users", MANAGE),
    ("POST", "/api/replication/users", DANGER),
    ("GET", "/api/replication/users/{id}", MANAGE),
    ("PATCH", "/api/replication/users/{id}", DANGER),
    ("GET", "/api/replication/tokens", MANAGE),
    ("POST", "/api/replication/tokens", DANGER),
    ("DELETE", "/api/replication/tokens/{name}", DANGER),
    ("GET", "/api/replication/sessions", READ),
    ("DELETE", "/api/replication/sessions/{id}", READ),
    ("GET", "/api/replication/audit", READ),
    ("GET", "/api/replication/audit/verify", READ),
];

/// Who may ask for this. HEAD is a GET without its body. None if the table has no such line.
pub fn need(method: &str, path: &str) -> Option<Need> {
    let method = if method == "HEAD" { "GET" } else { method };
    RULES.iter().find(|(m, p, _)| *m == method && *p == path).map(|(.., need)| *need)
}

/// The methods that the table has for an address.
pub fn methods(path: &str) -> Vec<&'static str> {
    RULES.iter().filter(|(_, known, _)| *known == path).map(|(method, ..)| *method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_stands_twice() {
        for (at, (method, path, _)) in RULES.iter().enumerate() {
            assert!(!RULES[..at].iter().any(|(m, p, _)| m == method && p == path), "{method} {path}");
        }
    }

    #[test]
    fn whatever_changes_something_wants_somebody_unless_it_is_the_way_in() {
        let open: Vec<_> = RULES
            .iter()
            .filter(|(m, _, need)| *m != "GET" && *need == Need::Nobody)
            .map(|(_, p, _)| *p)
            .collect();
        assert_eq!(open, ["/sign-in", "/setup"]);
    }

    #[test]
    fn what_is_not_in_the_table_has_no_need_and_is_refused_by_the_layer() {
        assert_eq!(need("POST", "/replication"), None);
        assert_eq!(need("HEAD", "/jobs"), Some(READ));
    }
}
