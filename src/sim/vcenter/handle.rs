//! Starting a simulated vCenter, and what a test can do to it from outside of the protocol.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::company;
use super::http::router;
use super::options::Options;
use super::rules::{Rule, RuleError};
use super::service::Service;
use super::tls::{IdentityError, Lines, Scissors, identity};
use super::world::{Object, Power, Vm, chain};

/// A simulated vCenter that is running. It stops when this is dropped.
#[derive(Debug)]
pub struct Vcenter {
    service: Arc<Service>,
    address: SocketAddr,
    thumbprint: String,
    certificate: Vec<u8>,
    tasks: Vec<JoinHandle<()>>,
}

/// What becomes of the tasks that a restart finds running. Both happen in life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderWay {
    /// The hosts finish what they were told, and nobody hears of it.
    Finishes,
    /// It comes to nothing.
    ComesToNothing,
}

/// Why it does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The certificate cannot be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A fault rule is wrong.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The inventory could not be made.
    #[error("cannot make the inventory: {0}")]
    Inventory(String),
}

impl From<IdentityError> for StartError {
    fn from(error: IdentityError) -> Self {
        Self::Certificate(Box::new(error))
    }
}

impl Vcenter {
    /// Makes the inventory and begins to listen.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        options.rules.iter().try_for_each(Rule::check)?;
        let listen = options.listen;
        let identity = identity(&options.site, listen.ip())?;
        let world = company::build(options.clone()).map_err(|fault| StartError::Inventory(fault.message))?;
        let service = Arc::new(Service::new(world, &options));
        let failed = |error| StartError::Listen(listen, error);
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let lines = Lines::new(listener, identity.config).map_err(failed)?;
        let app = router(service.clone()).into_make_service_with_connect_info::<Scissors>();
        let server = tokio::spawn(async move {
            // It only ends when it is aborted.
            let _ = axum::serve(lines, app).await;
        });
        let clock = service.clone();
        let clock = tokio::spawn(async move { clock.run().await });
        Ok(Self {
            service,
            address,
            thumbprint: identity.thumbprint,
            certificate: identity.der,
            tasks: vec![server, clock],
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its API.
    pub fn url(&self) -> String {
        format!("https://{}/sdk", self.address)
    }

    /// SHA-256 of its certificate, as `AB:CD:…`.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Its certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Lets something go wrong from now on.
    pub fn add_rule(&self, rule: Rule) -> Result<(), RuleError> {
        rule.check()?;
        self.service.with(|state| state.rules.add(rule));
        Ok(())
    }

    /// Lets everything go well again.
    pub fn clear_rules(&self) {
        self.service.with(|state| state.rules.clear());
    }

    /// How often a method was called.
    pub fn calls(&self, method: &str) -> u64 {
        self.service.with(|state| state.calls.get(method).copied().unwrap_or(0))
    }

    /// How many objects of a type there are, by vSphere's word: `VirtualMachine`, templates among them.
    pub fn count(&self, kind: &str) -> usize {
        self.service.with(|state| state.world.of_kind(kind).count())
    }

    /// Every virtual machine by its name: whether it is powered on, and the files of its disks.
    pub fn machines(&self) -> Vec<(String, bool, Vec<String>)> {
        self.service.with(|state| {
            let files = |vm: &Vm| vm.disks().filter_map(|disk| chain(disk).into_iter().next()).collect();
            let told = |(object, vm): (&Object, &Vm)| (object.name.clone(), vm.power == Power::On, files(vm));
            let mut all: Vec<_> = state.world.vms().map(told).collect();
            all.sort();
            all
        })
    }

    /// What a restart of the vCenter does: sessions end, tasks are forgotten, the inventory stays.
    pub fn restart(&self, under_way: UnderWay) {
        self.service.with(|state| {
            state.sessions.clear();
            state.world.forget_tasks(under_way == UnderWay::Finishes);
            state.world.change += 1;
        });
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.service.with(|state| state.sessions.len())
    }

    /// Ends all sessions; tasks and inventory stay.
    pub fn end_sessions(&self) {
        self.service.with(|state| {
            state.sessions.clear();
            state.world.change += 1;
        });
    }
}

impl Drop for Vcenter {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
