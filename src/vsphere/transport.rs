//! One request, one answer: HTTPS, the session cookie, timeouts, bounded bodies. Knows nothing of sessions.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::sync::mpsc;

use super::error::VsphereError;
use super::fault::Fault;
use super::request::Request;
use super::tls::{self, Findings};
use super::trace::{Exchange, Trace};
use super::xml::{Chunks, Limits, Node, StreamAt, XmlError, parse};
use crate::domain::vcenter::{Trust, VcenterAddress};

/// A server accepts older versions than its own and refuses newer ones, so this is the oldest we support.
const SOAP_ACTION: &str = "urn:vim25/6.5";
/// What the session's cookie is called, on every server.
const SESSION_COOKIE: &str = "vmware_soap_session";
/// How long it may take until a connection stands.
const CONNECT: Duration = Duration::from_secs(15);
/// Bytes of one answer, at most: an inventory without paging is large, nothing else is.
const MOST: usize = 1 << 30;
/// Answers up to this size are parsed where they are; larger ones on a thread of their own, as they arrive.
const SMALL: usize = 256 << 10;

/// A way to one server.
pub(super) struct Transport {
    client: Client,
    url: Url,
    pub(super) server: String,
    findings: Arc<Findings>,
    cookie: Mutex<Option<HeaderValue>>,
    trace: Trace,
}

impl Transport {
    pub(super) fn new(address: &VcenterAddress, trust: Trust) -> Result<Self, VsphereError> {
        let server = address.to_string();
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| VsphereError::Unreachable {
            attempted: "prepare a connection".to_owned(),
            server: server.clone(),
            source,
        };
        let findings = Arc::new(Findings::default());
        let config = tls::config(trust, Arc::clone(&findings)).map_err(|error| failed(Box::new(error)))?;
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .https_only(true)
            .http1_only()
            // A vCenter is on the LAN; a proxy of the environment would see nothing but a broken pin.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .tcp_keepalive(Duration::from_secs(15))
            .pool_idle_timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| failed(Box::new(error)))?;
        let host =
            if address.host.contains(':') { format!("[{}]", address.host) } else { address.host.clone() };
        let url = Url::parse(&format!("https://{host}:{}/sdk", address.port))
            .map_err(|error| failed(Box::new(error)))?;
        Ok(Self { client, url, server, findings, cookie: Mutex::default(), trace: Trace::default() })
    }

    /// Forgets the session.
    pub(super) fn forget_cookie(&self) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.trace.entries()
    }

    /// Sends a request and reads the `…Response` that comes back.
    pub(super) async fn call(&self, request: &Request) -> Result<Node, VsphereError> {
        Ok(self.call_streaming(request, None, |_| None::<()>).await?.0)
    }

    /// The same, with the elements at `stream` turned into what `take` makes of them, as they arrive.
    pub(super) async fn call_streaming<T: Send + 'static>(
        &self,
        request: &Request,
        stream: Option<StreamAt>,
        take: impl FnMut(Node) -> Option<T> + Send + 'static,
    ) -> Result<(Node, Vec<T>), VsphereError> {
        let (at, began) = (Timestamp::now(), Instant::now());
        let answered = tokio::time::timeout(request.patience, self.exchange(request, stream, take)).await;
        let outcome = answered.unwrap_or_else(|_elapsed| Err(self.timed_out(request)));
        let word = match &outcome {
            Ok(_) => "answered".to_owned(),
            Err(VsphereError::Fault { fault, .. }) => fault.kind.clone(),
            Err(error) => error.to_string(),
        };
        self.trace.note(request, &word, at, began.elapsed());
        outcome
    }

    fn timed_out(&self, request: &Request) -> VsphereError {
        VsphereError::TimedOut { attempted: request.attempted.clone(), server: self.server.clone() }
    }

    async fn exchange<T: Send + 'static>(
        &self,
        request: &Request,
        stream: Option<StreamAt>,
        take: impl FnMut(Node) -> Option<T> + Send + 'static,
    ) -> Result<(Node, Vec<T>), VsphereError> {
        let mut sent = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", SOAP_ACTION)
            .body(request.envelope());
        if let Some(cookie) = self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            sent = sent.header(COOKIE, cookie);
        }
        // Findings of an earlier handshake say nothing about this one.
        self.findings.take();
        let response = sent.send().await.map_err(|error| self.not_sent(request, error))?;
        let status = response.status();
        // Faults come with 500. Everything else that is no 200 is not vSphere speaking.
        if status != StatusCode::OK && status != StatusCode::INTERNAL_SERVER_ERROR {
            return Err(self.status(request, status));
        }
        self.keep_cookie(request, &response);
        let unusable = |source| match source {
            // Some proxy's page.
            XmlError::Malformed(_) | XmlError::Forbidden(_) if status != StatusCode::OK => {
                self.status(request, status)
            }
            XmlError::Cut(Some(source)) => VsphereError::Dropped {
                attempted: request.attempted.clone(),
                server: self.server.clone(),
                source: Box::new(source),
            },
            source => VsphereError::Unusable {
                attempted: request.attempted.clone(),
                server: self.server.clone(),
                source,
            },
        };
        let (envelope, taken) = read(response, stream, take).await.map_err(unusable)?;
        Ok((self.body(request, envelope)?, taken))
    }

    fn body(&self, request: &Request, envelope: Node) -> Result<Node, VsphereError> {
        let body = envelope.child("Body").and_then(|body| body.children().first());
        match body {
            Some(fault) if fault.name() == "Fault" => Err(VsphereError::Fault {
                attempted: request.attempted.clone(),
                server: self.server.clone(),
                fault: Box::new(Fault::soap(fault)),
            }),
            Some(answer) if answer.name().strip_suffix("Response") == Some(request.method) => {
                Ok(answer.clone())
            }
            _ => Err(VsphereError::Incomplete {
                attempted: request.attempted.clone(),
                server: self.server.clone(),
                missing: "SOAP body that belongs to the request",
            }),
        }
    }

    fn status(&self, request: &Request, status: StatusCode) -> VsphereError {
        VsphereError::Status {
            attempted: request.attempted.clone(),
            server: self.server.clone(),
            status: status.as_u16(),
        }
    }

    fn not_sent(&self, request: &Request, error: reqwest::Error) -> VsphereError {
        let (attempted, server) = (request.attempted.clone(), self.server.clone());
        if error.is_connect() {
            if let Some(problem) = self.findings.take() {
                return VsphereError::Certificate { attempted, server, problem: Box::new(problem) };
            }
            if error.is_timeout() {
                return VsphereError::Unreachable {
                    attempted,
                    server,
                    source: "no answer to the call".into(),
                };
            }
            return VsphereError::Unreachable { attempted, server, source: innermost(error) };
        }
        if error.is_timeout() {
            return VsphereError::TimedOut { attempted, server };
        }
        VsphereError::Dropped { attempted, server, source: innermost(error) }
    }

    /// Keeps the cookie that came with the answer to a login, or else the first one. A server gives one to everybody who
    /// comes without, also to a call that was under way when the session ended; such a late one must not take
    /// the place of a session that was made anew meanwhile.
    fn keep_cookie(&self, request: &Request, response: &Response) {
        let mut kept = self.cookie.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_some() && request.method != "Login" {
            return;
        }
        for header in response.headers().get_all(SET_COOKIE) {
            let pair = header.to_str().ok().and_then(|text| text.split(';').next()).map(str::trim);
            let ours = pair.filter(|pair| pair.split('=').next() == Some(SESSION_COOKIE));
            if let Some(mut value) = ours.and_then(|pair| HeaderValue::from_str(pair).ok()) {
                value.set_sensitive(true);
                *kept = Some(value);
            }
        }
    }
}

/// The cause at the bottom: what reqwest puts around it only repeats the address.
fn innermost(error: reqwest::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().into()
}

async fn read<T: Send + 'static>(
    mut response: Response,
    stream: Option<StreamAt>,
    mut take: impl FnMut(Node) -> Option<T> + Send + 'static,
) -> Result<(Node, Vec<T>), XmlError> {
    let broke = |error: reqwest::Error| io::Error::new(io::ErrorKind::UnexpectedEof, innermost(error));
    let mut head = BytesMut::new();
    let mut ended = false;
    while head.len() < SMALL && !ended {
        match response.chunk().await.map_err(|error| XmlError::Cut(Some(broke(error))))? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => ended = true,
        }
    }
    let mut taken = Vec::new();
    if ended {
        let root = parse(&head[..], Limits::USUAL, stream, |node| taken.extend(take(node)))?;
        return Ok((root, taken));
    }
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(8);
    let input = Chunks::new(head.freeze(), receiver);
    let parsing = tokio::task::spawn_blocking(move || {
        let root = parse(input, Limits::USUAL, stream, |node| taken.extend(take(node)))?;
        Ok((root, taken))
    });
    let mut total = SMALL;
    loop {
        let next = match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) => {
                total += chunk.len();
                if total > MOST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(chunk) }
            }
            Err(error) => Err(broke(error)),
        };
        let last = next.is_err();
        // The parser has stopped: it has what it wanted, or says itself why not.
        if sender.send(next).await.is_err() || last {
            break;
        }
    }
    drop(sender);
    parsing.await.unwrap_or_else(|error| Err(XmlError::Malformed(format!("the reader stopped: {error}"))))
}
