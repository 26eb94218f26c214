//! Rights of our user, and what has happened.

use jiff::Timestamp;

use crate::domain::moref::{ManagedRef, VmRef};
use crate::vsphere::{Client, Request, VsphereError};

/// A privilege that our user lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPrivilege {
    /// Its id, such as `VirtualMachine.Provisioning.DeployTemplate`.
    pub privilege: String,
    /// On what.
    pub object: ManagedRef,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, which grows.
    pub key: i64,
    /// Its type, such as `VmPoweredOnEvent`.
    pub kind: String,
    /// When.
    pub at: Option<Timestamp>,
    /// Who.
    pub user: Option<String>,
    /// The server's words.
    pub message: String,
    /// Where a log of it is, for those of customisations.
    pub log: Option<String>,
}

/// How a guest's customisation went, as the events say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomizationOutcome {
    /// It is done.
    Succeeded,
    /// It is not.
    Failed {
        /// The event's type, such as `CustomizationNetworkSetupFailed`.
        kind: String,
        /// The server's words.
        message: String,
        /// Where the guest has its log, if the server says it.
        log: Option<String>,
    },
}

impl Client {
    /// How the last customisation of a virtual machine's guest went, looking only at events after the one with the
    /// number `after` (0: at all that there are). None: it has not ended, or has not begun.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn customization_outcome(
        &self,
        vm: &VmRef,
        after: i64,
    ) -> Result<Option<CustomizationOutcome>, VsphereError> {
        let mut events = self.events(vm, 100).await?;
        events.retain(|event| event.key > after);
        events.sort_by_key(|event| event.key);
        let outcome = events.into_iter().rev().find_map(|event| match event.kind.as_str() {
            "CustomizationSucceeded" => Some(CustomizationOutcome::Succeeded),
            "CustomizationFailed"
            | "CustomizationLinuxIdentityFailed"
            | "CustomizationNetworkSetupFailed"
            | "CustomizationSysprepFailed"
            | "CustomizationUnknownFailure" => Some(CustomizationOutcome::Failed {
                kind: event.kind,
                message: event.message,
                log: event.log,
            }),
            _ => None,
        });
        Ok(outcome)
    }

    /// Which of these privileges our user lacks on that object.
    ///
    /// # Errors
    /// If the server does not answer, or knows one of them not.
    pub async fn missing_privileges(
        &self,
        object: impl Into<ManagedRef>,
        privileges: &[&str],
    ) -> Result<Vec<MissingPrivilege>, VsphereError> {
        let (object, content) = (object.into(), self.content());
        let (Some(manager), what) = (content.authorization_manager.clone(), "look at our rights") else {
            return Ok(Vec::new());
        };
        let session =
            self.properties(content.session_manager.clone(), "SessionManager", &["currentSession"]).await?;
        let key = session.get("currentSession").and_then(|node| node.string_at("key")).unwrap_or_default();
        let request = Request::new("HasPrivilegeOnEntities", manager, what, |xml| {
            xml.reference("entity", object.clone()).text("sessionId", key);
            for privilege in privileges {
                xml.text("privId", privilege);
            }
        });
        let answer = self.call(&request).await?;
        let lacking = answer
            .all("returnval")
            .flat_map(|entity| entity.all("privAvailability"))
            .filter(|one| one.flag_at("isGranted") == Some(false));
        let missing = lacking.filter_map(|one| {
            Some(MissingPrivilege { privilege: one.string_at("privId")?, object: object.clone() })
        });
        Ok(missing.collect())
    }

    /// The newest events of an object and of what is below it, in the server's order.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn events(&self, object: impl Into<ManagedRef>, most: i32) -> Result<Vec<Event>, VsphereError> {
        let Some(manager) = self.content().event_manager.clone() else { return Ok(Vec::new()) };
        let request = Request::new("QueryEvents", manager, "read events", |xml| {
            xml.element("filter", |xml| {
                xml.element("entity", |xml| {
                    xml.reference("entity", object).text("recursion", "all");
                });
                xml.number("maxCount", most);
            });
        });
        let answer = self.call(&request).await?;
        let event = |node: &crate::vsphere::Node| {
            Some(Event {
                key: node.parse_at("key")?,
                kind: node.kind().to_owned(),
                at: node.parse_at("createdTime"),
                user: node.string_at("userName"),
                message: node.string_at("fullFormattedMessage").unwrap_or_default(),
                log: node.string_at("logLocation"),
            })
        };
        Ok(answer.all("returnval").filter_map(event).collect())
    }
}
