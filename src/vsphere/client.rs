//! A logged-in client: one session, logged in again once when it has expired.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::error::VsphereError;
use super::fault::Reason;
use super::request::Request;
use super::trace::Exchange;
use super::transport::Transport;
use super::xml::{Node, StreamAt};
use crate::domain::moref::{FolderRef, ManagedRef};
use crate::domain::vcenter::{About, ApiKind, Trust, VcenterAddress};

/// Where a client finds a server, how it knows it, and who it is there.
#[derive(Clone)]
pub struct Login {
    /// Where.
    pub address: VcenterAddress,
    /// Which certificate is accepted.
    pub trust: Trust,
    /// Who.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({} at {})", self.username, self.address)
    }
}

/// What a server offers, and under which references.
#[derive(Debug, Clone)]
pub struct ServiceContent {
    /// What the server says about itself.
    pub about: About,
    /// The root of the inventory.
    pub root_folder: FolderRef,
    pub(super) session_manager: ManagedRef,
    pub(super) property_collector: ManagedRef,
    pub(super) view_manager: ManagedRef,
    pub(super) file_manager: Option<ManagedRef>,
    pub(super) authorization_manager: Option<ManagedRef>,
    pub(super) event_manager: Option<ManagedRef>,
    pub(super) search_index: Option<ManagedRef>,
}

impl ServiceContent {
    fn read(node: &Node) -> Option<Self> {
        let about = About {
            kind: match node.text_at("about.apiType")? {
                "VirtualCenter" => ApiKind::VirtualCenter,
                _ => ApiKind::HostAgent,
            },
            full_name: node.string_at("about.fullName").unwrap_or_default(),
            version: node.string_at("about.version").unwrap_or_default(),
            api_version: node.string_at("about.apiVersion").unwrap_or_default(),
            instance_uuid: node.string_at("about.instanceUuid"),
        };
        Some(Self {
            about,
            root_folder: FolderRef::new(node.text_at("rootFolder")?),
            session_manager: node.reference_at("sessionManager")?,
            property_collector: node.reference_at("propertyCollector")?,
            view_manager: node.reference_at("viewManager")?,
            file_manager: node.reference_at("fileManager"),
            authorization_manager: node.reference_at("authorizationManager"),
            event_manager: node.reference_at("eventManager"),
            search_index: node.reference_at("searchIndex"),
        })
    }
}

/// A session with a server. Cheap to clone; the clones share it.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    content: ServiceContent,
    login: Login,
    /// Counts the sessions, so that of many callers whose session expired one logs in again.
    session: AtomicU64,
    logging_in: Mutex<()>,
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// If the server cannot be reached, if its certificate is not accepted (the password is not sent then), or
    /// if it refuses the login.
    pub async fn connect(login: Login) -> Result<Self, VsphereError> {
        let transport = Transport::new(&login.address, login.trust)?;
        let this = ManagedRef::new("ServiceInstance", "ServiceInstance");
        let request = Request::new("RetrieveServiceContent", this, "ask what it offers", |_| ())
            .within(Duration::from_secs(30));
        let answer = transport.call(&request).await?;
        let content = answer.child("returnval").and_then(ServiceContent::read).ok_or_else(|| {
            VsphereError::Incomplete {
                attempted: request.attempted.clone(),
                server: transport.server.clone(),
                missing: "service content",
            }
        })?;
        let inner =
            Inner { transport, content, login, session: AtomicU64::new(1), logging_in: Mutex::new(()) };
        inner.log_in().await?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the server offers.
    pub fn content(&self) -> &ServiceContent {
        &self.inner.content
    }

    /// What the server says about itself.
    pub fn about(&self) -> &About {
        &self.inner.content.about
    }

    /// The server's address, as people write it.
    pub fn server(&self) -> &str {
        &self.inner.transport.server
    }

    /// The last exchanges, masked, for a support bundle.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.inner.transport.exchanges()
    }

    /// Asks for the server's time, which keeps the session alive. Servers end a session after half an hour in
    /// which nothing was asked.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn keep_alive(&self) -> Result<(), VsphereError> {
        let this = ManagedRef::new("ServiceInstance", "ServiceInstance");
        let request = Request::new("CurrentTime", this, "keep the session alive", |_| ());
        self.call(&request).await.map(drop)
    }

    /// Ends the session.
    ///
    /// # Errors
    /// If the server does not answer; the session then ends by itself.
    pub async fn log_out(&self) -> Result<(), VsphereError> {
        let manager = self.inner.content.session_manager.clone();
        let ended = self.inner.transport.call(&Request::new("Logout", manager, "log out", |_| ())).await;
        self.inner.transport.forget_cookie();
        ended.map(drop)
    }

    /// Counts up whenever the session had to be made anew: what belonged to the old one is gone.
    pub(super) fn session(&self) -> u64 {
        self.inner.session.load(Ordering::Acquire)
    }

    /// Logs in again, unless somebody has done so since the session of this number.
    pub(super) async fn log_in_again(&self, expired: u64) -> Result<(), VsphereError> {
        self.inner.log_in_again(expired).await
    }

    /// Sends a request; logs in again, once, if the session has expired.
    pub(super) async fn call(&self, request: &Request) -> Result<Node, VsphereError> {
        let session = self.session();
        match self.inner.transport.call(request).await {
            Err(error) if error.reason() == Some(&Reason::NotAuthenticated) => {
                self.inner.log_in_again(session).await?;
                self.inner.transport.call(request).await
            }
            outcome => outcome,
        }
    }

    /// The same, with the elements at `stream` handed to what `taker` makes, as they arrive.
    pub(super) async fn call_streaming<T, F>(
        &self,
        request: &Request,
        stream: StreamAt,
        taker: impl Fn() -> F,
    ) -> Result<(Node, Vec<T>), VsphereError>
    where
        T: Send + 'static,
        F: FnMut(Node) -> Option<T> + Send + 'static,
    {
        let session = self.session();
        match self.inner.transport.call_streaming(request, Some(stream), taker()).await {
            Err(error) if error.reason() == Some(&Reason::NotAuthenticated) => {
                self.inner.log_in_again(session).await?;
                self.inner.transport.call_streaming(request, Some(stream), taker()).await
            }
            outcome => outcome,
        }
    }

    /// Sends a request whose answer is one reference.
    pub(super) async fn call_for_reference(&self, request: &Request) -> Result<ManagedRef, VsphereError> {
        let answer = self.call(request).await?;
        answer.reference_at("returnval").ok_or_else(|| self.incomplete(request, "reference"))
    }

    /// Refuses what a single ESXi host cannot do, before anything is sent. `what` is a verb.
    pub(super) fn require_vcenter(&self, request: &Request, what: &'static str) -> Result<(), VsphereError> {
        match self.about().kind {
            ApiKind::VirtualCenter => Ok(()),
            ApiKind::HostAgent => Err(VsphereError::NeedsVcenter {
                attempted: request.attempted.clone(),
                server: self.server().to_owned(),
                what,
            }),
        }
    }

    pub(super) fn incomplete(&self, request: &Request, missing: &'static str) -> VsphereError {
        VsphereError::Incomplete {
            attempted: request.attempted.clone(),
            server: self.server().to_owned(),
            missing,
        }
    }
}

impl Inner {
    async fn log_in(&self) -> Result<(), VsphereError> {
        self.transport.forget_cookie();
        let (login, manager) = (&self.login, self.content.session_manager.clone());
        let request = Request::new("Login", manager, format!("log in as {}", login.username), |xml| {
            xml.text("userName", &login.username).text("password", login.password.expose_secret());
        });
        self.transport.call(&request.secret()).await.map(drop)
    }

    async fn log_in_again(&self, expired: u64) -> Result<(), VsphereError> {
        let _one_at_a_time = self.logging_in.lock().await;
        if self.session.load(Ordering::Acquire) != expired {
            return Ok(());
        }
        tracing::info!(server = self.transport.server, "the vCenter session has expired; logging in again");
        self.log_in().await?;
        self.session.store(expired + 1, Ordering::Release);
        Ok(())
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.server())
    }
}
