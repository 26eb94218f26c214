//! Templates from which appliances are deployed: register, change, retire, remove; and the script that prepares one.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::template_form::Checked;
pub use super::template_form::TemplateWish;
use super::{App, AppError, Principal};
use crate::domain::audit::Outcome;
use crate::domain::ids::{SshKeyId, TemplateId, VcenterId};
use crate::domain::inventory::{VmFilter, VmLine};
use crate::domain::moref::VmRef;
use crate::domain::target::DEFAULT_USER;
use crate::domain::template::LoginName;
pub use crate::domain::template::{Deployments, Template, TemplateDefaults};
use crate::domain::vcenter::{ApiKind, Vcenter};
use crate::plan::preparation;
pub use crate::plan::preparation::sudo_commands;

/// Most templates of a vCenter that are offered.
const OFFERED: u32 = 500;

/// A template with what was made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateView {
    /// The template.
    pub template: Template,
    /// How often it was used.
    pub deployments: Deployments,
    /// Whether the vCenter still has the virtual machine template.
    pub is_there: bool,
}

/// A file to be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

impl App {
    /// All templates, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn templates(&self) -> Result<Vec<TemplateView>, AppError> {
        let mut deployments = self.store.deployments().await?;
        let mut views = Vec::new();
        for template in self.store.templates().await? {
            let deployments = deployments.remove(&template.id).unwrap_or_default();
            let is_there = self.is_there(&template).await?;
            views.push(TemplateView { template, deployments, is_there });
        }
        Ok(views)
    }

    async fn is_there(&self, template: &Template) -> Result<bool, AppError> {
        let vm = self.store.vm(template.vcenter, &template.moref).await?;
        Ok(vm.is_some_and(|vm| vm.gone_at.is_none() && vm.object.template))
    }

    /// One template.
    ///
    /// # Errors
    /// If there is none with this id.
    pub async fn template(&self, id: TemplateId) -> Result<TemplateView, AppError> {
        let template = self.store.template(id).await?;
        let template = template.ok_or_else(|| AppError::NotFound(format!("there is no template {id}")))?;
        let deployments = self.store.deployments().await?.remove(&id).unwrap_or_default();
        let is_there = self.is_there(&template).await?;
        Ok(TemplateView { template, deployments, is_there })
    }

    /// The names of a vCenter's places, datastores and networks by their references, to be shown in their stead.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn place_names(&self, vcenter: VcenterId) -> Result<HashMap<String, String>, AppError> {
        let places = self.store.places(vcenter, None).await?.into_iter();
        let mut names: HashMap<String, String> =
            places.map(|one| (one.object.object.id, one.object.name)).collect();
        let datastores = self.store.datastores(vcenter, true).await?.into_iter();
        names.extend(datastores.map(|one| (one.object.object.id().to_owned(), one.object.name)));
        let networks = self.store.networks(vcenter).await?.into_iter();
        names.extend(networks.map(|one| (one.object.object.id, one.object.name)));
        Ok(names)
    }

    /// The virtual machine templates that a vCenter has, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn vm_templates(&self, vcenter: VcenterId) -> Result<Vec<VmLine>, AppError> {
        let filter =
            VmFilter { vcenter: Some(vcenter), template: Some(true), limit: OFFERED, ..VmFilter::default() };
        Ok(self.store.vms(&filter).await?.items)
    }

    /// Registers a virtual machine template.
    ///
    /// # Errors
    /// [`AppError::Invalid`] beside the fields; [`AppError::Conflict`] if the name is taken.
    pub async fn create_template(&self, who: &Principal, wish: &TemplateWish) -> Result<Template, AppError> {
        self.save_template(who, None, wish).await
    }

    /// Changes a template, or retires it, or offers it again.
    ///
    /// # Errors
    /// As [`App::create_template`], and if there is none with this id.
    pub async fn update_template(
        &self,
        who: &Principal,
        id: TemplateId,
        wish: &TemplateWish,
    ) -> Result<Template, AppError> {
        let old = self.template(id).await?.template;
        self.save_template(who, Some(old), wish).await
    }

    async fn save_template(
        &self,
        who: &Principal,
        old: Option<Template>,
        wish: &TemplateWish,
    ) -> Result<Template, AppError> {
        let checked = wish.check().map_err(|fields| AppError::Invalid { fields })?;
        let vm_name = self.vm_template(old.as_ref(), &checked).await?;
        if let Some(key) = checked.key
            && self.store.ssh_key(key).await?.is_none()
        {
            return Err(AppError::invalid("ssh_key_id", "There is no such SSH key."));
        }
        let template = Template {
            id: old.as_ref().map_or_else(TemplateId::new, |old| old.id),
            name: checked.name,
            description: checked.description,
            vcenter: checked.vcenter,
            moref: VmRef::new(checked.moref),
            vm_name,
            defaults: checked.defaults,
            ssh_key: checked.key,
            is_active: !wish.retired,
            created_by: old.as_ref().map_or_else(|| who.actor(), |old| old.created_by.clone()),
            created_at: old.as_ref().map_or_else(|| self.clock.now(), |old| old.created_at),
        };
        if old.as_ref() == Some(&template) {
            return Ok(template);
        }
        let action = if old.is_some() { "template.change" } else { "template.create" };
        let details = match &old {
            Some(old) => json!({ "before": told(old), "after": told(&template) }),
            None => told(&template),
        };
        let entry = self.entry(who, action, &template.name, Outcome::Done, details);
        self.store.put_template(&template, entry).await?;
        Ok(template)
    }

    /// The name of the virtual machine template, which has to be one that can be cloned. A template that is changed in
    /// other ways may have lost it meanwhile: then it can still be retired.
    async fn vm_template(&self, old: Option<&Template>, checked: &Checked) -> Result<String, AppError> {
        let vcenter = self.store.vcenter(checked.vcenter).await?;
        let vcenter =
            vcenter.ok_or_else(|| AppError::invalid("vcenter_id", "There is no such vCenter connection."))?;
        let same =
            old.filter(|old| old.vcenter == checked.vcenter && old.moref.id() == checked.moref.as_str());
        if let Some(same) = same {
            return Ok(same.vm_name.clone());
        }
        if is_single_host(&vcenter) {
            let message = format!(
                "{} is a single ESXi host, which can neither clone nor customise. Choose a vCenter.",
                vcenter.name
            );
            return Err(AppError::invalid("vcenter_id", message));
        }
        let found = self.store.vm(checked.vcenter, &VmRef::new(&*checked.moref)).await?;
        match found.filter(|vm| vm.gone_at.is_none()) {
            Some(vm) if vm.object.template => Ok(vm.object.name),
            Some(vm) => Err(AppError::invalid(
                "template_moref",
                format!(
                    "{:?} is a virtual machine. Convert it to a template in vCenter, then choose it again.",
                    vm.object.name
                ),
            )),
            None => Err(AppError::invalid(
                "template_moref",
                format!(
                    "{} has no virtual machine {}. If the template is new, synchronise the vCenter first.",
                    vcenter.name, checked.moref
                ),
            )),
        }
    }

    /// Forgets a template. What was deployed from it stays, and so does the virtual machine template.
    ///
    /// # Errors
    /// [`AppError::Conflict`] while a job that has not ended uses it.
    pub async fn delete_template(&self, who: &Principal, id: TemplateId) -> Result<(), AppError> {
        let template = self.template(id).await?.template;
        let entry = self.entry(who, "template.delete", &template.name, Outcome::Done, told(&template));
        Ok(self.store.delete_template(&template, entry).await?)
    }

    /// The script that prepares a virtual machine as a template, for this key and this user (empty: the usual one).
    ///
    /// # Errors
    /// If there is no such key, or the user cannot have that name.
    pub async fn preparation_script(&self, key: SshKeyId, user: &str) -> Result<Script, AppError> {
        let key = self.ssh_key(key).await?;
        let user = Some(user.trim()).filter(|user| !user.is_empty()).unwrap_or(DEFAULT_USER);
        let user: LoginName = user.parse().map_err(|error| AppError::invalid("user", format!("{error}.")))?;
        let text = preparation::script(&user, &key.public_key)
            .map_err(|error| AppError::invalid("ssh_key_id", format!("{error}.")))?;
        Ok(Script { name: preparation::FILE_NAME, text })
    }
}

/// Whether it is an ESXi host by itself, whose API has no clone and no customisation.
pub(super) fn is_single_host(vcenter: &Vcenter) -> bool {
    vcenter.about.as_ref().is_some_and(|about| about.kind == ApiKind::HostAgent)
}

/// What the audit log says of a template.
fn told(template: &Template) -> Value {
    json!({
        "vcenter_id": template.vcenter,
        "template_moref": template.moref,
        "template_name": template.vm_name,
        "ssh_key_id": template.ssh_key,
        "defaults": template.defaults,
        "retired": !template.is_active,
    })
}
