//! Words for what the API and the database name by short keys.

/// What a job of this kind does, as a verb: it stands before the name of what it is done to.
pub fn job_kind(kind: &str) -> &str {
    match kind {
        "clean_up_test" => "Clean up test",
        "create_dr_shell" => "Create DR shell",
        "create_protection_datastore" => "Create datastore",
        "delete_replica" => "Delete replica of",
        "deploy_zfs_target" => "Deploy appliance",
        "failover" => "Fail over",
        "health_check" => "Check appliance",
        "mount_datastore" => "Mount datastore",
        "move_to_protection_datastore" => "Move to protection datastore",
        "remove_dr_shell" => "Remove DR shell",
        "repair_dr_shell" => "Repair DR shell",
        "replicate" => "Replicate",
        "roll_back_failover" => "Roll back",
        "test_failover" => "Test failover",
        "vcenter_sync" => "Synchronise",
        // One of a later version.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::job_kind;

    #[test]
    fn every_kind_of_job_has_words_of_its_own() {
        let kinds = crate::jobs::kinds();
        let mut words: Vec<&str> = kinds.iter().map(|kind| job_kind(kind)).collect();
        for (kind, word) in kinds.iter().zip(&words) {
            assert!(kind != word && !word.contains('_'), "{kind} is shown as {word}");
        }
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), kinds.len());
    }
}
