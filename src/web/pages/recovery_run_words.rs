//! What is said of a run, by what it is for: how it stands, its steps, its facts.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::recovery_runs::{RunOutcome, RunPhase, RunStep, RunView, RunVmState, Verdict};
use crate::domain::recovery_run::RunKind;
use crate::domain::size::format_duration;
use crate::web::cx::{Cx, sentence};
use crate::web::screens::recovery_runs::{StepRow, Words};
use crate::web::view::{Html, Mark, Status, html, when};

/// What a run is called, and what is said on its page where tests and failovers differ.
pub(super) fn words(kind: RunKind) -> Words {
    let (kind, of, recovered_as, left_out) = match kind {
        RunKind::Test => ("Test", "Recovery test of", "tested as", "Not tested"),
        RunKind::PlannedFailover => {
            ("Planned failover", "Planned failover of", "recovered as", "Not recovered")
        }
        RunKind::DisasterFailover => {
            ("Disaster failover", "Disaster failover of", "recovered as", "Not recovered")
        }
    };
    Words { kind, of, recovered_as, left_out }
}

pub(super) fn status(view: &RunView) -> Status {
    if view.asks() {
        return Status::new(Mark::Risk, "waits for a person");
    }
    if view.run.plan.kind.is_failover() { of_failover(view) } else { of_test(view.phase()) }
}

fn of_failover(view: &RunView) -> Status {
    let failed = view.vms.iter().any(|vm| vm.state == RunVmState::Failed);
    match (view.phase(), view.run.outcome) {
        (RunPhase::Starting, _) => Status::new(Mark::Working, "is under way"),
        (RunPhase::Failed, _) => Status::new(Mark::Broken, "stopped"),
        (RunPhase::AwaitingVerdict | RunPhase::Judged, _) if failed => {
            Status::new(Mark::Broken, "failed over in part, uncommitted")
        }
        (RunPhase::AwaitingVerdict | RunPhase::Judged, _) => {
            Status::new(Mark::Risk, "failed over, uncommitted")
        }
        (RunPhase::CleaningUp, _) => Status::new(Mark::Working, "is being rolled back"),
        (RunPhase::CleanupPending, _) => Status::new(Mark::Broken, "rollback stopped"),
        (RunPhase::CleanedUp, Some(RunOutcome::Committed)) => Status::new(Mark::Met, "committed"),
        (RunPhase::CleanedUp, _) if view.run.cleanup_job.is_none() => {
            Status::new(Mark::Broken, "given up, everything is as before")
        }
        (RunPhase::CleanedUp, _) => Status::new(Mark::Unknown, "rolled back"),
    }
}

fn of_test(phase: RunPhase) -> Status {
    match phase {
        RunPhase::Starting => Status::new(Mark::Working, "is being started"),
        RunPhase::Failed => Status::new(Mark::Broken, "could not be made"),
        RunPhase::AwaitingVerdict => Status::new(Mark::Met, "runs, waits for a verdict"),
        RunPhase::Judged => Status::new(Mark::Met, "runs, was judged"),
        RunPhase::CleaningUp => Status::new(Mark::Working, "is being cleaned up"),
        RunPhase::CleanupPending => Status::new(Mark::Risk, "cleanup is pending"),
        RunPhase::CleanedUp => Status::new(Mark::Unknown, "cleaned up"),
    }
}

pub(super) fn verdict_status(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Passed => Status::new(Mark::Met, "passed"),
        Verdict::Failed => Status::new(Mark::Broken, "failed"),
    }
}

pub(super) fn between(from: Timestamp, to: Timestamp) -> String {
    format_duration(Duration::try_from(to.duration_since(from)).unwrap_or_default())
}

/// The field's words for a step.
fn step_words(step: &str) -> String {
    let known = match step {
        "shut_down" | "shut_down_source" => "guest shut down at the source",
        "restart_source" | "see_source_run" => "started again at the source",
        "last_run" => "last run",
        "choose_checkpoint" => "checkpoint held",
        "remove_stale_locks" => "stale lock files removed",
        "mount" => "mounted on the DR hosts",
        "create" => "virtual machine made",
        "take_shell" => "DR shell taken",
        "give_back" => "DR shell as before",
        "attach_disks" => "disks attached",
        "connect_networks" => "networks",
        "power_on" => "powered on",
        "check" => "check",
        "customise" => "addresses given to the guest",
        "guest_addresses" => "addresses in the guest",
        "ask_before" | "ask_after" => "confirmed by a person",
        "power_off" => "powered off",
        "remove" => "removed",
        "unmount" => "unmounted everywhere",
        "unexport" => "no longer exported",
        "destroy_clone" => "clone destroyed",
        "release" => "checkpoint let go",
        other => return other.replace('_', " "),
    };
    known.to_owned()
}

pub(super) fn step(cx: &Cx, one: &RunStep) -> StepRow {
    StepRow {
        status: match one.ok {
            None => Status::new(Mark::Working, "at work"),
            Some(true) => Status::new(Mark::Met, "done"),
            Some(false) => Status::new(Mark::Broken, "failed"),
        },
        step: step_words(&one.step),
        at: when::exact(one.begun_at, &cx.zone),
        took: one.ended_at.map(|end| between(one.begun_at, end)).unwrap_or_default(),
        evidence: sentence(&one.evidence),
    }
}

/// How many of the machines came up at some time: `3 of 4`.
pub(super) fn came_up(view: &RunView) -> String {
    let passed = |source: &String| {
        let own = view.steps.iter().filter(|step| step.source_uuid.as_ref() == Some(source));
        own.into_iter().any(|step| step.step == "check" && step.ok == Some(true))
    };
    let up = view.vms.iter().filter(|vm| passed(&vm.source_uuid)).count();
    format!("{up} of {}", view.vms.len())
}

pub(super) fn facts(cx: &Cx, view: &RunView) -> Vec<(String, Html)> {
    let run = &view.run;
    let fact = |name: &str, text: String| (name.to_owned(), html::text(&text));
    let at = |name: &str, at: Timestamp| (name.to_owned(), when::exact(at, &cx.zone));
    let mut facts = vec![
        fact("Kind", words(run.plan.kind).kind.to_lowercase()),
        fact("Group", run.plan.group_name.clone()),
        fact("Asked for by", run.created_by.clone()),
        at("Asked for", run.created_at),
    ];
    if let Some(reason) = &run.plan.reason {
        facts.push(fact("Why", reason.clone()));
    }
    if let Some(checkpoint) = &run.checkpoint {
        facts.push(fact("Checkpoint", checkpoint.snapshot.to_string()));
        facts.push(at("Taken", checkpoint.taken_at));
        facts.push(if run.plan.source.is_some() {
            let none = "Nothing: the last run was taken after the guests stopped.";
            fact("Data lost (RPO achieved)", none.to_owned())
        } else {
            fact("Its age then (RPO achieved)", between(checkpoint.taken_at, run.created_at))
        });
        let quality = checkpoint.quality.map_or("not known", |quality| quality.as_str());
        facts.push(fact("Guests in it", quality.replace('_', " ")));
    }
    if let Some(up) = run.up_at {
        facts.push(fact("Up after (RTO achieved)", between(run.created_at, up)));
    }
    facts.push(fact("Came up", came_up(view)));
    facts.push(fact("Clone", run.plan.clone.to_string()));
    facts.push(fact("Datastore", run.plan.datastore.clone()));
    if let Some(due) = run.cleanup_due.filter(|_| run.cleanup_job.is_none()) {
        facts.push(at("Cleaned up by itself", due));
    }
    if let Some(next) = run.cleanup_next {
        facts.push(at("Cleanup tried again", next));
    }
    if let Some(cleaned) = run.cleaned_at {
        facts.push(at(
            match run.outcome {
                Some(RunOutcome::RolledBack) => "Both sides were as before",
                Some(RunOutcome::Committed) => "Committed",
                Some(RunOutcome::CleanedUp) | None => "Everything was gone",
            },
            cleaned,
        ));
    }
    facts
}
