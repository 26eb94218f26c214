//! The simulated vCenter from outside, with raw SOAP over its socket: what it answers, what it refuses, and what goes
//! wrong when it is told to.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use zerfaux::sim::vcenter::{Cut, Options, Rule, User, Vcenter};

const HEAD: &str = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
     xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><soapenv:Body>";
const TAIL: &str = "</soapenv:Body></soapenv:Envelope>";

struct Client {
    vcenter: Vcenter,
    config: Arc<ClientConfig>,
    cookie: Option<String>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    async fn start(options: Options) -> Self {
        let vcenter = Vcenter::start(options).await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(vcenter.certificate().to_vec())).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { vcenter, config: Arc::new(config), cookie: None }
    }

    /// With somebody logged in.
    async fn logged_in(options: Options) -> Self {
        let mut client = Self::start(options).await;
        let answer = client.login("administrator@vsphere.local", "zerfaux").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let line =
            answer.head.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:")).unwrap();
        let value = line.split_once('=').unwrap().1.split(';').next().unwrap();
        client.cookie = Some(value.to_owned());
        client
    }

    async fn login(&self, user: &str, password: &str) -> Answer {
        let arguments = format!("<userName>{user}</userName><password>{password}</password>");
        self.call("SessionManager", "SessionManager", "Login", &arguments).await.unwrap()
    }

    async fn call(&self, kind: &str, id: &str, method: &str, arguments: &str) -> std::io::Result<Answer> {
        let call = format!(
            "<{method} xmlns=\"urn:vim25\"><_this type=\"{kind}\">{id}</_this>{arguments}</{method}>"
        );
        self.send(&format!("{HEAD}{call}{TAIL}")).await
    }

    async fn send(&self, body: &str) -> std::io::Result<Answer> {
        let stream = TcpStream::connect(self.vcenter.address()).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(self.config.clone()).connect(name, stream).await?;
        let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: vmware_soap_session={cookie}\r\n"));
        let head = format!(
            "POST /sdk HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
            cookie.unwrap_or_default(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut all = Vec::new();
        let ended = stream.read_to_end(&mut all).await;
        let text = String::from_utf8_lossy(&all).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return Err(ended.err().unwrap_or_else(|| std::io::ErrorKind::UnexpectedEof.into()));
        };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if length.is_some_and(|length| length.parse::<usize>().unwrap() != body.len()) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// Everything of one type below the root, in one call.
    async fn read(&self, kind: &str, path: &str) -> String {
        let view = format!(
            "<container type=\"Folder\">group-d1</container><type>{kind}</type><recursive>true</recursive>"
        );
        let view = self.call("ViewManager", "ViewManager", "CreateContainerView", &view).await.unwrap();
        let view = between(&view.body, "type=\"ContainerView\">", "<").to_owned();
        let spec = format!(
            "<specSet><propSet><type>{kind}</type><pathSet>{path}</pathSet></propSet><objectSet>\
             <obj type=\"ContainerView\">{view}</obj><skip>true</skip><selectSet xsi:type=\"TraversalSpec\">\
             <type>ContainerView</type><path>view</path></selectSet></objectSet></specSet><options/>"
        );
        self.call("PropertyCollector", "propertyCollector", "RetrievePropertiesEx", &spec).await.unwrap().body
    }

    /// The reference of the object of this name.
    async fn find(&self, kind: &str, name: &str) -> String {
        let all = self.read(kind, "name").await;
        let before = all.split(&format!(">{name}</val>")).next().unwrap();
        before
            .rsplit("<obj type=\"")
            .next()
            .unwrap()
            .split_once("\">")
            .unwrap()
            .1
            .split('<')
            .next()
            .unwrap()
            .to_owned()
    }

    /// Waits for the task of an answer, and gives what it says at its end.
    async fn ended(&self, answer: &Answer) -> String {
        let task = between(&answer.body, "type=\"Task\">", "<").to_owned();
        let spec = format!(
            "<specSet><propSet><type>Task</type><pathSet>info</pathSet></propSet><objectSet><obj type=\"Task\">{task}</obj>\
             </objectSet></specSet>"
        );
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let said = self
                .call("PropertyCollector", "propertyCollector", "RetrieveProperties", &spec)
                .await
                .unwrap()
                .body;
            if said.contains("<state>success</state>") || said.contains("<state>error</state>") {
                return said;
            }
            assert!(Instant::now() < until, "{said}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let after = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}")).1;
    after.split(to).next().unwrap()
}

fn quick() -> Options {
    Options { vms: 12, pace: 0.0, ..Options::default() }
}

#[tokio::test]
async fn only_who_has_logged_in_is_answered() {
    let mut client = Client::start(quick()).await;
    let content =
        client.call("ServiceInstance", "ServiceInstance", "RetrieveServiceContent", "").await.unwrap();
    assert!(
        content.status == 200 && content.body.contains("<apiType>VirtualCenter</apiType>"),
        "{content:?}"
    );
    let refused = client.call("ServiceInstance", "ServiceInstance", "CurrentTime", "").await.unwrap();
    assert_eq!(refused.status, 500);
    assert!(refused.body.contains("xsi:type=\"NotAuthenticated\""), "{}", refused.body);
    let wrong = client.login("administrator@vsphere.local", "guess").await;
    assert!(wrong.body.contains("InvalidLoginFault"), "{}", wrong.body);
    client = Client::logged_in(quick()).await;
    assert_eq!(
        client.call("ServiceInstance", "ServiceInstance", "CurrentTime", "").await.unwrap().status,
        200
    );
    client.vcenter.end_sessions();
    let refused = client.call("ServiceInstance", "ServiceInstance", "CurrentTime", "").await.unwrap();
    assert!(refused.body.contains("NotAuthenticatedFault"), "{}", refused.body);
}

#[tokio::test]
async fn a_session_that_is_not_used_expires() {
    let client = Client::logged_in(Options { session_idle: Duration::from_millis(50), ..quick() }).await;
    tokio::time::sleep(Duration::from_millis(80)).await;
    let refused = client.call("ServiceInstance", "ServiceInstance", "CurrentTime", "").await.unwrap();
    assert!(refused.body.contains("NotAuthenticatedFault"), "{}", refused.body);
}

#[tokio::test]
async fn garbage_is_a_fault_and_no_more() {
    let client = Client::logged_in(quick()).await;
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><x>&b;</x>";
    let deep = "<a>".repeat(5000);
    let wrong_order = format!(
        "{HEAD}<Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this><password>x</password>\
         <userName>y</userName></Login>{TAIL}"
    );
    for body in [
        "",
        "hello",
        "<a>",
        "</a>",
        "<a/><b/>",
        bomb,
        deep.as_str(),
        "<a b='1' b='2'/>",
        "<a>&nope;</a>",
        wrong_order.as_str(),
    ] {
        let answer = client.send(body).await.unwrap();
        assert!(answer.status == 500 && answer.body.contains("InvalidRequest"), "{body:.60}: {answer:?}");
    }
    let unknown = client.call("VirtualMachine", "vm-99999", "PowerOnVM_Task", "").await.unwrap();
    assert!(unknown.body.contains("ManagedObjectNotFoundFault"), "{}", unknown.body);
    let large = client.send(&"x".repeat(5 << 20)).await;
    assert!(large.is_err() || large.unwrap().status == 413);
    let property = client.read("VirtualMachine", "config.nonsense").await;
    assert!(
        property.contains("xsi:type=\"InvalidProperty\"")
            && property.contains("<name>config.nonsense</name>"),
        "{property}"
    );
    assert!(client.read("VirtualMachine", "name").await.contains("erp01"), "it still answers");
}

#[tokio::test]
async fn who_may_only_look_is_told_which_privilege_is_missing() {
    let user = User {
        name: "administrator@vsphere.local".into(),
        password: "zerfaux".into(),
        privileges: Some(vec!["VirtualMachine.Interact.PowerOff".into()]),
    };
    let client = Client::logged_in(Options { users: vec![user], ..quick() }).await;
    let vm = client.find("VirtualMachine", "erp01").await;
    let refused = client
        .call(
            "VirtualMachine",
            &vm,
            "CreateSnapshot_Task",
            "<name>x</name><memory>false</memory><quiesce>false</quiesce>",
        )
        .await;
    let refused = refused.unwrap().body;
    assert!(refused.contains("<privilegeId>VirtualMachine.State.CreateSnapshot</privilegeId>"), "{refused}");
    assert_eq!(client.call("VirtualMachine", &vm, "PowerOffVM_Task", "").await.unwrap().status, 200);
}

#[tokio::test]
async fn power_changes_once_and_the_second_time_is_refused_in_the_task() {
    let client = Client::logged_in(quick()).await;
    let vm = client.find("VirtualMachine", "erp01").await;
    let off = client.call("VirtualMachine", &vm, "PowerOffVM_Task", "").await.unwrap();
    assert!(client.ended(&off).await.contains("<state>success</state>"));
    let again = client.call("VirtualMachine", &vm, "PowerOffVM_Task", "").await.unwrap();
    let said = client.ended(&again).await;
    assert!(said.contains("<fault xsi:type=\"InvalidPowerState\">"), "{said}");
    assert!(said.contains("<existingState>poweredOff</existingState>"), "{said}");
}

#[tokio::test]
async fn a_running_task_is_cancelled_and_leaves_nothing() {
    let client = Client::logged_in(Options { pace: 1.0, ..quick() }).await;
    let template = client.find("VirtualMachine", "debian-12").await;
    let folders = client.find("Folder", "Templates").await;
    let pool = client.find("ResourcePool", "Recovery").await;
    let spec = format!(
        "<folder type=\"Folder\">{folders}</folder><name>half</name><spec><location><pool type=\"ResourcePool\">{pool}</pool>\
         </location><template>false</template><powerOn>false</powerOn></spec>"
    );
    let clone = client.call("VirtualMachine", &template, "CloneVM_Task", &spec).await.unwrap();
    let task = between(&clone.body, "type=\"Task\">", "<").to_owned();
    assert_eq!(client.call("Task", &task, "CancelTask", "").await.unwrap().status, 200);
    assert!(client.ended(&clone).await.contains("xsi:type=\"RequestCanceled\""));
    assert!(!client.read("VirtualMachine", "name").await.contains(">half<"));
}

#[tokio::test]
async fn each_kind_of_fault_rule_does_what_it_says() {
    let client = Client::logged_in(quick()).await;
    let time = || client.call("ServiceInstance", "ServiceInstance", "CurrentTime", "");
    let once = |rule: Rule| Rule { count: Some(1), method: Some("CurrentTime".into()), ..rule };
    let add = |rule: Rule| client.vcenter.add_rule(once(rule)).unwrap();

    add(Rule { fault: Some("HostNotConnected".into()), ..Rule::default() });
    assert!(time().await.unwrap().body.contains("HostNotConnectedFault"));
    add(Rule { status: Some(503), ..Rule::default() });
    assert_eq!(time().await.unwrap().status, 503);
    for cut in [Cut::Before, Cut::Answer, Cut::Middle] {
        add(Rule { drop: Some(cut), ..Rule::default() });
        assert!(time().await.is_err(), "{cut:?}");
    }
    add(Rule { delay_ms: 60, ..Rule::default() });
    let began = Instant::now();
    assert_eq!(time().await.unwrap().status, 200);
    assert!(began.elapsed() >= Duration::from_millis(60));
    add(Rule { probability: Some(0.0), status: Some(503), ..Rule::default() });
    assert_eq!(time().await.unwrap().status, 200);

    let vm = client.find("VirtualMachine", "web01").await;
    let rule = Rule {
        object: Some("web01".into()),
        in_task: true,
        fault: Some("FileNotFound".into()),
        ..Rule::on("PowerOffVM_Task")
    };
    client.vcenter.add_rule(rule).unwrap();
    let off = client.call("VirtualMachine", &vm, "PowerOffVM_Task", "").await.unwrap();
    assert_eq!(off.status, 200);
    assert!(client.ended(&off).await.contains("<fault xsi:type=\"FileNotFound\">"));
    client.vcenter.clear_rules();
    let off = client.call("VirtualMachine", &vm, "PowerOffVM_Task", "").await.unwrap();
    assert!(client.ended(&off).await.contains("<state>success</state>"));
}

#[test]
#[ignore = "needs pyvmomi: tests/run"]
fn an_independent_client_understands_it() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_zerfaux"))
        .args(["sim", "vcenter", "--listen", "127.0.0.1:0", "--vms", "100", "--pace", "0.02"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(simulator.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.strip_prefix("zerfaux sim: vcenter listening on ").unwrap().split(' ').next().unwrap();
    assert!(line.contains(" thumbprint SHA256:"), "{line}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pyvmomi/run");
    let ran = Command::new(script).args([url, "administrator@vsphere.local", "zerfaux"]).output();
    let _ = simulator.kill();
    let _ = simulator.wait();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    assert_eq!(said.matches(" holds").count(), 7, "{said}");
}
