//! Numbers for Prometheus: requests, jobs, the database. Counts only, no name of anything that is protected.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::app::{App, AppError};
use crate::domain::health::HealthState;
use crate::domain::job::JobState;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

/// All of them. Clones are the same.
#[derive(Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Asked, Counter>,
    durations: Histogram,
    jobs: Family<State, Gauge>,
    appliances: Family<State, Gauge>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("zerfaux");
        let requests = Family::<Asked, Counter>::default();
        // From 1 ms to about 8 s.
        let durations = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        let jobs = Family::<State, Gauge>::default();
        registry.register("http_requests", "Requests by method, route and status", requests.clone());
        registry.register("http_request_duration_seconds", "Time to the first byte", durations.clone());
        let appliances = Family::<State, Gauge>::default();
        registry.register("appliances", "Active appliances by state of health", appliances.clone());
        registry.register("jobs", "Jobs by state", jobs.clone());
        let build = prometheus_client::metrics::info::Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        Self { registry: Arc::new(registry), requests, durations, jobs, appliances }
    }

    pub(super) fn count(&self, method: &str, route: &str, status: u16, took: Duration) {
        // Anybody may invent methods; they must not become label values.
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = if known.contains(&method) { method } else { "other" };
        let asked = Asked { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&asked).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads.
    pub(super) async fn text(&self, app: &App) -> Result<String, AppError> {
        let counts = app.job_counts().await?;
        for state in JobState::ALL {
            let count = counts.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
            let gauge = self.jobs.get_or_create(&State { state: state.as_str().to_owned() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let counts = app.count_targets_by_health().await?;
        for state in HealthState::ALL {
            let count = counts.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
            let gauge = self.appliances.get_or_create(&State { state: state.as_str().to_owned() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // Writing into a String does not fail.
        let _written = encode(&mut text, &self.registry);
        Ok(text)
    }
}
