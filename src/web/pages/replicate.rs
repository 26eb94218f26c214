//! `/jobs/replicate/new`: choose two appliances, a dataset and how; look what would be done; start it.

use std::collections::HashMap;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;

use crate::app::replications::{Action, Prepared, Preview, PreviewedDataset, ReplicationWish};
use crate::app::{AppError, FieldError};
use crate::domain::ids::TargetId;
use crate::domain::target::Target;
use crate::web::cx::{Cx, Typed, done, error_of, sentence, typed};
use crate::web::screens::replicate::{NewReplication, ReplicationReview, ReviewRow};
use crate::web::view::form::{Choice, Field};
use crate::web::view::list::in_query;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::{Html, html, size};
use crate::web::{Answer, Site, Trouble};

fn crumbs() -> Vec<Link> {
    vec![Link { label: "Jobs".to_owned(), address: "/jobs".to_owned() }]
}

/// The names of the fields that are carried on, in the order of the form.
const TEXTS: [&str; 9] = [
    "source_target_id",
    "source_dataset",
    "destination_target_id",
    "destination_dataset",
    "transport",
    "bandwidth_limit",
    "keep_source",
    "keep_destination",
    "on_conflict",
];
const CHECKS: [&str; 3] = ["recursive", "no_snapshot", "only_newest"];

fn wish(form: &HashMap<String, String>) -> ReplicationWish {
    let (text, on) =
        (|name: &str| typed(form, name).trim().to_owned(), |name: &str| typed(form, name) == "on");
    ReplicationWish {
        source_target_id: text("source_target_id"),
        source_dataset: text("source_dataset"),
        destination_target_id: text("destination_target_id"),
        destination_dataset: text("destination_dataset"),
        recursive: on("recursive"),
        no_snapshot: on("no_snapshot"),
        only_newest: on("only_newest"),
        transport: text("transport"),
        bandwidth_limit: text("bandwidth_limit"),
        keep_source: text("keep_source"),
        keep_destination: text("keep_destination"),
        on_conflict: text("on_conflict"),
    }
}

pub(crate) async fn new(State(site): State<Site>, cx: Cx) -> Answer {
    // `source` and `destination` are short for links from elsewhere; the form comes back with its own names.
    let mut given = cx.query.clone();
    for (short, name) in [("source", "source_target_id"), ("destination", "destination_target_id")] {
        if let Some(id) = cx.query.get(short) {
            given.entry(name.to_owned()).or_insert_with(|| id.clone());
        }
    }
    draw(&site, &cx, StatusCode::OK, &wish(&given), &[]).await
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    wish: &ReplicationWish,
    errors: &[FieldError],
) -> Answer {
    let all: Vec<Target> = site.app.targets().await?.into_iter().filter(|target| target.is_active).collect();
    let mut page = cx.page("Start a replication", Area::Jobs);
    page.crumbs = crumbs();
    let chosen = |id: &str| id.parse::<TargetId>().ok().and_then(|id| all.iter().find(|one| one.id == id));
    let (source, destination) = (chosen(&wish.source_target_id), chosen(&wish.destination_target_id));
    let ends = if all.is_empty() { Vec::new() } else { ends(&all, wish, errors) };
    let carried = vec![
        ("source_target_id".to_owned(), wish.source_target_id.clone()),
        ("destination_target_id".to_owned(), wish.destination_target_id.clone()),
    ];
    let (mut what, mut how, mut trouble) = (Vec::new(), Vec::new(), None);
    if let (Some(source), Some(destination)) = (source, destination) {
        let names = match site.app.target_dataset_names(source.id).await {
            Ok(names) => names.iter().map(ToString::to_string).collect(),
            Err(AppError::Failed(failure)) => {
                trouble = Some((failure.message, failure.advice.unwrap_or_default()));
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        what = self::what(names, source, destination, wish, errors);
        how = self::how(wish, errors);
    }
    cx.draw_with(status, &NewReplication { page, ends, what, how, carried, trouble })
}

fn ends(all: &[Target], wish: &ReplicationWish, errors: &[FieldError]) -> Vec<Field> {
    let choices = || {
        let each = all
            .iter()
            .map(|one| Choice::new(one.id.to_string(), format!("{} ({})", one.name, one.endpoint.host)));
        std::iter::once(Choice::new("", "Choose one")).chain(each).collect::<Vec<_>>()
    };
    vec![
        Field::select("source_target_id", "From", choices())
            .value(&wish.source_target_id)
            .error(error_of(errors, "source_target_id")),
        Field::select("destination_target_id", "To", choices())
            .value(&wish.destination_target_id)
            .error(error_of(errors, "destination_target_id")),
    ]
}

fn what(
    names: Vec<String>,
    source: &Target,
    destination: &Target,
    wish: &ReplicationWish,
    errors: &[FieldError],
) -> Vec<Field> {
    let dataset = if names.is_empty() {
        Field::line("source_dataset", "Dataset")
            .hint(format!("On {}, such as {}/vm.", source.name, source.zfs_pool))
    } else {
        let choices = names.into_iter().map(|name| Choice::new(name.clone(), name));
        let choices = std::iter::once(Choice::new("", "Choose one")).chain(choices).collect();
        Field::select("source_dataset", "Dataset", choices)
            .hint(format!("As they are on {} now.", source.name))
    };
    let into = Field::line("destination_dataset", "Into")
        .hint(format!("A dataset on {}. What is missing above it is made.", destination.name));
    let proposed = match wish.destination_dataset.as_str() {
        "" => format!("{}/replica", destination.zfs_pool),
        given => given.to_owned(),
    };
    let check =
        |name: &str, label: &str, on: bool| Field::check(name, label).value(if on { "on" } else { "" });
    vec![
        dataset.value(&wish.source_dataset).error(error_of(errors, "source_dataset")),
        into.value(proposed).error(error_of(errors, "destination_dataset")),
        check("recursive", "With all datasets below it", wish.recursive),
        check("no_snapshot", "Take no snapshot now: send what is there", wish.no_snapshot),
        check("only_newest", "Leave out the snapshots in between", wish.only_newest),
    ]
}

fn how(wish: &ReplicationWish, errors: &[FieldError]) -> Vec<Field> {
    let choices =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(value, label)| Choice::new(*value, *label)).collect();
    let or = |value: &str, usual: &str| if value.is_empty() { usual.to_owned() } else { value.to_owned() };
    vec![
        Field::select(
            "transport",
            "Way of the data",
            choices(&[
                ("auto", "Straight where that can be, else through Zerfaux"),
                ("direct", "Straight, or not at all"),
                ("relay", "Through Zerfaux"),
            ]),
        )
        .value(or(&wish.transport, "auto"))
        .error(error_of(errors, "transport")),
        Field::line("bandwidth_limit", "Limit")
            .optional()
            .value(&wish.bandwidth_limit)
            .hint("Bytes a second, such as 10M or 1.5MiB/s.")
            .error(error_of(errors, "bandwidth_limit")),
        Field::line("keep_source", "Keep at the source")
            .optional()
            .value(&wish.keep_source)
            .hint("Of the snapshots that Zerfaux took, such as last=3,daily=7. All if left empty.")
            .error(error_of(errors, "keep_source")),
        Field::line("keep_destination", "Keep at the destination")
            .optional()
            .value(&wish.keep_destination)
            .hint("The same for the replica.")
            .error(error_of(errors, "keep_destination")),
        Field::select(
            "on_conflict",
            "If the destination has gone its own way",
            choices(&[
                ("stop", "Stop and explain; nothing is changed"),
                ("keep-and-continue", "Put it aside and go on from the common snapshot"),
                ("keep-and-seed", "Put it aside and send everything anew"),
            ]),
        )
        .value(or(&wish.on_conflict, "stop"))
        .error(error_of(errors, "on_conflict")),
    ]
}

pub(crate) async fn review(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let wish = wish(&form);
    let prepared = match site.app.prepare_replication(&wish).await {
        Ok(prepared) => prepared,
        Err(AppError::Invalid { fields }) => {
            return draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &wish, &fields).await;
        }
        Err(error) => return Err(error.into()),
    };
    let preview = site.app.preview_replication(prepared.input.clone()).await?;
    cx.draw(&reviewed(&cx, &form, &prepared, &preview))
}

fn carried(form: &HashMap<String, String>) -> Vec<(String, String)> {
    let all = TEXTS.iter().chain(&CHECKS);
    let given = all.filter_map(|name| form.get(*name).map(|value| ((*name).to_owned(), value.clone())));
    given.filter(|(_, value)| !value.is_empty()).collect()
}

fn reviewed(
    cx: &Cx,
    form: &HashMap<String, String>,
    prepared: &Prepared,
    preview: &Preview,
) -> ReplicationReview {
    let (source, destination, input) = (&prepared.source, &prepared.destination, &prepared.input);
    let carried = carried(form);
    let query: Vec<String> =
        carried.iter().map(|(name, value)| format!("{}={}", in_query(name), in_query(value))).collect();
    let mut page = cx.page("Before it is started", Area::Jobs);
    page.crumbs = crumbs();
    let text = |text: &str| Html(html::escape(text).to_string());
    let limit = input.bandwidth_limit.map_or("none".to_owned(), |limit| size::rate(limit.get()));
    let mut obstacles = Vec::new();
    for dataset in &preview.datasets {
        if let Action::Conflict(conflict) = &dataset.plan.action {
            let encrypted = dataset.destination_encrypted;
            obstacles.push((sentence(&conflict.to_string()), sentence(&conflict.advice(encrypted))));
        }
    }
    let decided = typed(form, "on_conflict").starts_with("keep-");
    ReplicationReview {
        page,
        way: preview.way.clone(),
        facts: vec![
            ("From".to_owned(), text(&format!("{} on {}", input.source.dataset, source.name))),
            ("To".to_owned(), text(&format!("{} on {}", input.destination.dataset, destination.name))),
            ("Limit".to_owned(), text(&limit)),
            ("Kept at the source".to_owned(), text(&input.keep_source.describe())),
            ("Kept at the destination".to_owned(), text(&input.keep_destination.describe())),
        ],
        snapshot_first: preview.snapshot_first,
        rows: preview.datasets.iter().map(row).collect(),
        startable: obstacles.is_empty() || decided,
        obstacles,
        carried,
        button: format!("Replicate {} to {}", input.source.dataset, destination.name),
        back: format!("/jobs/replicate/new?{}", query.join("&")),
    }
}

fn row(dataset: &PreviewedDataset) -> ReviewRow {
    let told = dataset.to_string();
    let lines: Vec<String> = told.lines().skip(1).map(|line| sentence(line.trim())).collect();
    let bytes: u64 = dataset.estimates.iter().sum();
    ReviewRow {
        from: dataset.source.to_string(),
        to: dataset.destination.to_string(),
        lines: if lines.is_empty() { vec!["Nothing.".to_owned()] } else { lines },
        bytes: if dataset.estimates.is_empty() { "–".to_owned() } else { size::bytes(bytes) },
    }
}

pub(crate) async fn start(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let wish = wish(&form);
    match site.app.replicate_between(cx.who()?, &wish).await {
        Ok(job) => Ok(done(&site, &format!("/jobs/{job}"), "The replication is queued.")),
        Err(AppError::Invalid { fields }) => {
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &wish, &fields).await
        }
        Err(error) => Err(Trouble(error)),
    }
}
