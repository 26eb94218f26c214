//! `/appliances/{id}/datasets`: what is on an appliance, read from it when the page is asked for.

use axum::extract::{Path, State};

use super::appliances::crumbs;
use crate::app::target_health::{DatasetFacts, Part, SnapshotFacts};
use crate::domain::ids::TargetId;
use crate::domain::target::Target;
use crate::web::cx::Cx;
use crate::web::screens::appliances::{DatasetRow, Datasets, SnapshotRow, Snapshots};
use crate::web::view::list::{List, in_query};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::size;
use crate::web::{Answer, Site};

/// Rows on a page.
const ROWS: u64 = 50;

fn part(cx: &Cx) -> Part {
    Part {
        words: cx.asked("q").to_owned(),
        skip: usize::try_from((cx.page_number() - 1) * ROWS).unwrap_or(usize::MAX),
        limit: usize::try_from(ROWS).unwrap_or(50),
    }
}

fn list(cx: &Cx, path: String, total: u64) -> List {
    List {
        path,
        search: cx.asked("q").to_owned(),
        filters: Vec::new(),
        sort: String::new(),
        descending: false,
        page: cx.page_number(),
        per_page: ROWS,
        total,
    }
}

/// The address of a dataset's page: each part of its name is escaped, the slashes stay.
pub(super) fn address(id: TargetId, dataset: &str) -> String {
    let parts: Vec<String> = dataset.split('/').map(in_query).collect();
    format!("/appliances/{id}/datasets/{}", parts.join("/"))
}

fn above(target: &Target) -> Vec<Link> {
    let mut all = crumbs();
    all.push(Link { label: target.name.clone(), address: format!("/appliances/{}", target.id) });
    all
}

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<TargetId>) -> Answer {
    let target = site.app.target(id).await?;
    let found = site.app.target_datasets(id, &part(&cx)).await?;
    let mut page = cx.page(format!("Datasets of {}", target.name), Area::Appliances);
    page.crumbs = above(&target);
    let rows = found.items.into_iter().map(|dataset| row(&cx, id, dataset)).collect();
    cx.draw(&Datasets { page, list: list(&cx, format!("/appliances/{id}/datasets"), found.total), rows })
}

fn row(cx: &Cx, id: TargetId, dataset: DatasetFacts) -> DatasetRow {
    DatasetRow {
        address: address(id, dataset.name.as_str()),
        name: dataset.name.to_string(),
        role: dataset.role.map(|role| role.as_str()),
        used: size::bytes(dataset.used),
        referenced: size::bytes(dataset.referenced),
        snapshots: dataset.snapshots,
        newest: dataset.newest_snapshot_at.map(|at| cx.ago(at)),
    }
}

pub(crate) async fn one(
    State(site): State<Site>,
    cx: Cx,
    Path((id, dataset)): Path<(TargetId, String)>,
) -> Answer {
    let target = site.app.target(id).await?;
    let found = site.app.target_snapshots(id, &dataset, &part(&cx)).await?;
    let mut page = cx.page(dataset.clone(), Area::Appliances);
    page.crumbs = above(&target);
    page.crumbs.push(Link { label: "Datasets".to_owned(), address: format!("/appliances/{id}/datasets") });
    let rows = found.items.into_iter().map(|snapshot| snapshot_row(&cx, snapshot)).collect();
    cx.draw(&Snapshots { page, list: list(&cx, address(id, &dataset), found.total), rows })
}

fn snapshot_row(cx: &Cx, snapshot: SnapshotFacts) -> SnapshotRow {
    SnapshotRow {
        tag: snapshot.name.tag().to_string(),
        taken: cx.ago(snapshot.created_at),
        used: size::bytes(snapshot.used),
        referenced: size::bytes(snapshot.referenced),
        ours: snapshot.group.is_some(),
        holds: snapshot.holds,
        clones: snapshot.clones.iter().map(ToString::to_string).collect(),
    }
}
