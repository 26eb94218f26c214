use zerfaux::web::screens::access::{RecoveryKey, Setup, SignIn};
use zerfaux::web::screens::account::{Account, SessionRow};
use zerfaux::web::screens::audit::{Audit, AuditRow};
use zerfaux::web::screens::error::{ErrorAlone, ErrorPage, ErrorView};
use zerfaux::web::screens::settings::{About, Settings, SettingsGroup};
use zerfaux::web::screens::ssh_keys::{NewSshKey, SshKeyPage, SshKeyRow, SshKeys};
use zerfaux::web::screens::users::{TokenRow, UserForm, UserRow, Users};
use zerfaux::web::screens::vcenters::{ConfirmCertificate, NewVcenter, VcenterPage, VcenterRow, Vcenters};
use zerfaux::web::view::form::{Choice, Field};
use zerfaux::web::view::list::List;
use zerfaux::web::view::page::Toast;

use super::*;

pub(crate) fn pages() -> Vec<(&'static str, String)> {
    let mut all = access();
    all.extend(vcenters());
    all.extend(people());
    all
}

fn nobody(title: &str) -> Page {
    Page { user: None, simulated: false, ..page(title, Area::Replication) }
}

fn access() -> Vec<(&'static str, String)> {
    let credentials = || {
        vec![
            Field::line("name", "User").autocomplete("username").value("anna"),
            Field::password("password", "Password", "current-password").first(),
        ]
    };
    let new = |label| Field::password("password", label, "new-password");
    let error = |status| ErrorView {
        status,
        what: "Could not show the appliance zfs-dr-2.".into(),
        why: Some("There is none with this id; somebody may have removed it.".into()),
        advice: "Look for it in the list. Removals are in the audit log.".into(),
        id: "0193b2f4-7c1e-7f3a-9d0e-1f2a3b4c5d6e".into(),
        ways_out: vec![link("All appliances", "/appliances"), link("Audit", "/audit")],
    };
    vec![
        draw(
            "sign-in",
            &SignIn {
                page: nobody("Sign in"),
                fields: credentials(),
                notice: None,
                next: "/jobs".into(),
                carried: None,
            },
        ),
        draw(
            "sign-in-wrong",
            &SignIn {
                page: nobody("Sign in"),
                fields: credentials(),
                notice: Some(
                    "Name or password is wrong. After two more attempts this account waits for a minute."
                        .into(),
                ),
                next: "/".into(),
                carried: None,
            },
        ),
        draw(
            "setup",
            &Setup {
                page: nobody("Welcome"),
                action: "/setup/abc".into(),
                fields: vec![
                    Field::line("name", "User name").value("admin").autocomplete("username"),
                    new("Password")
                        .hint("At least 12 characters; a sentence is good.")
                        .error(Some("This password is on the list of common ones.")),
                    Field::password("again", "Password again", "new-password"),
                ],
            },
        ),
        draw(
            "recovery-key",
            &RecoveryKey {
                page: nobody("Your recovery key"),
                key: "ZFX1-7KQ2-M4TP-9R3C-HJ6W-X8VD-2N5B-QL7Y-3GF0".into(),
                next: "/replication".into(),
            },
        ),
        draw("error", &ErrorPage { page: page("Not found", Area::Appliances), error: error(404) }),
        draw(
            "error-500",
            &ErrorAlone {
                page: nobody("Something went wrong"),
                error: ErrorView {
                    what: "Could not read the list of jobs.".into(),
                    why: Some("The database did not answer within 5 s.".into()),
                    advice: "Try again. If it stays so, run zerfaux doctor on the server.".into(),
                    ..error(500)
                },
            },
        ),
    ]
}

fn vcenter(at: usize) -> VcenterRow {
    VcenterRow {
        name: ["vc-berlin", "vc-potsdam"][at].into(),
        address: "/vcenters/1".into(),
        host: ["vc-berlin.example:443", "vc-potsdam.example:443"][at].into(),
        status: says(Mark::Met, "connected"),
        product: "vCenter 8.0.3".into(),
        vms: "412".into(),
        synced: Some(ago(600)),
        stream: [says(Mark::Met, "live"), says(Mark::Working, "catching up")][at].clone(),
        simulated: true,
    }
}

const THUMBPRINT: &str =
    "8F:2C:11:A0:5E:77:93:4B:D1:0C:6A:F8:22:39:B7:45:E0:9D:1B:63:AA:04:7F:58:CC:16:82:3D:EF:90:51:B4";

fn vcenters() -> Vec<(&'static str, String)> {
    let mut new = below("Connect a vCenter", Area::Vcenters);
    new.toasts = vec![Toast { mark: Mark::Met, message: "vc-potsdam is connected.".into() }];
    vec![
        draw("vcenters", &Vcenters { page: page("vCenters", Area::Vcenters), rows: vec![vcenter(0), vcenter(1)], may_change: true }),
        draw("vcenters-none", &Vcenters { page: page("vCenters", Area::Vcenters), rows: vec![], may_change: true }),
        draw("vcenter", &VcenterPage {
            page: below("vc-berlin", Area::Vcenters),
            row: vcenter(0),
            trouble: None,
            facts: vec![fact("Host", "vc-berlin.example"), fact("Port", "443"), fact("User", "zerfaux@vsphere.local"), fact("Product", "VMware vCenter Server 8.0.3 build-24322831"), fact("Certificate", "CN=vc-berlin.example, until 2027-04-01")],
            thumbprint: Some(THUMBPRINT.into()),
            counts: [("VMs", "412"), ("Hosts", "8"), ("Datastores", "14"), ("Networks", "37")].map(|(name, count)| (name, count.to_owned(), "/inventory".to_owned())).to_vec(),
            may_change: true,
            may_work: true,
        }),
        draw("vcenter-new", &NewVcenter {
            page: new,
            action: "/vcenters".into(),
            fields: vec![
                Field::line("name", "Name").value("vc-berlin").hint("How this connection is called on every page.").first(),
                Field::line("host", "Host").value("vc-berln.example").error(Some("vc-berln.example is not known to the name server. Check the spelling, or use the address.")),
                Field::number("port", "Port").value("443"),
                Field::line("username", "User").hint("For example zerfaux@vsphere.local"),
                Field::password("password", "Password", "off").hint("Sealed at rest, and never shown again."),
                Field::check("sync", "Sync at once").value("on"),
            ],
            trouble: None,
            changes: false,
            back: "/vcenters".into(),
        }),
        draw("vcenter-certificate", &ConfirmCertificate {
            page: below("Confirm the certificate", Area::Vcenters),
            action: "/vcenters".into(),
            host: "vc-berlin.example:443".into(),
            thumbprint: THUMBPRINT.into(),
            before: None,
            facts: vec![fact("Subject", "CN=vc-berlin.example, O=Example GmbH"), fact("Issued by", "CN=CA, DC=vsphere, DC=local"), fact("Valid until", "2027-04-01 12:00:00")],
            back: "/vcenters".into(),
        }),
    ]
}

fn people() -> Vec<(&'static str, String)> {
    let user = |name: &str, role, status: Status, seen: Option<i64>| UserRow {
        name: name.into(),
        address: "/users/1".into(),
        role,
        status,
        seen: seen.map(ago),
        sessions: seen.map_or(0, |_| 1),
        you: name == "anna",
    };
    let actions = [
        ("vcenter.create", "vc-potsdam"),
        ("session.begin", "anna"),
        ("target.accept_host_key", "zfs-dr-1"),
        ("job.cancel", "replicate web-tier"),
        ("user.set_role", "ben: viewer to operator"),
    ];
    let key = || {
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH3W8e0n3q9sXlVq2tYb1c7mO4dKzRjN5uPfGh6LaT8w zerfaux appliances-2026".to_owned()
    };
    vec![
        draw(
            "users",
            &Users {
                page: page("Users", Area::Users),
                rows: vec![
                    user("anna", "admin", says(Mark::Met, "active"), Some(3)),
                    user("ben", "operator", says(Mark::Met, "active"), Some(86_400)),
                    user("carla", "viewer", says(Mark::Risk, "locked for 4 m"), Some(900_000)),
                    user("dmitri", "operator", says(Mark::Unknown, "disabled"), None),
                ],
                tokens: vec![TokenRow {
                    name: "monitoring".into(),
                    revoke: "/users/tokens/1/revoke".into(),
                    role: "viewer",
                    status: says(Mark::Met, "valid"),
                    expires: Some(ago(-5_000_000)),
                    used: Some(ago(60)),
                }],
            },
        ),
        draw(
            "user-new",
            &UserForm {
                page: below("Add a user", Area::Users),
                action: "/users".into(),
                fields: vec![
                    Field::line("name", "Name").first(),
                    Field::select(
                        "role",
                        "Role",
                        vec![
                            Choice::new("viewer", "viewer"),
                            Choice::new("operator", "operator"),
                            Choice::new("admin", "admin"),
                        ],
                    )
                    .value("viewer"),
                    Field::password("password", "First password", "new-password")
                        .hint("They change it when they first sign in."),
                ],
                button: "Add the user".into(),
                roles: vec![
                    ("admin", "Everything: users, credentials, vCenters, appliances, settings."),
                    ("operator", "Groups, wizards and every job, failover included."),
                    ("viewer", "Reads."),
                ],
            },
        ),
        draw(
            "audit",
            &Audit {
                page: page("Audit", Area::Audit),
                list: List {
                    path: "/audit".into(),
                    search: String::new(),
                    filters: vec![],
                    sort: String::new(),
                    descending: true,
                    page: 1,
                    per_page: 50,
                    total: 4213,
                },
                chain: says(Mark::Met, "chain unbroken, 4\u{202f}213 entries"),
                verified: Some(ago(3600)),
                outcomes: vec![Choice::new("", "Every outcome"), Choice::new("refused", "refused")],
                outcome: String::new(),
                rows: (0..20u64)
                    .map(|at| {
                        let (action, on) = actions[at as usize % actions.len()];
                        AuditRow {
                            seq: 4213 - at,
                            at: exact(at as i64 * 977),
                            who: if at % 3 == 0 { "anna".into() } else { "scheduler".into() },
                            from: if at % 3 == 0 { "10.0.0.31".into() } else { String::new() },
                            action: action.into(),
                            on: on.into(),
                            outcome: if at % 7 == 3 {
                                says(Mark::Broken, "refused")
                            } else {
                                says(Mark::Met, "done")
                            },
                        }
                    })
                    .collect(),
            },
        ),
        draw(
            "settings",
            &Settings {
                page: page("Settings", Area::Settings),
                has_key: true,
                groups: vec![
                    SettingsGroup {
                        name: "sessions",
                        heading: "Sessions",
                        lead: "How long a browser stays signed in.",
                        fields: vec![
                            Field::number("idle", "Idle limit").value("30").unit("minutes"),
                            Field::number("absolute", "Longest session")
                                .value("12")
                                .unit("hours")
                                .error(Some("Must not be shorter than the idle limit.")),
                        ],
                    },
                    SettingsGroup {
                        name: "retention",
                        heading: "Records",
                        lead: "How long ended jobs and their consoles are kept. The audit log is kept for ever.",
                        fields: vec![
                            Field::number("jobs", "Keep jobs").value("400").unit("days"),
                            Field::check("debug", "Keep debug lines").hint("Consoles grow about tenfold."),
                        ],
                    },
                ],
                fixed: vec![
                    fact("Data directory", "/var/lib/zerfaux"),
                    fact("Listens on", "https://0.0.0.0:8443"),
                    fact("Certificate", "self-signed, until 2028-11-20"),
                ],
            },
        ),
        draw(
            "about",
            &About {
                page: page("About", Area::About),
                facts: vec![
                    fact("Version", "0.1.0"),
                    fact("Built", "2026-11-20 with Rust 1.95"),
                    fact("Database", "schema 9, 42.1 MiB"),
                    fact("Licence", "Apache-2.0"),
                ],
                health: vec![
                    ("Database".into(), says(Mark::Met, "whole")),
                    ("Key file".into(), says(Mark::Met, "mode 0600")),
                    ("Clock".into(), says(Mark::Met, "steady")),
                    ("Backup".into(), says(Mark::Risk, "none for 9 d")),
                ],
                links: vec![
                    link("Licences", "/about/licences"),
                    link("Parts list (SBOM)", "/about/sbom.json"),
                    link("API", "/api/docs"),
                ],
                parts: vec![
                    ("axum".into(), "0.8.9".into(), "MIT".into()),
                    ("htmx".into(), "2.0.11".into(), "0BSD".into()),
                    ("russh".into(), "0.65.1".into(), "Apache-2.0".into()),
                ],
            },
        ),
        draw(
            "account",
            &Account {
                page: page("Your account", Area::Account),
                fields: vec![
                    Field::password("now", "Password now", "current-password"),
                    Field::password("password", "New password", "new-password")
                        .hint("At least 12 characters."),
                    Field::password("again", "New password again", "new-password"),
                ],
                sessions: vec![
                    SessionRow {
                        id: "1".into(),
                        this_one: true,
                        address: "10.0.0.31".into(),
                        agent: "Firefox on Linux".into(),
                        began: ago(7200),
                        used: ago(0),
                    },
                    SessionRow {
                        id: "2".into(),
                        this_one: false,
                        address: "10.0.0.77".into(),
                        agent: "Chrome on Windows".into(),
                        began: ago(90_000),
                        used: ago(4000),
                    },
                ],
            },
        ),
        draw(
            "ssh-keys",
            &SshKeys {
                page: page("SSH keys", Area::SshKeys),
                rows: vec![SshKeyRow {
                    name: "appliances-2026".into(),
                    address: "/ssh-keys/1".into(),
                    algorithm: "ssh-ed25519".into(),
                    fingerprint: "SHA256:q0Kk3yq0S2P5wUyl8Wb4e1tXnA7yR9kZcVQm6hJdT2E".into(),
                    used_by: 4,
                    made: ago(9_000_000),
                }],
            },
        ),
        draw(
            "ssh-key",
            &SshKeyPage {
                page: below("appliances-2026", Area::SshKeys),
                address: "/ssh-keys/1".into(),
                public_key: key(),
                facts: vec![fact("Algorithm", "ssh-ed25519"), fact("Used by", "4 appliances")],
                unused: false,
                rotation: None,
                trouble: None,
                may_change: true,
            },
        ),
        draw(
            "ssh-key-new",
            &NewSshKey {
                page: below("Add a key", Area::SshKeys),
                generate: vec![Field::line("name", "Name")],
                imported: vec![
                    Field::line("import_name", "Name"),
                    Field::new("private_key", "Private key", zerfaux::web::view::form::Control::Block)
                        .hint("OpenSSH or PEM: ed25519, ECDSA or RSA."),
                    Field::password("passphrase", "Passphrase", "off").optional(),
                ],
            },
        ),
    ]
}
