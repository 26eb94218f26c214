//! R12: a database of any earlier schema becomes one of today's, with its rows.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use super::super::schema::{Migrations, embedded_list};
use super::super::*;

/// A row for each table, in the order of references. A new table's row belongs here.
const ROWS: &[(&str, &str)] = &[
    (
        "jobs",
        "(id, kind, input, state, progress_percent, details, warnings, cancel_requested, unwinding, created_by, \
         created_at) VALUES ('j', 'replicate', '{}', 'failed', 40, 'null', '[]', 0, 0, 'anna', 1)",
    ),
    ("job_events", "(job_id, seq, at, step, event) VALUES ('j', 1, 1, 'look', '{}')"),
    ("job_console", "(job_id, seq, at, level, message) VALUES ('j', 1, 1, 'info', 'said')"),
    ("locks", "(name, job_id) VALUES ('replica:x', 'j')"),
    (
        "schedules",
        "(id, name, kind, input, every_seconds, time_zone, enabled, last_job) \
         VALUES ('s', 'nightly', 'replicate', '{}', 60, 'UTC', 1, 'j')",
    ),
    ("settings", "(key, value) VALUES ('a', '1')"),
    ("secrets", "(id, name, key_id, sealed) VALUES ('x', 'a password', 'k', x'00')"),
    ("wrapped_keys", "(key_id, wrapped) VALUES ('k', x'00')"),
    (
        "users",
        "(id, name, role, password_hash, disabled, created_at, password_changed_at) \
         VALUES ('u', 'anna', 'admin', 'h', 0, 1, 1)",
    ),
    (
        "sessions",
        "(id, secret_hash, user_id, created_at, last_seen_at, confirmed_at, address, agent) \
         VALUES ('e', 'h', 'u', 1, 1, 1, '::1', 'x')",
    ),
    (
        "tokens",
        "(id, name, role, secret_hash, prefix, created_by, created_at) VALUES ('t', 'ci', 'viewer', 'h', 'zxt_', 'u', 1)",
    ),
    ("sign_in_attempts", "(source, attempts, last_at, blocked_until) VALUES ('address:::1', 1, 1, 1)"),
    ("idempotent_requests", "(owner, key, request, created_at) VALUES ('u', 'k', 'r', 1)"),
    (
        "audit",
        "(seq, at, actor, source, action, object, outcome, details, hash) \
         VALUES (1, 1, 'anna', '::1', 'user.create', 'ben', 'done', 'null', 'h')",
    ),
    (
        "ssh_keys",
        "(id, name, algorithm, fingerprint, public_key, secret_id, created_by, created_at) \
         VALUES ('y', 'lab', 'ssh-ed25519', 'SHA256:x', 'ssh-ed25519 AAAA', 'x', 'anna', 1)",
    ),
    (
        "vcenters",
        "(id, name, host, port, username, password, created_at) VALUES ('v', 'site A', 'vc', 443, 'admin', 'x', 1)",
    ),
    (
        "inventory_places",
        "(vcenter, kind, id, sort, name, facts, seen) VALUES ('v', 'Folder', 'f', 'folder', 'vm', '{}', 1)",
    ),
    (
        "inventory_vms",
        "(vcenter, id, name, template, power, cpus, memory_bytes, disk_bytes, has_snapshot, words, whole, seen) \
         VALUES ('v', 'vm-1', 'web', 0, 'on', 2, 1, 1, 0, 'web', '{}', 1)",
    ),
    (
        "targets",
        "(id, name, hostname, port, ssh_username, ssh_key, host_key, zfs_pool, nfs_network, is_active, created_by, \
         created_at) VALUES ('a', 'zfs-a', 'nas-a', 22, 'zfsadmin', 'y', 'SHA256:x', 'tank', '10.0.0.0/8', 1, 'anna', 1)",
    ),
    (
        "protection_groups",
        "(id, name, source_vcenter, source_target, source_dataset, dr_vcenter, dr_target, dr_dataset, policy, enabled, \
         created_by, created_at) \
         VALUES ('g', 'ERP', 'v', 'a', 'tank/zerfaux/live/erp', 'v', 'a', 'tank/zerfaux/replica/g', '{}', 1, 'anna', 1)",
    ),
    (
        "protected_vms",
        "(id, group_id, vcenter, instance_uuid, moref, name, added_by, added_at) \
         VALUES ('p', 'g', 'v', 'i', 'vm-1', 'web', 'anna', 1)",
    ),
    (
        "checkpoints",
        "(group_id, guid, snapshot, taken_at, complete_at, bytes, kind) VALUES ('g', '1', 's', 1, 2, 3, 'quiesced')",
    ),
    ("group_runs", "(job, group_id, started_at, bytes) VALUES ('j', 'g', 1, 0)"),
    (
        "rpo_days",
        "(group_id, day, watched_seconds, broken_seconds, worst_age_seconds) VALUES ('g', '2026-11-28', 60, 0, 5)",
    ),
    ("manifests", "(group_id, guid, taken_at, kind, body) VALUES ('g', '7', 1, 'quiesced', '{}')"),
    (
        "vm_snapshots",
        "(vcenter, vm, snapshot, instance_uuid, name, group_id, job, noted_at) VALUES ('v', 'vm-1', 's', 'i', 'n', 'g', 'j', 1)",
    ),
    (
        "group_findings",
        "(group_id, side, object, why, advice, found_at) VALUES ('g', 'live', 'tank/a', 'w', 'a', 1)",
    ),
    ("group_keys", "(group_id, secret_id, set_by, set_at) VALUES ('g', 'x', 'anna', 1)"),
    ("group_preflights", "(group_id, checked_at, body) VALUES ('g', 1, '{}')"),
    ("recovery_plans", "(group_id, version, plan, changed_by, changed_at) VALUES ('g', 3, '{}', 'anna', 1)"),
    ("recovery_states", "(group_id, phase, state, since) VALUES ('g', 'protected', '{}', 1)"),
    (
        "recovery_runs",
        "(id, group_id, group_name, kind, created_by, created_at, plan, job) \
         VALUES ('r', 'g', 'ERP', 'test', 'anna', 1, '{}', 'j')",
    ),
    (
        "recovery_run_vms",
        "(run, source_uuid, place, name, test_name, tier, state) \
         VALUES ('r', 'u', 0, 'erp', 'erp-test', 1, 'waiting')",
    ),
    ("recovery_run_steps", "(run, source_uuid, step, begun_at, evidence) VALUES ('r', '', 'clone', 1, '')"),
    (
        "recovery_run_answers",
        "(run, source_uuid, moment, answered_by, answered_at) VALUES ('r', 'u', 'before', 'anna', 1)",
    ),
    ("deleted_groups", "(id, deleted_at) VALUES ('old', 1)"),
    ("rpo_breaches", "(group_id, began_at, worst_age_seconds) VALUES ('g', 1, 5)"),
    (
        "dr_shells",
        "(id, group_id, source_vcenter, source_uuid, dr_vcenter, vm, spec, disks, checkpoint, made_by, made_at) \
         VALUES ('s', 'g', 'v', 'i', 'v', 'vm-9', '{}', '[]', 'tank/r@1', 'j', 1)",
    ),
];

fn tables(database: &Connection) -> BTreeSet<String> {
    let mut statement = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn schema(path: &Path) -> BTreeSet<String> {
    let c = Connection::open(path).unwrap();
    let mut statement = c.prepare("SELECT name || ' ' || coalesce(sql, '') FROM sqlite_schema").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn every_earlier_schema_becomes_the_newest_one_and_keeps_its_rows() {
    let fresh = tempfile::tempdir().unwrap();
    Store::open(fresh.path()).unwrap().close().await;
    let newest = schema(&fresh.path().join("zerfaux.db"));
    let all = embedded_list();
    for known in 1..all.len() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("zerfaux.db");
        let older = Migrations::new(all[..known].to_vec());
        let version = older.newest();
        Store::open_with(directory.path(), &older).unwrap().close().await;
        let c = Connection::open(&database).unwrap();
        let there = tables(&c);
        let filled: Vec<_> = ROWS.iter().filter(|(table, _)| there.contains(*table)).collect();
        for (table, row) in &filled {
            c.execute(&format!("INSERT INTO {table} {row}"), [])
                .unwrap_or_else(|e| panic!("{e}: {table} of {version}"));
        }
        drop(c);
        let store =
            Store::open(directory.path()).unwrap_or_else(|e| panic!("from {version}: {e}: {}", e.advice()));
        assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        store.close().await;
        assert_eq!(schema(&database), newest, "from {version}");
        assert!(directory.path().join(format!("backups/zerfaux-schema-{version:03}.db")).exists());
        let c = Connection::open(&database).unwrap();
        for (table, _) in filled {
            let rows: i64 =
                c.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 1, "the row of {table} on the way from {version}");
        }
    }
}
