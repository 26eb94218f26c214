//! `/inventory/hosts`, `/inventory/datastores`, `/inventory/networks`: what the virtual machines stand on.

use axum::extract::State;

use crate::app::inventory::PlaceKind;
use crate::app::vcenters::Vcenter;
use crate::domain::ids::VcenterId;
use crate::web::cx::Cx;
use crate::web::screens::inventory::{Cell, Narrow, ObjectRow, ObjectRows, Objects};
use crate::web::view::form::Choice;
use crate::web::view::list::{List, in_query};
use crate::web::view::navigation::Area;
use crate::web::view::status::Mark;
use crate::web::view::{Status, size};
use crate::web::{Answer, Site, Trouble};

/// Rows on a page.
const ROWS: u64 = 50;

/// What differs between the three lists.
struct Sort {
    title: &'static str,
    path: &'static str,
    columns: &'static [&'static str],
}

pub(crate) async fn hosts(State(site): State<Site>, cx: Cx) -> Answer {
    let sort = Sort {
        title: "Hosts",
        path: "/inventory/hosts",
        columns: &["Host", "Cluster", "Version", "State", "VMs"],
    };
    let mut rows = Vec::new();
    for vcenter in wanted(&site, &cx).await? {
        let places = site.app.vcenters()?.places(vcenter.id, None).await?;
        let of = |reference: &Option<crate::domain::moref::ManagedRef>| {
            let object = reference.as_ref()?;
            places.iter().find(|place| place.object.object == *object).map(|place| place.object.name.clone())
        };
        for host in places.iter().filter(|place| place.object.kind == PlaceKind::Host) {
            let fact = |name: &str| host.object.facts.get(name).cloned().unwrap_or_default();
            let state = match (fact("connection").as_str(), fact("maintenance").as_str()) {
                ("connected", "true") => Status::new(Mark::Risk, "maintenance"),
                ("connected", _) => Status::new(Mark::Met, "connected"),
                ("", _) => Status::new(Mark::Unknown, "unknown"),
                (word, _) => Status::new(Mark::Broken, word.to_owned()),
            };
            let vms = format!("/inventory?vcenter={}&host={}", vcenter.id, in_query(&host.object.object.id));
            rows.push(ObjectRow {
                vcenter: vcenter.name.clone(),
                gone: false,
                cells: vec![
                    Cell::text(&host.object.name),
                    Cell::text(of(&host.object.parent).unwrap_or_default()),
                    Cell::text(fact("version")),
                    Cell::status(state),
                    Cell::link("show", vms),
                ],
            });
        }
    }
    draw(&site, &cx, &sort, rows).await
}

pub(crate) async fn datastores(State(site): State<Site>, cx: Cx) -> Answer {
    let sort = Sort {
        title: "Datastores",
        path: "/inventory/datastores",
        columns: &["Datastore", "Type", "Used", "Hosts", "Export", "VMs"],
    };
    let mut rows = Vec::new();
    for vcenter in wanted(&site, &cx).await? {
        for known in site.app.vcenters()?.datastores(vcenter.id).await? {
            let one = known.object;
            let used = one.capacity_bytes.saturating_sub(one.free_bytes);
            let vms = format!("/inventory?vcenter={}&datastore={}", vcenter.id, in_query(one.object.id()));
            rows.push(ObjectRow {
                vcenter: vcenter.name.clone(),
                gone: known.gone_at.is_some(),
                cells: vec![
                    Cell::text(&one.name),
                    Cell::text(&one.kind),
                    if one.accessible {
                        Cell::meter(
                            size::percent(used, one.capacity_bytes),
                            size::part_of(used, one.capacity_bytes),
                            &one.name,
                        )
                    } else {
                        Cell::status(Status::new(Mark::Broken, "not accessible"))
                    },
                    Cell::number(one.hosts.len().to_string()),
                    Cell::code(one.nfs.map(|nfs| format!("{}:{}", nfs.host, nfs.path)).unwrap_or_default()),
                    Cell::link("show", vms),
                ],
            });
        }
    }
    draw(&site, &cx, &sort, rows).await
}

pub(crate) async fn networks(State(site): State<Site>, cx: Cx) -> Answer {
    let sort =
        Sort { title: "Networks", path: "/inventory/networks", columns: &["Network", "Kind", "VLAN", "VMs"] };
    let mut rows = Vec::new();
    for vcenter in wanted(&site, &cx).await? {
        for known in site.app.vcenters()?.networks(vcenter.id).await? {
            let one = known.object;
            let kind = match one.object.kind.as_str() {
                "DistributedVirtualPortgroup" => "distributed port group",
                "Network" => "standard port group",
                "OpaqueNetwork" => "opaque network",
                other => other,
            };
            let vms = format!("/inventory?vcenter={}&network={}", vcenter.id, in_query(&one.object.id));
            rows.push(ObjectRow {
                vcenter: vcenter.name.clone(),
                gone: known.gone_at.is_some(),
                cells: vec![
                    Cell::text(&one.name),
                    Cell::text(kind),
                    Cell::text(one.vlan.unwrap_or_else(|| "none".to_owned())),
                    Cell::link("show", vms),
                ],
            });
        }
    }
    draw(&site, &cx, &sort, rows).await
}

/// The connections that are shown: one, or all.
async fn wanted(site: &Site, cx: &Cx) -> Result<Vec<Vcenter>, Trouble> {
    let asked = cx.asked("vcenter").parse::<VcenterId>().ok();
    let all = site.app.vcenters()?.list().await?;
    Ok(match asked {
        Some(id) => all.into_iter().filter(|one| one.id == id).collect(),
        None => all,
    })
}

async fn draw(site: &Site, cx: &Cx, sort: &Sort, mut rows: Vec<ObjectRow>) -> Answer {
    let known = site.app.vcenters()?.list().await?;
    let search = cx.asked("q").trim().to_owned();
    let words = search.to_lowercase();
    rows.retain(|row| words.is_empty() || row.words().contains(&words));
    let mut all = vec![Choice::new("", "every vCenter")];
    all.extend(known.iter().map(|one| Choice::new(one.id.to_string(), one.name.clone())));
    let narrow = Narrow::new("vcenter", "vCenter", cx.asked("vcenter"), all);
    let number = cx.page_number();
    let list = List {
        path: sort.path.to_owned(),
        search,
        filters: narrow.filter().into_iter().collect(),
        sort: String::new(),
        descending: false,
        page: number,
        per_page: ROWS,
        total: rows.len() as u64,
    };
    let from = usize::try_from((number - 1) * ROWS).unwrap_or(usize::MAX);
    let shown = rows.into_iter().skip(from).take(usize::try_from(ROWS).unwrap_or(50)).collect();
    let (page, connected) = (cx.page(sort.title, Area::Inventory), !known.is_empty());
    if cx.wants_fragment() {
        return cx.draw(&ObjectRows { page, list, columns: sort.columns, connected, rows: shown });
    }
    cx.draw(&Objects { page, list, narrow, columns: sort.columns, connected, rows: shown })
}
