//! P6, the steady state: one process that keeps its connections and replicates each time a line comes in.
//!
//! `cycle KEY KNOWN_HOSTS USER@HOST:PORT/DATASET USER@HOST:PORT/DATASET` prints wall and processor seconds of each cycle.

use std::io::{BufRead, Write};
use std::time::Instant;

use serde_json::json;
use zerfaux::app::replications::ReplicateInput;

use crate::cost;

pub fn main(args: &[String]) {
    let [key, known, source, destination] = args else { panic!("cycle: {args:?}") };
    let end = |text: &str| {
        let (endpoint, dataset) = text.split_once('/').unwrap();
        json!({ "host": { "ssh": {
            "endpoint": endpoint,
            "identities": [{ "file": key }],
            "host_keys": { "known_hosts": { "path": known, "accept_new": false } },
        } }, "dataset": dataset })
    };
    let input = json!({
        "source": end(source), "destination": end(destination), "recursive": true, "snapshot": false,
    });
    let input: ReplicateInput = serde_json::from_value(input).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let app = runtime.block_on(async { zerfaux::boot::passing(None).unwrap() });
    for _line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (began, before) = (Instant::now(), cost::own_cpu());
        let failure = runtime.block_on(async {
            let id = app.start_replication(&input, "benchmark").await.unwrap();
            app.run_until_idle().await.unwrap();
            app.jobs(1).await.unwrap().into_iter().find(|job| job.id == id).unwrap().failure
        });
        match failure {
            None => println!("{:.3} {:.2} 0", began.elapsed().as_secs_f64(), cost::own_cpu() - before),
            Some(failure) => println!("failed: {failure:?}"),
        }
        std::io::stdout().flush().unwrap();
    }
}
