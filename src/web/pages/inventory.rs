//! `/inventory`: the virtual machines of all vCenters, searched, filtered, sorted and paged by the address.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio_util::sync::CancellationToken;

use crate::app::inventory::{PowerState, VmFilter, VmLine, VmSort};
use crate::app::vcenters::{Vcenter, VcenterCases};
use crate::domain::ids::VcenterId;
use crate::domain::moref::{DatastoreRef, ManagedRef};
use crate::web::cx::Cx;
use crate::web::screens::inventory::{Inventory, Narrow, VmRow, VmRows};
use crate::web::view::form::Choice;
use crate::web::view::list::{Filter, List, in_query};
use crate::web::view::navigation::Area;
use crate::web::view::status::Mark;
use crate::web::view::{Status, size};
use crate::web::{Answer, Site, Trouble};

/// Rows on a page: with all that is drawn for each, a page stays well under 100 KiB.
const ROWS: u64 = 40;
/// Most choices of a filter; what is beyond is found by searching.
const CHOICES: usize = 200;
/// How often it is asked whether the reader may still read.
const ASKED: Duration = Duration::from_secs(15);

/// The columns that a list can be sorted by, as they stand in the address.
const COLUMNS: [(&str, VmSort); 5] = [
    ("name", VmSort::Name),
    ("power", VmSort::Power),
    ("cpus", VmSort::Cpus),
    ("memory", VmSort::Memory),
    ("disks", VmSort::DiskBytes),
];

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let cases = site.app.vcenters()?;
    let known = cases.list().await?;
    let narrowed = narrow(&cx, cases, &known).await?;
    let (column, descending) = sorting(cx.asked("sort"));
    let number = cx.page_number();
    let filter = VmFilter {
        sort: COLUMNS.iter().find(|(name, _)| *name == column).map(|(_, sort)| *sort).unwrap_or_default(),
        descending,
        offset: u32::try_from((number - 1) * ROWS).unwrap_or(u32::MAX),
        limit: u32::try_from(ROWS).unwrap_or(u32::MAX),
        ..narrowed.filter
    };
    let found = cases.vms(&filter).await?;
    let names: BTreeMap<VcenterId, &str> = known.iter().map(|one| (one.id, one.name.as_str())).collect();
    let list = List {
        path: "/inventory".to_owned(),
        search: cx.asked("q").to_owned(),
        filters: narrowed.on,
        sort: column.to_owned(),
        descending,
        page: number,
        per_page: ROWS,
        total: found.total,
    };
    let rows = found.items.iter().map(|line| row(line, names.get(&line.vcenter).copied())).collect();
    let (frame, connected) = (cx.page("Inventory", Area::Inventory), !known.is_empty());
    if cx.wants_fragment() {
        return cx.draw(&VmRows { page: frame, list, connected, rows });
    }
    let may_connect = cx.may(crate::domain::access::Role::Admin);
    cx.draw(&Inventory { page: frame, list, narrow: narrowed.choices, connected, may_connect, rows })
}

/// A column and whether the largest comes first; by name where it is none.
fn sorting(asked: &str) -> (&'static str, bool) {
    let (descending, wanted) = match asked.strip_prefix('-') {
        Some(column) => (true, column),
        None => (false, asked),
    };
    match COLUMNS.iter().find(|(name, _)| *name == wanted) {
        Some((name, _)) => (name, descending),
        None => ("name", false),
    }
}

/// What the address narrows the list to.
struct Narrowed {
    filter: VmFilter,
    on: Vec<Filter>,
    choices: Vec<Narrow>,
}

async fn narrow(cx: &Cx, cases: &VcenterCases, known: &[Vcenter]) -> Result<Narrowed, Trouble> {
    let asked = |name: &str| cx.asked(name).to_owned();
    let vcenter = asked("vcenter").parse::<VcenterId>().ok();
    let vcenter = vcenter.filter(|id| known.iter().any(|one| one.id == *id));
    let word = |name: &'static str, words: &[&'static str]| {
        words.iter().find(|word| **word == asked(name)).copied().unwrap_or_default()
    };
    let power = word("power", &["on", "off", "suspended"]);
    let kind = word("kind", &["vm", "template"]);
    let gone = word("gone", &["with", "only"]);
    let mut filter = VmFilter {
        vcenter,
        search: Some(asked("q")),
        power: (!power.is_empty()).then(|| PowerState::parse(power)),
        template: (!kind.is_empty()).then_some(kind == "template"),
        with_gone: gone == "with",
        only_gone: gone == "only",
        ..VmFilter::default()
    };
    let choice = |value: &str, label: &str| Choice::new(value, label);
    let mut choices = vec![
        Narrow::new("vcenter", "vCenter", &asked("vcenter"), {
            let mut all = vec![choice("", "every vCenter")];
            all.extend(known.iter().map(|one| Choice::new(one.id.to_string(), one.name.clone())));
            all
        }),
        Narrow::new(
            "power",
            "Power",
            power,
            vec![
                choice("", "any power state"),
                choice("on", "on"),
                choice("off", "off"),
                choice("suspended", "suspended"),
            ],
        ),
        Narrow::new(
            "kind",
            "Kind",
            kind,
            vec![
                choice("", "VMs and templates"),
                choice("vm", "VMs only"),
                choice("template", "templates only"),
            ],
        ),
        Narrow::new(
            "gone",
            "Gone",
            gone,
            vec![
                choice("", "without those gone"),
                choice("with", "with those gone"),
                choice("only", "only those gone"),
            ],
        ),
    ];
    // These belong to one vCenter, so they come once it is chosen, or if there is but one.
    let one = vcenter.or_else(|| known.first().filter(|_| known.len() == 1).map(|one| one.id));
    let mut hosts = Vec::new();
    if let Some(one) = one {
        let datastores = cases.datastores(one).await?;
        let networks = cases.networks(one).await?;
        let all = |label: &str, items: Vec<(String, String)>| {
            let mut all = vec![Choice::new("", label)];
            all.extend(items.into_iter().take(CHOICES).map(|(id, name)| Choice::new(id, name)));
            all
        };
        let stores = datastores.iter().map(|d| (d.object.object.id().to_owned(), d.object.name.clone()));
        let nets = networks.iter().map(|n| (n.object.object.id.clone(), n.object.name.clone()));
        choices.push(Narrow::new(
            "datastore",
            "Datastore",
            &asked("datastore"),
            all("every datastore", stores.collect()),
        ));
        choices.push(Narrow::new(
            "network",
            "Network",
            &asked("network"),
            all("every network", nets.collect()),
        ));
        let some = |name: &str| Some(asked(name)).filter(|value| !value.is_empty());
        filter.datastore = some("datastore").map(DatastoreRef::new);
        filter.network = some("network");
        if let Some(host) = some("host") {
            filter.place = Some(ManagedRef::new("HostSystem", &host));
            hosts.push(host);
        }
        if filter.datastore.is_some() || filter.network.is_some() || filter.place.is_some() {
            filter.vcenter = Some(one);
        }
    }
    let mut on: Vec<Filter> = choices.iter().filter_map(Narrow::filter).collect();
    let host = |host: String| Filter { name: "host".into(), label: format!("host: {host}"), value: host };
    on.extend(hosts.into_iter().map(host));
    Ok(Narrowed { filter, on, choices })
}

/// How a power state is shown. Being off is no fault.
pub(super) fn power(state: PowerState) -> Status {
    let mark = match state {
        PowerState::On => Mark::Met,
        PowerState::Off | PowerState::Suspended | PowerState::Unknown => Mark::Unknown,
    };
    Status::new(mark, state.as_str())
}

/// The page of a virtual machine.
pub(super) fn address(vcenter: VcenterId, moref: &str) -> String {
    format!("/inventory/{vcenter}/vms/{}", in_query(moref))
}

fn row(line: &VmLine, vcenter: Option<&str>) -> VmRow {
    VmRow {
        name: line.name.clone(),
        address: address(line.vcenter, line.object.id()),
        power: power(line.power),
        guest: line.guest.clone().unwrap_or_default(),
        ip: line.guest_ip.clone(),
        cpus: line.cpus,
        memory: size::bytes(line.memory_bytes).to_string(),
        disks: size::bytes(line.disk_bytes).to_string(),
        datastore: line.datastores.join(", "),
        vcenter: vcenter.unwrap_or_default().to_owned(),
        template: line.template,
        protection: None,
        gone: line.gone_at.is_some(),
    }
}

/// The event `inventory` whenever something of a vCenter has changed.
pub(crate) async fn events(
    State(site): State<Site>,
    cx: Cx,
    Extension(closing): Extension<CancellationToken>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Trouble> {
    let (who, watcher) = (cx.who()?.clone(), site.app.vcenters()?.watch(None));
    let mut asked = tokio::time::interval(ASKED);
    asked.reset();
    let stream = unfold((watcher, asked), move |(mut watcher, mut asked)| {
        let (app, who, closing) = (site.app.clone(), who.clone(), closing.clone());
        async move {
            loop {
                tokio::select! {
                    biased;
                    () = closing.cancelled() => return None,
                    update = watcher.next() => {
                        update?;
                        return Some((Ok(Event::default().event("inventory").data("")), (watcher, asked)));
                    }
                    _ = asked.tick() => {
                        if !app.still_good(&who).await.unwrap_or(false) {
                            return None;
                        }
                    }
                }
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
}
