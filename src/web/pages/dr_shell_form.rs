//! The form of a DR shell: what was chosen, as it stands in an address, and what there is to choose from.

use std::collections::HashMap;

use crate::app::dr_shell_form::ShellChoices;
use crate::app::dr_shells::{DrShellPlan, ShellWish};
use crate::app::inventory::{Disk, Place, PlaceKind};
use crate::web::cx::typed;
use crate::web::screens::templates::FieldGroup;
use crate::web::view::form::{Choice, Field};
use crate::web::view::list::in_query;
use crate::web::view::{Html, html, size};

/// Before the number of a network, in the names of the fields: which one at the source, and which one stands for it.
pub(super) const FROM: &str = "from-";
/// See [`FROM`].
pub(super) const TO: &str = "to-";
/// The most networks that are read from an address.
const NETWORKS: usize = 32;

/// What was chosen.
#[derive(Debug, Clone, Default)]
pub(super) struct Chosen {
    pub(super) wish: ShellWish,
    pub(super) keep_view: bool,
}

/// Networks at the source and those that were chosen for them.
pub(super) fn chosen_networks(sent: &HashMap<String, String>) -> Vec<(String, String)> {
    let some = |name: String| Some(typed(sent, &name).trim().to_owned()).filter(|text| !text.is_empty());
    let pair = |number| Some((some(format!("{FROM}{number}"))?, some(format!("{TO}{number}"))?));
    (0..NETWORKS).filter_map(pair).collect()
}

impl Chosen {
    /// As it stands in an address or in a form; what a form begins with, where nothing was chosen yet.
    pub(super) fn read(sent: &HashMap<String, String>, choices: &ShellChoices) -> Self {
        let text = |name: &str| typed(sent, name).trim().to_owned();
        let some = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        if !sent.contains_key("home_datastore") {
            return Self { wish: choices.usual(), keep_view: false };
        }
        let wish = ShellWish {
            name: some("name"),
            host: some("host"),
            folder: some("folder"),
            resource_pool: some("resource_pool"),
            home_datastore: some("home_datastore"),
            networks: chosen_networks(sent),
            new_macs: text("new_macs") == "on",
        };
        Self { wish, keep_view: text("keep_view") == "on" }
    }

    /// As it is sent on.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let wish = &self.wish;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut pairs = vec![
            ("home_datastore".to_owned(), text(&wish.home_datastore)),
            ("name".to_owned(), text(&wish.name)),
            ("host".to_owned(), text(&wish.host)),
            ("folder".to_owned(), text(&wish.folder)),
            ("resource_pool".to_owned(), text(&wish.resource_pool)),
        ];
        for (number, (from, to)) in wish.networks.iter().enumerate() {
            pairs.push((format!("{FROM}{number}"), from.clone()));
            pairs.push((format!("{TO}{number}"), to.clone()));
        }
        for (name, on) in [("new_macs", wish.new_macs), ("keep_view", self.keep_view)] {
            if on {
                pairs.push((name.to_owned(), "on".to_owned()));
            }
        }
        pairs
    }

    pub(super) fn address(&self, step: &str) -> String {
        let pairs: Vec<String> = self
            .pairs()
            .iter()
            .map(|(name, value)| format!("{}={}", in_query(name), in_query(value)))
            .collect();
        format!("{step}?{}", pairs.join("&"))
    }
}

/// The networks of the source's cards, each once, in the order of the cards.
pub(super) fn sources(found: &DrShellPlan) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for card in &found.plan.cards {
        if !all.contains(&card.source_network) {
            all.push(card.source_network.clone());
        }
    }
    all
}

/// Which network at the DR site stands for each at the source.
pub(super) fn network_fields(wish: &ShellWish, choices: &ShellChoices, found: &DrShellPlan) -> Vec<Field> {
    let mut networks: Vec<Field> = Vec::new();
    for (number, from) in sources(found).into_iter().enumerate() {
        let named = wish.networks.iter().find(|(one, _)| *one == from).map(|(_, to)| to.clone());
        let same = choices.networks.iter().find(|one| one.name == from).map(|one| one.object.id.clone());
        let offered = choices.networks.iter().map(|one| {
            let vlan = one.vlan.as_ref().map(|vlan| format!(" (VLAN {vlan})")).unwrap_or_default();
            Choice::new(&one.object.id, format!("{}{vlan}", one.name))
        });
        let cards: Vec<&str> = found
            .plan
            .cards
            .iter()
            .filter(|card| card.source_network == from)
            .map(|card| card.label.as_str())
            .collect();
        let error = (number == 0).then(|| wrong(found, "networks")).flatten();
        networks.push(
            Field::select(
                format!("{TO}{number}"),
                format!("For {from}"),
                with_first("choose one", offered.collect()),
            )
            .value(named.or(same).unwrap_or_default())
            .hint(format!("{} at the source.", cards.join(", ")))
            .error(error),
        );
    }
    networks
}

/// What stands in the way beside a field.
fn wrong(found: &DrShellPlan, field: &str) -> Option<String> {
    let all: Vec<&str> = found
        .plan
        .obstacles
        .iter()
        .filter(|one| one.field == field)
        .map(|one| one.message.as_str())
        .collect();
    Some(all.join(" ")).filter(|text| !text.is_empty())
}

fn with_first(label: &str, all: Vec<Choice>) -> Vec<Choice> {
    std::iter::once(Choice::new("", label)).chain(all).collect()
}

pub(super) fn groups(chosen: &Chosen, choices: &ShellChoices, found: &DrShellPlan) -> Vec<FieldGroup> {
    let wish = &chosen.wish;
    let wrong = |field: &str| wrong(found, field);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let place = |place: &Place| Choice::new(&place.object.id, &place.name);
    let compute = |place: &Place| {
        let what = match place.kind {
            PlaceKind::Cluster => "cluster",
            _ => "host",
        };
        Choice::new(&place.object.id, format!("{} ({what})", place.name))
    };
    let homes = choices.homes.iter().map(|one| {
        let free = size::bytes(one.free_bytes);
        let label = format!("{} ({free} free, on {} hosts)", one.name, one.hosts.len());
        Choice::new(one.object.id(), label)
    });
    let whereabouts = vec![
        Field::line("name", "Name")
            .value(wish.name.clone().unwrap_or_else(|| found.source.name.clone()))
            .hint("In the DR vCenter.")
            .error(wrong("name"))
            .first(),
        Field::select("host", "Cluster or host", choices.computes.iter().map(compute).collect())
            .value(text(&wish.host))
            .hint("On which it is to run after a failover.")
            .error(wrong("host")),
        Field::select(
            "resource_pool",
            "Resource pool",
            with_first("that of the cluster or host", choices.pools.iter().map(place).collect()),
        )
        .value(text(&wish.resource_pool))
        .error(wrong("resource_pool"))
        .optional(),
        Field::select(
            "folder",
            "Folder",
            with_first("the datacenter's own", choices.folders.iter().map(place).collect()),
        )
        .value(text(&wish.folder))
        .error(wrong("folder"))
        .optional(),
        Field::select(
            "home_datastore",
            "Datastore of its own files",
            with_first("choose one", homes.collect()),
        )
        .value(text(&wish.home_datastore))
        .hint("Its configuration stays there, so it must not be replicated. The disks come from the replica.")
        .error(wrong("home_datastore")),
    ];
    let mut networks = network_fields(&chosen.wish, choices, found);
    let mut all = vec![FieldGroup { heading: "Where it is", lead: "At the DR site.", fields: whereabouts }];
    if !networks.is_empty() {
        networks.push(
            Field::check("new_macs", "Give its cards new MAC addresses")
                .value(if wish.new_macs { "on" } else { "" })
                .hint("Off: they keep those of the source, as reservations by DHCP and licences expect after a failover."),
        );
        all.push(FieldGroup {
            heading: "Networks",
            lead: "Which network at the DR site stands for which at the source.",
            fields: networks,
        });
    }
    all.push(FieldGroup {
        heading: "Its disks",
        lead: "They are attached once from a clone of the newest checkpoint, which proves that every file opens.",
        fields: vec![
            Field::check("keep_view", "Keep the clone mounted, with the disks attached")
                .value(if chosen.keep_view { "on" } else { "" })
                .hint(
                    "Off: the disks are recorded, and attached when a recovery needs them; nothing stays behind. On: they \
                     are seen in the DR vCenter at all times, as they were in that checkpoint, until somebody refreshes \
                     them. The clone holds the space of everything that changes since.",
                ),
        ],
    });
    all
}

pub(super) fn hardware(found: &DrShellPlan) -> Vec<(String, Html)> {
    let source = &found.source;
    let fact = |name: &str, text: String| (name.to_owned(), html::text(&text));
    let kinds = |all: Vec<String>| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    let controllers = source.hardware.controllers.iter().filter(|one| one.kind != "VirtualIDEController");
    let secure = if source.secure_boot { ", secure boot" } else { "" };
    vec![
        fact("Virtual CPUs", format!("{} ({} per socket)", source.cpus, source.cores_per_socket)),
        fact("Memory", size::bytes(source.memory_mib << 20).to_string()),
        fact("Firmware", format!("{}{secure}", source.firmware.as_str())),
        fact("Hardware version", source.version.map_or("unknown".to_owned(), |version| version.to_string())),
        fact("Guest", source.guest_id.clone().unwrap_or_else(|| "unknown".to_owned())),
        fact("Controllers", kinds(controllers.map(|one| format!("{} {}", one.kind, one.bus)).collect())),
        fact("Network cards", kinds(source.hardware.nics.iter().map(|nic| nic.kind.clone()).collect())),
    ]
}

pub(super) fn disks(found: &DrShellPlan) -> Vec<[String; 4]> {
    let hardware = &found.source.hardware;
    let row = |disk: &Disk| {
        let controller = hardware.controllers.iter().find(|one| one.key == disk.controller);
        let place = controller
            .map_or_else(|| "unknown".to_owned(), |one| format!("{} {}:{}", one.kind, one.bus, disk.unit));
        let file = disk.file.clone().unwrap_or_default();
        let path = file.split_once("] ").map_or(file.as_str(), |(_, path)| path).to_owned();
        [disk.label.clone(), size::bytes(disk.capacity_bytes).to_string(), place, path]
    };
    hardware.disks.iter().map(row).collect()
}
