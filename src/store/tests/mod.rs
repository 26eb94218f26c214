//! Tests of the store that need its insides: its closures, its connections, other migrations.

mod commits;
mod inventory;
mod jobs;
mod migrating;
mod nouns;
mod opening;
mod recovery;
mod released;
mod restoring;
mod targets;

use jiff::Timestamp;
use serde_json::json;

use crate::domain::ids::JobId;
use crate::domain::job::{EventRecord, Job, JobState, StepEvent};

pub(in crate::store::tests) fn at(second: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + second, 123_456_789).unwrap()
}

pub(in crate::store::tests) fn job() -> Job {
    Job {
        id: JobId::new(),
        kind: "replicate".to_owned(),
        input: json!({ "from": "a:tank/vm", "flags": [1, 2.5, null, true], "name": "zo\u{00eb} \u{1f600} \u{0}" }),
        state: JobState::Queued,
        phase: None,
        progress_percent: 0,
        details: json!({}),
        result: None,
        failure: None,
        failed_phase: None,
        warnings: Vec::new(),
        cancel_requested: false,
        unwinding: false,
        created_by: "cli".to_owned(),
        created_at: at(0),
        started_at: None,
        finished_at: None,
    }
}

pub(in crate::store::tests) fn started(job: JobId, seq: i64) -> EventRecord {
    EventRecord {
        job,
        seq,
        at: at(seq),
        step: "snapshot".to_owned(),
        event: StepEvent::Started { intent: json!({ "snapshot": format!("tank/vm@zx-{seq}") }) },
    }
}
