//! P11: events of jobs per second, each on the disk before its job goes on: 64 jobs that share commits beside one that
//! pays for each by itself.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};
use zerfaux::domain::job::{EventRecord, Job, JobState, StepEvent};
use zerfaux::store::{JobChange, Store};

use crate::cost;
use crate::options::Options;

pub fn p11(options: &Options) -> bool {
    let (rounds, jobs) = (options.number("rounds", 5), options.number("jobs", 64));
    let (alone, each) = (options.number("alone", 500), options.number("each", 200));
    println!(
        "P11 events on the disk, synchronous=FULL: {alone} of one job, then {jobs} jobs with {each} each, {rounds} rounds\n"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let (one, one_shared) = runtime.block_on(events_per_second(1, alone));
        let (many, shared) = runtime.block_on(events_per_second(jobs, each));
        ratios.push(many / one);
        println!(
            "round {round}: one commit per event ({one_shared:.1} writes a commit): {one:.0}/s; {jobs} jobs at once \
             ({shared:.1} writes a commit): {many:.0}/s; ratio {:.1}",
            many / one
        );
    }
    println!();
    let ratio = cost::median(ratios);
    cost::verdict("P11 events per second, many jobs / one", ratio, "≥ 10", ratio >= 10.0)
}

/// How many, and how many writes shared a commit.
async fn events_per_second(jobs: u64, each: u64) -> (f64, f64) {
    // Not the temporary directory, which may be in memory, where a flush costs nothing.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Store::open(directory.path()).unwrap();
    let all: Vec<Job> = (0..jobs).map(|n| job(n, JobState::Running)).collect();
    for job in &all {
        store.insert_job(job).await.unwrap();
    }
    let (before, begun) = (store.statistics(), Instant::now());
    let mut writers = tokio::task::JoinSet::new();
    for job in all {
        let store = store.clone();
        writers.spawn(async move {
            for n in 1..=each {
                let seq = i64::try_from(n).unwrap();
                let event = EventRecord {
                    job: job.id,
                    seq,
                    at: Timestamp::now(),
                    step: "transfer".to_owned(),
                    event: StepEvent::Noted {
                        note: json!({ "snapshot": format!("tank/vm@zx-{seq}"), "bytes": seq * 4096 }),
                    },
                };
                let change = JobChange {
                    progress_percent: Some(u8::try_from(n * 100 / each).unwrap()),
                    ..JobChange::default()
                };
                store.record_event(&event, &change).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let (took, after) = (begun.elapsed().as_secs_f64(), store.statistics());
    let shared = (after.writes - before.writes) as f64 / (after.commits - before.commits) as f64;
    store.close().await;
    ((jobs * each) as f64 / took, shared)
}

/// The `n`th job of a busy installation.
pub fn job(n: u64, state: JobState) -> Job {
    let ended = state.is_final();
    let failed = state == JobState::Failed;
    let at = Timestamp::now();
    let location = |host: &str, dataset: String| {
        json!({ "dataset": dataset, "host": { "ssh": {
            "endpoint": format!("zfsadmin@{host}:22"), "identities": [{ "sealed": "01937c5e-0000-7000-8000-000000000002" }],
            "host_keys": { "pinned": "SHA256:6Hgyd3BXBGeqXWrUDrIjqMx8B0mVYYNKo4NYbMnI0Sw" } } } })
    };
    let group = n % 200;
    Job {
        id: zerfaux::domain::ids::JobId::new(),
        kind: "replicate".to_owned(),
        input: json!({
            "source": location("zfs-a", format!("tank/zerfaux/live/group-{group:03}")),
            "destination": location("zfs-b", format!("tank/zerfaux/replica/group-{group:03}")),
            "recursive": false, "snapshot": true,
        }),
        state,
        phase: Some(if ended && !failed { "retain" } else { "transfer" }.to_owned()),
        progress_percent: if ended && !failed { 100 } else { 40 },
        details: json!({ "bytes": n * 4096, "bytes_per_second": 104_857_600 }),
        result: (state == JobState::Succeeded)
            .then(|| json!({ "snapshot": format!("zx-group-{group:03}-{n}"), "bytes": n * 4096 })),
        failure: failed.then(|| {
            zerfaux::domain::job::Failure::permanent("Could not reach zfs-b: the connection was refused.")
                .advise("Is sshd running on zfs-b, and is port 22 open from here?")
        }),
        failed_phase: failed.then(|| "transfer".to_owned()),
        warnings: if n.is_multiple_of(50) {
            vec!["The pool tank of zfs-b is 85 % full.".to_owned()]
        } else {
            Vec::new()
        },
        cancel_requested: false,
        unwinding: false,
        created_by: "scheduler".to_owned(),
        created_at: at,
        started_at: (state != JobState::Queued).then_some(at),
        finished_at: ended.then_some(at),
    }
}

/// What a job like that has in its log and on its console.
pub fn log_of(job: &Job) -> (Vec<EventRecord>, Vec<zerfaux::domain::job::ConsoleLine>) {
    let record = |seq, step: &str, event| EventRecord {
        job: job.id,
        seq,
        at: job.created_at,
        step: step.to_owned(),
        event,
    };
    let events = vec![
        record(1, "look", StepEvent::Started { intent: Value::Null }),
        record(
            2,
            "look",
            StepEvent::Succeeded { output: json!({ "action": "incremental", "base": "zx-1" }) },
        ),
    ];
    let says =
        ["Looking at both ends.", "Incremental from zx-1.", "Sent 4 MiB in 1 s.", "The GUIDs are equal."];
    let lines = says.iter().zip(1..).map(|(message, seq)| zerfaux::domain::job::ConsoleLine {
        seq,
        at: job.created_at,
        level: zerfaux::domain::job::Level::Info,
        message: (*message).to_owned(),
    });
    (events, lines.collect())
}
