//! A TLS server that answers SOAP as a test says, breaks where the test wants it, and records every byte that it
//! received after the handshake.

use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use zerfaux::domain::thumbprint::Thumbprint;
use zerfaux::domain::vcenter::{Trust, VcenterAddress};
use zerfaux::vsphere::Login;

/// What comes back for a request.
pub enum Reply {
    /// A SOAP body in its envelope, with status 200.
    Body(String),
    /// A fault of this type.
    Fault(&'static str),
    /// A status without a usable body.
    Status(u16),
    /// The first so many bytes of an answer, and then the end of the connection.
    Cut(usize, String),
    /// Exactly these bytes as the HTTP body.
    Raw(Vec<u8>),
}

type Script = dyn Fn(&str, &str) -> Reply + Send + Sync;

pub struct Scripted {
    pub address: VcenterAddress,
    pub thumbprint: Thumbprint,
    received: Arc<Mutex<Vec<u8>>>,
    calls: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// A server with a certificate of its own that answers by `script(method, request)`. What the script does
    /// not want to know of sessions, [`session`] answers.
    pub async fn start(script: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "scripted");
        let certificate = parameters.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = VcenterAddress::new("127.0.0.1", listener.local_addr().unwrap().port()).unwrap();
        let thumbprint = zerfaux_thumbprint(certificate.der());
        let (received, calls) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (acceptor, script): (_, Arc<Script>) = (TlsAcceptor::from(Arc::new(config)), Arc::new(script));
        let (bytes, names) = (received.clone(), calls.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, script, bytes, names) =
                    (acceptor.clone(), script.clone(), bytes.clone(), names.clone());
                tokio::spawn(async move { serve(stream, acceptor, &*script, &bytes, &names).await });
            }
        });
        Self { address, thumbprint, received, calls, task }
    }

    /// Everything that came in after handshakes.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }

    /// The methods that were called, in their order.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub fn login(&self) -> Login {
        Login {
            address: self.address.clone(),
            trust: Trust::Pinned(self.thumbprint),
            username: "administrator@vsphere.local".to_owned(),
            password: SecretString::from("canary-7391"),
        }
    }
}

fn zerfaux_thumbprint(der: &[u8]) -> Thumbprint {
    use sha2::Digest;
    Thumbprint::from_bytes(sha2::Sha256::digest(der).into())
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    script: &Script,
    received: &Mutex<Vec<u8>>,
    calls: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    loop {
        let mut request = Vec::new();
        let body_at = loop {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
            received.lock().unwrap().extend_from_slice(&buffer[..read]);
            request.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&request);
            let Some(end) = text.find("\r\n\r\n") else { continue };
            let head = text[..end].to_lowercase();
            let length: usize =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok())?;
            if request.len() >= end + 4 + length {
                break end + 4;
            }
        };
        let body = String::from_utf8_lossy(&request[body_at..]).into_owned();
        let method = body.split("<soapenv:Body><").nth(1)?.split([' ', '>']).next()?.to_owned();
        calls.lock().unwrap().push(method.clone());
        let answer = |status: u16, body: &[u8]| {
            let mut all = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\
                 Set-Cookie: vmware_soap_session=\"abc\"; HttpOnly\r\n\r\n",
                body.len()
            )
            .into_bytes();
            all.extend_from_slice(body);
            all
        };
        match script(&method, &body) {
            Reply::Body(body) => stream.write_all(&answer(200, envelope(&body).as_bytes())).await.ok()?,
            Reply::Fault(kind) => stream.write_all(&answer(500, fault(kind).as_bytes())).await.ok()?,
            Reply::Status(status) => stream.write_all(&answer(status, b"<html>no</html>")).await.ok()?,
            Reply::Raw(body) => stream.write_all(&answer(200, &body)).await.ok()?,
            Reply::Cut(bytes, body) => {
                let all = answer(200, envelope(&body).as_bytes());
                stream.write_all(&all[..bytes.min(all.len())]).await.ok()?;
                stream.flush().await.ok()?;
                stream.into_inner_shutdown().await;
                return None;
            }
        }
        stream.flush().await.ok()?;
    }
}

/// Ends the connection as a crash does: without a word from TLS.
trait Crash {
    async fn into_inner_shutdown(self);
}

impl Crash for tokio_rustls::server::TlsStream<TcpStream> {
    async fn into_inner_shutdown(self) {
        let (mut stream, _) = self.into_inner();
        let _ = stream.shutdown().await;
    }
}

pub fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\
         <e:Body>{body}</e:Body></e:Envelope>"
    )
}

pub fn fault(kind: &str) -> String {
    envelope(&format!(
        "<e:Fault><faultcode>ServerFaultCode</faultcode><faultstring></faultstring><detail>\
         <{kind}Fault xmlns=\"urn:vim25\" xsi:type=\"{kind}\"/></detail></e:Fault>"
    ))
}

/// The answer to a method that only has to be there.
pub fn empty(method: &str) -> Reply {
    Reply::Body(format!("<{method}Response xmlns=\"urn:vim25\"></{method}Response>"))
}

/// The answer with a `returnval`.
pub fn returning(method: &str, inside: &str) -> Reply {
    Reply::Body(format!("<{method}Response xmlns=\"urn:vim25\">{inside}</{method}Response>"))
}

/// What every server answers about itself and sessions.
pub fn session(method: &str) -> Reply {
    match method {
        "RetrieveServiceContent" => returning(
            method,
            "<returnval><rootFolder type=\"Folder\">group-d1</rootFolder>\
             <propertyCollector type=\"PropertyCollector\">pc</propertyCollector>\
             <viewManager type=\"ViewManager\">vm</viewManager>\
             <about><fullName>Scripted</fullName><version>8.0.2</version><apiType>VirtualCenter</apiType>\
             <apiVersion>8.0.2.0</apiVersion></about>\
             <sessionManager type=\"SessionManager\">sm</sessionManager></returnval>",
        ),
        "CreateContainerView" => returning(method, "<returnval type=\"ContainerView\">view</returnval>"),
        "CreatePropertyCollector" => {
            returning(method, "<returnval type=\"PropertyCollector\">pc-2</returnval>")
        }
        "CreateFilter" => returning(method, "<returnval type=\"PropertyFilter\">f</returnval>"),
        other => empty(other),
    }
}
