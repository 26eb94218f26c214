//! What the service does by itself with the vCenters that it knows: it follows their changes, and says how that stands.

use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use zerfaux::app::App;
use zerfaux::app::Principal;
use zerfaux::app::inventory::{PlaceKind, VmFilter};
use zerfaux::app::vcenters::{InventoryChange, Saved, StreamState, VcenterWish};
use zerfaux::domain::ids::VcenterId;
use zerfaux::domain::vcenter::Trust;

use crate::machines::root_folder;
use crate::vcenter::Server;

/// A service without its pages.
struct Service {
    app: App,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl Service {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let app = zerfaux::boot::serving(data.path(), None).await.unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (app, stop) = (app.clone(), stop.clone());
            async move { app.serve_jobs(stop).await }
        });
        Self { app, stop, task, _data: data }
    }

    async fn knows(&self, server: &Server) -> VcenterId {
        let login = server.login().await;
        let Trust::Pinned(thumbprint) = login.trust else { panic!("nothing is pinned") };
        let wish = VcenterWish {
            name: "site A".to_owned(),
            host: login.address.host,
            port: login.address.port,
            username: login.username,
            password: Some(SecretString::from(server.password.clone())),
            accepted: Some(thumbprint),
        };
        match self.app.vcenters().unwrap().create(&Principal::command_line(), wish).await.unwrap() {
            Saved::Kept(vcenter) => vcenter.id,
            other => panic!("{other:?}"),
        }
    }

    async fn state(&self, id: VcenterId, wanted: &str) -> StreamState {
        let mut watcher = self.app.vcenters().unwrap().watch(Some(id));
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let known = self.app.vcenters().unwrap().stream(id);
            if let Some(status) = known.filter(|one| one.state.as_str() == wanted) {
                return status.state;
            }
            let left = limit.saturating_duration_since(Instant::now());
            tokio::time::timeout(left, watcher.next()).await.unwrap_or_else(|_| {
                panic!("the stream is not {wanted}: {:?}", self.app.vcenters().unwrap().streams())
            });
        }
    }

    async fn ends(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.expect("it does not stop").unwrap();
        self.app.close().await;
    }
}

pub async fn the_service_follows_what_it_knows_until_it_stops(server: &Server) {
    let service = Service::start().await;
    let cases = service.app.vcenters().unwrap().clone();
    assert_eq!(cases.streams(), []);
    let id = service.knows(server).await;
    let StreamState::Following { since } = service.state(id, "following").await else { unreachable!() };
    assert!(cases.get(id).await.unwrap().synced_at.unwrap() <= since);
    assert!(cases.vms(&VmFilter::default()).await.unwrap().total > 0);

    // Somebody else makes a folder: told within two seconds, and in the store then.
    let mut watcher = cases.watch(Some(id));
    let client = server.client().await;
    let before = jiff::Timestamp::now();
    client.create_folder(&root_folder(&client).await, "made by somebody else").await.unwrap();
    let began = Instant::now();
    loop {
        let told = tokio::time::timeout(Duration::from_secs(2), watcher.next()).await.unwrap();
        assert_eq!(told, Some(InventoryChange::Inventory { vcenter: id }));
        let folders = cases.places(id, Some(PlaceKind::Folder)).await.unwrap();
        if folders.iter().any(|one| one.object.name == "made by somebody else") {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(cases.stream(id).unwrap().last_change.unwrap() > before);

    // A connection that is deleted is not followed any more.
    cases.delete(&Principal::command_line(), id).await.unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    while !cases.streams().is_empty() {
        assert!(Instant::now() < limit, "{:?}", cases.streams());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let id = service.knows(server).await;
    service.state(id, "following").await;
    service.ends().await;
    assert_eq!(cases.streams(), []);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_vcenter_that_is_gone_is_told_with_the_reason_and_the_next_try() {
    let service = Service::start().await;
    let cases = service.app.vcenters().unwrap().clone();
    let mut server = Server::our_own(&[]);
    let id = service.knows(&server).await;
    service.state(id, "following").await;
    server.kill();
    let StreamState::Lost { since, because, advice, next_try } = service.state(id, "lost").await else {
        unreachable!()
    };
    assert!(next_try > since && !because.is_empty() && advice.is_some(), "{because}");
    assert_eq!(cases.get(id).await.unwrap().last_error.as_deref(), Some(because.as_str()));
    // What was known stays.
    assert!(cases.vms(&VmFilter::default()).await.unwrap().total > 0);
    service.ends().await;
}

/// SIGHUP restarts our simulator as a vCenter restarts: sessions, collectors and tasks are gone, the inventory stays.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_restart_of_the_vcenter_is_survived_and_made_good() {
    let service = Service::start().await;
    let cases = service.app.vcenters().unwrap().clone();
    let server = Server::our_own(&[]);
    let id = service.knows(&server).await;
    let StreamState::Following { since } = service.state(id, "following").await else { unreachable!() };
    let hung_up = std::process::Command::new("kill").args(["-HUP", &server.id().to_string()]).status();
    assert!(hung_up.unwrap().success());
    let client = server.client().await;
    client.create_folder(&root_folder(&client).await, "made in between").await.unwrap();
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let known = cases.stream(id).map(|one| one.state);
        if matches!(known, Some(StreamState::Following { since: now }) if now > since) {
            break;
        }
        assert!(Instant::now() < limit, "{known:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let folders = cases.places(id, Some(PlaceKind::Folder)).await.unwrap();
    assert!(folders.iter().any(|one| one.object.name == "made in between"));
    assert_eq!(cases.get(id).await.unwrap().last_error, None);
    service.ends().await;
}

/// The first updates come in parts of 500; vcsim gives all at once.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `zerfaux sim vcenter`: tests/run"]
async fn a_stream_that_comes_in_parts_is_put_together() {
    let service = Service::start().await;
    let cases = service.app.vcenters().unwrap().clone();
    let server = Server::our_own(&["--vms", "1300"]);
    let id = service.knows(&server).await;
    service.state(id, "following").await;
    let client = server.client().await;
    let there = crate::inventory::machines(&client).await;
    assert!(there.len() >= 1300, "{}", there.len());
    let known = cases.vms(&VmFilter { limit: 1, ..VmFilter::default() }).await.unwrap();
    assert_eq!(known.total, there.len() as u64);
    service.ends().await;
}
