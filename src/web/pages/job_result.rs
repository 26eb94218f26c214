//! What a job has made, on its page: the appliance of a deployment, the datastore and how each host took it.

use axum::extract::{Path, State};

use crate::app::datastore_mounts::{HostMount, Mounts};
use crate::domain::access::Role;
use crate::domain::ids::{JobId, TargetId, VcenterId};
use crate::domain::job::{Job, JobState};
use crate::domain::target::IpSource;
use crate::web::cx::{Cx, Typed, done, typed};
use crate::web::screens::jobs::{HostRow, JobResult, NextStep};
use crate::web::view::list::in_query;
use crate::web::view::wizard::WizardStep;
use crate::web::view::{Html, Mark, Status, html};
use crate::web::{Answer, Site, Trouble};

const DEPLOY: &str = "deploy_zfs_target";
const MOVE: &str = "move_to_protection_datastore";
const SHELL: &str = "create_dr_shell";
const DELETE: &str = "delete_replica";

/// The steps of the wizard that a job is the last step of.
pub(super) fn steps(job: &Job) -> Vec<WizardStep> {
    let (names, current): (&[&str], usize) = match (job.kind.as_str(), job.state) {
        (DEPLOY, _) => (&["Template", "Configure", "Review", "Deploy"], 3),
        (MOVE, JobState::Succeeded) => (&["Compare", "Move", "Verified"], 2),
        (MOVE, _) => (&["Compare", "Move", "Verified"], 1),
        (SHELL, _) => (&["Plan", "Review", "Make"], 2),
        _ => return Vec::new(),
    };
    let step = |(place, name): (usize, &&str)| WizardStep {
        name: (*name).to_owned(),
        address: None,
        current: place == current,
    };
    names.iter().enumerate().map(step).collect()
}

fn link(address: &str, label: &str) -> Html {
    Html(format!("<a href=\"{address}\">{}</a>", html::escape(label)))
}

/// What it has made; nothing while it is under way, and of kinds that make nothing.
pub(super) async fn result(site: &Site, cx: &Cx, job: &Job) -> Result<Option<JobResult>, Trouble> {
    if job.state != JobState::Succeeded {
        return Ok(None);
    }
    let mounts = site.app.mounts(job).await?;
    let mut made = JobResult {
        heading: "What it made",
        facts: Vec::new(),
        hosts: Vec::new(),
        next: Vec::new(),
        again: None,
    };
    match job.kind.as_str() {
        DEPLOY => appliance(site, cx, job, &mut made).await?,
        MOVE => moved(site, cx, job, &mut made).await?,
        SHELL => shell(site, job, &mut made).await?,
        DELETE => deleted(job, &mut made),
        "create_protection_datastore" | "mount_datastore" => datastore(job, mounts.as_ref(), &mut made),
        _ => return Ok(None),
    }
    if let Some(mounts) = mounts {
        let left = mounts.hosts.iter().filter(|one| one.failed.is_some() && !one.is_there).count();
        let may = cx.may(Role::Operator);
        made.hosts = mounts.hosts.iter().map(|one| row(one, may)).collect();
        made.again = (left > 1 && may).then(|| format!("Mount on these {left} hosts"));
    }
    Ok(Some(made))
}

fn row(one: &HostMount, may: bool) -> HostRow {
    let left = one.failed.is_some() && !one.is_there;
    let status = match (&one.failed, one.is_there) {
        (None, _) if one.was_there => Status::new(Mark::Met, "was mounted already"),
        (None, _) => Status::new(Mark::Met, "mounted"),
        (Some(_), true) => Status::new(Mark::Met, "mounted since"),
        (Some(_), false) => Status::new(Mark::Broken, "not mounted"),
    };
    HostRow {
        name: one.host.name.clone(),
        status,
        message: one.failed.clone().filter(|_| left).unwrap_or_default(),
        again: (left && may).then(|| one.host.moref.id().to_owned()),
    }
}

async fn appliance(site: &Site, cx: &Cx, job: &Job, made: &mut JobResult) -> Result<(), Trouble> {
    let result = job.result.clone().unwrap_or_default();
    let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
    let target = result["replication_target_id"].as_str().and_then(|id| id.parse::<TargetId>().ok());
    // It may have been removed since.
    let target = match target {
        Some(id) => site.app.target(id).await.ok(),
        None => None,
    };
    if let Some(target) = &target {
        let name = link(&format!("/appliances/{}", target.id), &target.name);
        made.facts.push(("Appliance".to_owned(), name));
    }
    let vcenter = job.input["vcenter_id"].as_str().and_then(|id| id.parse::<VcenterId>().ok());
    if let Some(vcenter) = vcenter {
        let address = format!("/inventory/{vcenter}/vms/{}", text("cloned_vm_moref"));
        made.facts.push(("Virtual machine".to_owned(), link(&address, &text("vm_name"))));
    }
    let how = match target.as_ref().and_then(|target| target.deployed.ip_source) {
        Some(IpSource::Dhcp) => " by DHCP: it needs a reservation there",
        _ => "",
    };
    let key = match result["host_key_published"] == true {
        true => "published by the guest itself",
        false => "as it was shown first: compare it on the machine's console",
    };
    let pool = text("zfs_pool");
    let size = job.input["zfs_disk_gb"].as_u64().unwrap_or(0);
    for (name, fact) in [
        ("Address", format!("{}{how}", text("detected_ip"))),
        ("Host key", format!("{} ({key})", text("host_key"))),
        ("Pool", format!("{pool}, on a disk of {size} GiB")),
        ("NFS export", format!("{}:/{pool}/nfs", text("detected_ip"))),
        ("Datastore", text("datastore_name")),
    ] {
        if !fact.is_empty() {
            made.facts.push((name.to_owned(), html::text(&fact)));
        }
    }
    if let Some(target) = target.filter(|_| cx.may(Role::Operator)) {
        let address = format!("/appliances/{}", target.id);
        made.next = vec![
            NextStep { label: "Test connection", address: format!("{address}/test"), sends: true },
            NextStep {
                label: "Create a protection datastore",
                address: format!("{address}/datastores/new"),
                sends: false,
            },
            NextStep {
                label: "Protect VMs with it",
                address: match vcenter {
                    Some(id) => {
                        format!(
                            "/protection-groups/new?vcenter={id}&datastore={}",
                            in_query(&text("datastore_name"))
                        )
                    }
                    None => "/protection-groups/new".to_owned(),
                },
                sends: false,
            },
        ];
    }
    Ok(())
}

/// Where a protected virtual machine is looked at; nothing if it is not protected any more.
async fn page_of(site: &Site, instance_uuid: &serde_json::Value) -> Result<Option<String>, Trouble> {
    let uuid = instance_uuid.as_str().unwrap_or_default();
    let vm = site.app.protected_vm_with(uuid).await?;
    Ok(vm.map(|vm| super::protected_vms::address(vm.id)))
}

async fn moved(site: &Site, cx: &Cx, job: &Job, made: &mut JobResult) -> Result<(), Trouble> {
    let result = job.result.clone().unwrap_or_default();
    made.heading = "Read back from the vCenter";
    let datastore = result["datastore"].as_str().unwrap_or_default();
    let all = result["vms"].as_array().map(Vec::as_slice).unwrap_or_default();
    for vm in all {
        let name = vm["name"].as_str().unwrap_or_default();
        let disks = vm["disks"].as_array().map_or(0, Vec::len);
        let how = if vm["moved"] == true { "moved" } else { "was there already" };
        let page = page_of(site, &vm["instance_uuid"]).await?;
        let label = page.as_ref().map_or_else(|| html::text(name), |page| link(page, name));
        let fact = format!("{label}: {how}, {disks} disks on {}", html::escape(datastore));
        made.facts.push(("Virtual machine".to_owned(), Html(fact)));
        if let (Some(page), [_], true) = (page, all, cx.may(Role::Operator)) {
            made.next = vec![NextStep {
                label: "Make its DR shell…",
                address: format!("{page}/dr-shell"),
                sends: false,
            }];
        }
    }
    Ok(())
}

async fn shell(site: &Site, job: &Job, made: &mut JobResult) -> Result<(), Trouble> {
    let result = job.result.clone().unwrap_or_default();
    let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
    let vcenter = job.input["dr_vcenter_id"].as_str().and_then(|id| id.parse::<VcenterId>().ok());
    if let Some(vcenter) = vcenter {
        let address = format!("/inventory/{vcenter}/vms/{}", text("vm_moref"));
        made.facts.push(("DR shell".to_owned(), link(&address, &text("name"))));
    }
    if let Some(page) = page_of(site, &job.input["source_uuid"]).await? {
        let name = job.input["source_name"].as_str().unwrap_or_default();
        made.facts.push(("Stands for".to_owned(), link(&page, name)));
    }
    let word = if result["disks"] == 1 { "disk" } else { "disks" };
    let proved = format!("{} {word}, from {}", result["disks"], text("checkpoint"));
    made.facts.push(("Proved".to_owned(), html::text(&proved)));
    let view = match result["view"].as_str() {
        Some(datastore) => format!("kept as the datastore {datastore}, with the disks attached"),
        None => "taken away again: the disks are attached when a recovery needs them".to_owned(),
    };
    made.facts.push(("Clone".to_owned(), html::text(&view)));
    Ok(())
}

fn deleted(job: &Job, made: &mut JobResult) {
    let result = job.result.clone().unwrap_or_default();
    let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
    made.heading = "What is gone";
    made.facts.push(("Group".to_owned(), html::text(&text("name"))));
    let checkpoints = format!("{}, with {} checkpoints", text("replica"), result["destroyed_snapshots"]);
    made.facts.push(("Replica".to_owned(), html::text(&checkpoints)));
    let source = job.input["source_dataset"].as_str().unwrap_or_default();
    let stays = format!(
        "{source} stays; {} snapshots of the group were destroyed there",
        result["destroyed_at_source"]
    );
    made.facts.push(("At the source".to_owned(), html::text(&stays)));
}

fn datastore(job: &Job, mounts: Option<&Mounts>, made: &mut JobResult) {
    let Some(mounts) = mounts else { return };
    let mut fact = |name: &str, fact: Html| made.facts.push((name.to_owned(), fact));
    fact("Datastore", html::text(&mounts.name));
    if let Some(dataset) = job.input["dataset"].as_str() {
        fact("Dataset", html::text(dataset));
    }
    fact("NFS export", html::text(&format!("{}:{}", mounts.export.host, mounts.export.path)));
    if let Some(target) = job.input["target_id"].as_str().and_then(|id| id.parse::<TargetId>().ok()) {
        fact("Appliance", link(&format!("/appliances/{target}#datastores"), "all its datastores"));
    }
}

pub(crate) async fn mount_again(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<JobId>,
    axum::Form(form): Typed,
) -> Answer {
    let host = typed(&form, "host");
    let wanted: Vec<String> = Some(host.to_owned()).filter(|host| !host.is_empty()).into_iter().collect();
    let job = site.app.mount_again(cx.who()?, id, &wanted).await?;
    Ok(done(&site, &format!("/jobs/{job}"), "Mounting is tried again."))
}
