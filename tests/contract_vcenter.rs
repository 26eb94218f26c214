//! One set of cases for every server that speaks vSphere's API: vcsim, and the simulator in our own binary.
//! What a simulator says must be what the client can work with, and the other way round.
//!
//! What vcsim (govmomi 0.24.2) cannot do, and what therefore only our own simulator is asked:
//! - pages: it gives everything at once, and has no `ContinueRetrievePropertiesEx`
//! - tasks that run for a while: they have ended before the call returns, so progress and cancelling do not show
//! - power-on, customisation and changed hardware while cloning: all are ignored
//! - refusing a second virtual machine of the same name: it is made
//! - disk paths after cloning and after a relocation: clones share what they report
//! - deleting an option by an empty value: a second entry appears
//! - refreshing an NFS datastore: the answer has no body
//! - references that are not there: the connection drops instead of a fault
//! - several virtual machines of one UUID: it has no `FindAllByUuid`, and the client asks `FindByUuid` instead
//! - rights of a limited user: every privilege is granted
//! - registering a virtual machine with its hardware: the file is not read
//! - questions (`runtime.question`, AnswerVM): it never asks
//! - events of customisations, and their failure
//! - progress and cancelling of a move of storage; what a snapshot had of the hardware when it is reverted to
//! - how many NFS datastores a host may mount: its hosts have no such setting
//! - one export on several hosts: the datastore only knows the host that mounted it last
//! - delta disks: a snapshot leaves the disks as they are, so which ones it froze shows on ours only
//! - the size of a disk that is attached without saying it
//! - recentTask of the tasks that run, by which a task of unknown reference is found: none ever runs

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "contract_vcenter/certificates.rs"]
mod certificates;
#[path = "contract_vcenter/inventory.rs"]
mod inventory;
#[path = "contract_vcenter/living.rs"]
mod living;
#[path = "contract_vcenter/machines.rs"]
mod machines;
#[path = "contract_vcenter/making.rs"]
mod making;
#[path = "contract_vcenter/served.rs"]
mod served;
#[path = "contract_vcenter/sessions.rs"]
mod sessions;
#[path = "contract_vcenter/shells.rs"]
mod shells;
#[path = "contract_vcenter/single_host.rs"]
mod single_host;
#[path = "contract_vcenter/storage.rs"]
mod storage;
#[path = "support/vcenter/mod.rs"]
mod vcenter;
#[path = "contract_vcenter/verbs.rs"]
mod verbs;

/// The same cases for each server.
macro_rules! cases {
    ($($room:ident: $($case:ident),* $(,)?;)*) => {
        mod vcsim {
            $(mod $room {
                $(#[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs vcsim: tests/run"]
                async fn $case() {
                    crate::$room::$case(&crate::vcenter::Server::vcsim(&[])).await;
                })*
            })*
        }
        mod our_simulator {
            $(mod $room {
                $(#[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs `zerfaux sim vcenter`: tests/run"]
                async fn $case() {
                    crate::$room::$case(&crate::vcenter::Server::our_own(&[])).await;
                })*
            })*
        }
    };
}

cases! {
    certificates: an_accepted_certificate_lets_in, another_certificate_is_refused;
    sessions: a_wrong_password_is_named, what_was_ended_is_made_anew, the_server_says_what_it_is;
    inventory: everything_is_read_with_its_properties, changes_arrive_by_the_stream,
        what_is_unset_is_neither_there_nor_missing, paths_of_names_are_found;
    machines: a_clone_is_a_virtual_machine_of_its_own, power_goes_on_and_off,
        a_task_that_fails_says_why, hardware_is_changed_and_detached_files_stay,
        a_nic_moves_between_kinds_of_networks, snapshots_come_and_go,
        a_template_is_made_and_unmade, a_machine_is_unregistered_and_destroyed,
        a_task_is_picked_up_by_its_reference, options_are_set;
    making: a_machine_is_made_around_a_disk_that_is_there_and_destroyed_without_it,
        firmware_and_remarks_are_changed, a_guest_is_brought_to_rest_and_what_was_left_is_found;
    shells: a_machine_is_made_with_the_hardware_that_was_asked_for,
        machines_are_read_together_and_as_they_were_at_a_snapshot;
    storage: an_export_is_mounted_on_every_host_and_unmounted, a_datastore_is_browsed,
        folders_are_made_once;
    living: a_synchronisation_reads_everything_and_marks_what_left,
        a_change_by_somebody_else_is_in_the_database_within_two_seconds, a_lost_stream_is_made_good,
        where_disks_lie_is_one_question_and_drift_is_its_answer;
    served: the_service_follows_what_it_knows_until_it_stops;
    verbs: a_machine_is_renamed_and_moved_to_another_folder, a_machine_is_reverted_to_a_snapshot,
        a_nic_is_added_to_a_distributed_port_group_and_removed, a_guest_is_customised_with_a_fixed_address,
        a_guest_is_asked_to_shut_down, what_happened_to_a_machine_is_in_the_events,
        storage_is_moved_to_another_datastore, files_are_copied_and_moved_but_never_over_others,
        what_our_user_may_is_asked_by_name;
}
