//! The forms of a recovery plan: what it says of one machine, and where networks go.

use std::collections::{BTreeMap, HashMap};

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::recovery_plan_nics::{nic_fields, read_nics};
use super::recovery_plans::{crumbs, plan_address, save};
use crate::app::AppError;
use crate::app::recovery_plans::{
    BootCheck, BootProof, MappedNetwork, Mend, PlanView, PlanVm, Purpose, RecoveryPlan, mend_address,
    network_name,
};
use crate::domain::ids::{GroupId, ProtectedVmId};
use crate::web::cx::{Cx, Typed, done, typed};
use crate::web::screens::recovery_plans::RecoveryForm;
use crate::web::view::form::{Choice, Control, Field};
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site};

/// What a select says where nothing is mapped, and where cards stay disconnected. No reference is like these.
const UNMAPPED: &str = "";
const NOWHERE: &str = "-";

/// The networks at the source, key and name, by name: those of the newest checkpoint, and those that the plan maps.
pub(super) fn networks_of(view: &PlanView) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let maps = &view.plan.networks;
    for key in maps.test.keys().chain(maps.real.keys()) {
        all.insert(key.clone(), key.clone());
    }
    if let Some(manifest) = &view.manifest {
        let nics = manifest.vms.iter().filter_map(|vm| vm.machine.as_ref());
        for key in nics.flat_map(|machine| &machine.hardware.nics).filter_map(|nic| nic.network.key()) {
            all.insert(key.to_owned(), network_name(manifest, key));
        }
    }
    let mut all: Vec<(String, String)> = all.into_iter().collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all
}

/// Where the cards of a network go, in words.
pub(super) fn mapped_word(plan: &RecoveryPlan, purpose: Purpose, key: &str) -> String {
    match (plan.networks_for(purpose).get(key), purpose) {
        (Some(MappedNetwork::Network { name, .. }), _) => name.clone(),
        (Some(MappedNetwork::Disconnected), _) => "disconnected".to_owned(),
        (None, Purpose::Test) => "not mapped: disconnected".to_owned(),
        (None, Purpose::Real) => "as the DR shell has it".to_owned(),
    }
}

/// The fields of a boot check. `may_be_none`: the plan's own can hold instead.
pub(super) fn proof_choices(check: Option<BootCheck>, may_be_none: bool) -> Vec<Field> {
    let mut choices = vec![
        Choice::new("tools", "VMware Tools run"),
        Choice::new("ip", "The guest has an address"),
        Choice::new("tcp_port", "A TCP port of it answers"),
        Choice::new("none", "None: powered on is enough"),
    ];
    if may_be_none {
        choices.insert(0, Choice::new("default", "As the plan says for all"));
    }
    let shown = check.unwrap_or_default();
    let port = match shown.proof {
        BootProof::TcpPort { port } => port.to_string(),
        _ => String::new(),
    };
    vec![
        Field::select("proof", "What proves that it runs", choices)
            .value(check.map_or("default", |check| check.proof.as_str())),
        Field::number("port", "TCP port")
            .value(port)
            .hint("Asked only where a TCP port is the proof.")
            .optional(),
        Field::number("limit", "Time limit after power-on")
            .value(shown.limit_seconds.to_string())
            .unit("s")
            .hint("After it the check has failed, and the plan goes on."),
    ]
}

/// The boot check that was typed; none: that of the plan.
pub(super) fn read_check(form: &HashMap<String, String>) -> Result<Option<BootCheck>, String> {
    let proof = match typed(form, "proof") {
        "default" | "" => return Ok(None),
        "tools" => BootProof::Tools,
        "ip" => BootProof::Ip,
        "none" => BootProof::None,
        "tcp_port" => {
            let port = typed(form, "port").trim().parse();
            BootProof::TcpPort {
                port: port.map_err(|_| "The TCP port is a number from 1 to 65535.".to_owned())?,
            }
        }
        other => return Err(format!("{other:?} is no boot check.")),
    };
    let limit = typed(form, "limit").trim().parse();
    let limit_seconds = limit.map_err(|_| "The time limit is a number of seconds.".to_owned())?;
    Ok(Some(BootCheck { proof, limit_seconds }))
}

/// A number of seconds that may be left empty.
fn seconds(text: &str) -> Result<u32, String> {
    match text.trim() {
        "" => Ok(0),
        text => text.parse().map_err(|_| format!("{text:?} is no number of seconds.")),
    }
}

async fn view_of(
    site: &Site,
    id: GroupId,
    vm: ProtectedVmId,
) -> Result<(PlanView, usize, PlanVm, String), AppError> {
    let view = site.app.recovery_plan(id).await?;
    let named = view.vm(vm).map(|known| known.name.clone());
    let found = view.plan.find(vm).map(|(tier, said)| (tier, said.clone()));
    match (named, found) {
        (Some(name), Some((tier, said))) => Ok((view, tier, said, name)),
        _ => Err(AppError::NotFound(format!("there is no virtual machine {vm} in this group"))),
    }
}

pub(crate) async fn machine(
    State(site): State<Site>,
    cx: Cx,
    Path((id, vm)): Path<(GroupId, ProtectedVmId)>,
) -> Answer {
    let (view, tier, said, name) = view_of(&site, id, vm).await?;
    let sections = vm_sections(&view, tier, &said);
    cx.draw(&form_page(&cx, &view, (&name, Mend::Vm(vm)), sections, Vec::new()))
}

fn form_page(
    cx: &Cx,
    view: &PlanView,
    (name, what): (&str, Mend),
    sections: Vec<(String, String, Vec<Field>)>,
    errors: Vec<String>,
) -> RecoveryForm {
    let id = view.group.id;
    let (title, lead) = match what {
        Mend::Networks => (
            "Map networks".to_owned(),
            format!(
                "Where the network cards of {} go when it is tested, and when it is recovered.",
                view.group.name
            ),
        ),
        _ => (
            format!("Recovery of {name}"),
            format!("What the recovery plan of {} says about it.", view.group.name),
        ),
    };
    let mut page = cx.page(title, Area::Protection);
    page.crumbs = crumbs(&view.group.name, id);
    RecoveryForm {
        page,
        lead,
        errors,
        action: mend_address(id, what),
        version: view.version,
        sections,
        back: plan_address(id),
        button: if what == Mend::Networks { "Save the map" } else { "Save" },
    }
}

fn vm_sections(view: &PlanView, tier: usize, said: &PlanVm) -> Vec<(String, String, Vec<Field>)> {
    let tiers = view.plan.tiers.iter().zip(1..);
    let tiers: Vec<Choice> = tiers
        .map(|(tier, number)| Choice::new(number.to_string(), format!("Tier {number}: {}", tier.name)))
        .collect();
    let on = |yes: bool| if yes { "on" } else { "" };
    let start = vec![
        Field::select("tier", "Tier", tiers).value(tier.to_string()),
        Field::number("delay", "Pause before it").value(said.delay_before_seconds.to_string()).unit("s"),
        Field::check("left_out", "Leave it out: it is not recovered").value(on(said.left_out)),
    ];
    let people = vec![
        Field::line("prompt_before", "Before it is powered on, ask")
            .value(&said.prompt_before)
            .hint("A person has to confirm it. Empty: nobody is asked.")
            .optional(),
        Field::line("prompt_after", "After its check, ask").value(&said.prompt_after).optional(),
        Field::new("notes", "Notes", Control::Block).value(&said.notes).optional(),
    ];
    let section = |heading: &str, lead: &str, fields| (heading.to_owned(), lead.to_owned(), fields);
    let mut all = vec![
        section("Start", "When it is powered on.", start),
        section("Boot check", "What proves that it runs.", proof_choices(said.check, true)),
    ];
    all.extend(nic_fields(view, said));
    all.push(section("People", "What somebody has to do or to know.", people));
    all
}

fn read_vm(form: &HashMap<String, String>, view: &PlanView, said: &PlanVm) -> (PlanVm, Vec<String>) {
    let (mut new, mut errors) = (said.clone(), Vec::new());
    match seconds(typed(form, "delay")) {
        Ok(delay) => new.delay_before_seconds = delay,
        Err(error) => errors.push(error),
    }
    match read_check(form) {
        Ok(check) => new.check = check,
        Err(error) => errors.push(error),
    }
    new.left_out = form.contains_key("left_out");
    let text = |name: &str| typed(form, name).trim().to_owned();
    new.prompt_before = text("prompt_before");
    new.prompt_after = text("prompt_after");
    new.notes = text("notes");
    new.nics = read_nics(form, view, said, &mut errors);
    (new, errors)
}

pub(crate) async fn change_machine(
    State(site): State<Site>,
    cx: Cx,
    Path((id, vm)): Path<(GroupId, ProtectedVmId)>,
    Form(form): Typed,
) -> Answer {
    let (view, tier, said, name) = view_of(&site, id, vm).await?;
    let (new, mut errors) = read_vm(&form, &view, &said);
    let wanted: usize = typed(&form, "tier").parse().unwrap_or(tier);
    let mut plan = view.plan.clone();
    if !plan.put_vm(wanted.wrapping_sub(1), new.clone()) {
        errors.push("The plan has no such tier any more.".to_owned());
    }
    if errors.is_empty() {
        match save(&site, &cx, id, &form, &plan).await? {
            Ok(()) => {
                return Ok(done(
                    &site,
                    &plan_address(id),
                    &format!("What the plan says about {name} is saved."),
                ));
            }
            Err(wrong) => errors = wrong,
        }
    }
    let mut sections = vm_sections(&view, wanted, &new);
    as_typed(&mut sections, &form);
    let page = form_page(&cx, &view, (&name, Mend::Vm(vm)), sections, errors);
    cx.draw_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// What was typed stays, also what could not be read.
fn as_typed(sections: &mut [(String, String, Vec<Field>)], form: &HashMap<String, String>) {
    for field in sections.iter_mut().flat_map(|(.., fields)| fields) {
        if let Some(text) = form.get(&field.name).filter(|_| !field.is_check()) {
            field.value.clone_from(text);
        }
    }
}

fn map_sections(view: &PlanView) -> Vec<(String, String, Vec<Field>)> {
    let (test, real) = (&view.plan.networks.test, &view.plan.networks.real);
    let field = |index: usize, purpose: &str, label: &str, unmapped: &str, now: Option<&MappedNetwork>| {
        let mut choices =
            vec![Choice::new(UNMAPPED, unmapped), Choice::new(NOWHERE, "Leave cards disconnected")];
        choices.extend(view.networks.iter().map(|one| Choice::new(&*one.object.id, &*one.name)));
        let value = match now {
            None => UNMAPPED,
            Some(MappedNetwork::Disconnected) => NOWHERE,
            Some(MappedNetwork::Network { id, name }) => {
                if !view.networks.iter().any(|one| one.object.id == *id) {
                    choices.push(Choice::new(&**id, format!("{name} (gone)")));
                }
                id
            }
        };
        let field = Field::select(format!("{purpose}-{index}"), label, choices);
        Field { bare: true, ..field.value(value).optional() }
    };
    let sections = networks_of(view).into_iter().enumerate().map(|(index, (key, name))| {
        let fields = vec![
            field(index, "test", "In tests", "Not mapped: disconnected", test.get(&key)),
            field(index, "real", "In real recoveries", "As the DR shell has it", real.get(&key)),
        ];
        (name, "What stands for this network of the source at the DR site.".to_owned(), fields)
    });
    sections.collect()
}

pub(crate) async fn networks(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let view = site.app.recovery_plan(id).await?;
    let page = form_page(&cx, &view, ("", Mend::Networks), map_sections(&view), Vec::new());
    cx.draw(&page)
}

pub(crate) async fn map_networks(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let view = site.app.recovery_plan(id).await?;
    let (mut plan, mut errors) = (view.plan.clone(), Vec::new());
    for (index, (key, name)) in networks_of(&view).into_iter().enumerate() {
        for (purpose, map) in [("test", &mut plan.networks.test), ("real", &mut plan.networks.real)] {
            let Some(wanted) = form.get(&format!("{purpose}-{index}")) else { continue };
            let same = |now: &MappedNetwork| matches!(now, MappedNetwork::Network { id, .. } if id == wanted);
            let there = view.networks.iter().find(|one| one.object.id == *wanted);
            match (wanted.as_str(), there) {
                (UNMAPPED, _) => _ = map.remove(&key),
                (NOWHERE, _) => _ = map.insert(key.clone(), MappedNetwork::Disconnected),
                (_, Some(one)) => {
                    let to = MappedNetwork::Network { id: one.object.id.clone(), name: one.name.clone() };
                    map.insert(key.clone(), to);
                }
                // It is gone, and was chosen before: the check says so.
                (_, None) if map.get(&key).is_some_and(same) => {}
                (_, None) => {
                    errors.push(format!("The network chosen for {name} is not in the DR vCenter any more."))
                }
            }
        }
    }
    if errors.is_empty() {
        match save(&site, &cx, id, &form, &plan).await? {
            Ok(()) => return Ok(done(&site, &plan_address(id), "The networks are mapped.")),
            Err(wrong) => errors = wrong,
        }
    }
    let mut sections = map_sections(&view);
    as_typed(&mut sections, &form);
    let page = form_page(&cx, &view, ("", Mend::Networks), sections, errors);
    cx.draw_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
}
