//! A small kind of job that makes a virtual machine from a template and powers it on, by the means that all kinds use
//! that start tasks on a vCenter.

#![allow(dead_code)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zerfaux::domain::job::Failure;
use zerfaux::domain::moref::{FolderRef, PoolRef, VmRef};
use zerfaux::engine::{Definition, Retry, Step, StepContext, UndoKind};
use zerfaux::jobs::vsphere_make::{Made, MakeVm, Making};
use zerfaux::jobs::vsphere_power::SetPower;
use zerfaux::jobs::vsphere_task::once;
use zerfaux::jobs::vsphere_vm::{PlannedVm, as_planned};
use zerfaux::vsphere::verbs::CloneVm;
use zerfaux::vsphere::{Client, Login, PropertySet, Scope};

pub const KIND: &str = "make_a_vm";

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wish {
    pub template: String,
    pub folder: String,
    pub pool: String,
    pub name: String,
}

/// Logs in once for all steps.
#[derive(Clone)]
pub struct Place(Arc<tokio::sync::OnceCell<Client>>, Login);

impl Place {
    pub fn new(login: Login) -> Self {
        Self(Arc::default(), login)
    }
    pub async fn client(&self) -> Result<Client, Failure> {
        Ok(self.0.get_or_try_init(|| Client::connect(self.1.clone())).await?.clone())
    }
}

pub fn definition(login: Login) -> Definition {
    let place = Place::new(login);
    Definition::new(KIND, vec![Box::new(Make(place.clone())), Box::new(PowerOn(place))])
}

const AGAIN: Retry = Retry { attempts: 3, pause: Duration::from_millis(200) };

struct Make(Place);

fn deed(cx: &StepContext) -> Result<MakeVm, Failure> {
    let wish: Wish = cx.input()?;
    let clone = CloneVm {
        source: VmRef::new(wish.template),
        name: wish.name,
        folder: FolderRef::new(wish.folder),
        pool: PoolRef::new(wish.pool),
        datastore: None,
        host: None,
        config: None,
        customization: None,
        power_on: false,
    };
    Ok(MakeVm::new(Making::Clone(clone), format!("{}/make", cx.job().id)))
}

#[async_trait]
impl Step for Make {
    fn name(&self) -> &'static str {
        "make"
    }
    fn percent(&self) -> (u8, u8) {
        (0, 80)
    }
    fn retry(&self) -> Retry {
        AGAIN
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let client = self.0.client().await?;
        let made = once(cx, &client, &deed(cx)?).await?;
        Ok(json!(made))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let client = self.0.client().await?;
        let made: Option<Made> = cx.output("make")?;
        deed(cx)?.take_back(cx, &client, made.as_ref()).await?;
        Ok(())
    }
}

struct PowerOn(Place);

impl PowerOn {
    async fn planned(&self, cx: &StepContext, client: &Client) -> Result<SetPower, Failure> {
        let (wish, made): (Wish, Made) = (cx.input()?, cx.need("make")?);
        let instance_uuid = made.instance_uuid.unwrap_or_default();
        let planned = PlannedVm { vm: made.vm, instance_uuid, name: wish.name.clone(), folder: None };
        let now = as_planned(client, &planned).await?;
        now.remarks.into_iter().for_each(|remark| cx.warn(remark));
        Ok(SetPower { vm: now.vm, name: now.name, on: true, host: None })
    }
}

#[async_trait]
impl Step for PowerOn {
    fn name(&self) -> &'static str {
        "power_on"
    }
    fn percent(&self) -> (u8, u8) {
        (80, 100)
    }
    fn retry(&self) -> Retry {
        AGAIN
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let client = self.0.client().await?;
        let deed = self.planned(cx, &client).await?;
        once(cx, &client, &deed).await?;
        Ok(json!({"name": deed.name}))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let client = self.0.client().await?;
        let on = self.planned(cx, &client).await?;
        once(cx, &client, &SetPower { on: false, ..on }).await
    }
}

/// All objects of one type by name.
pub async fn by_name(client: &Client, kind: &'static str) -> Vec<(String, String)> {
    let sets = [PropertySet { kind, paths: vec!["name"] }];
    let scope = Scope::everything(client, &[kind]).await.unwrap();
    let found = client.retrieve(&sets, &scope).await.unwrap();
    scope.close(client).await;
    let mut all: Vec<_> =
        found.into_iter().map(|one| (one.text("name").unwrap().to_owned(), one.object.id)).collect();
    all.sort();
    all
}

pub async fn id_of(client: &Client, kind: &'static str, name: &str) -> String {
    let all = by_name(client, kind).await;
    all.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name} in {all:?}")).1.clone()
}

/// The wish for a virtual machine of this name on our simulator.
pub async fn wish(client: &Client, name: &str) -> Wish {
    Wish {
        template: id_of(client, "VirtualMachine", "debian-12").await,
        folder: id_of(client, "Folder", "Infrastructure").await,
        pool: id_of(client, "ResourcePool", "Recovery").await,
        name: name.to_owned(),
    }
}
