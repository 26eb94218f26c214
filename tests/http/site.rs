//! An installation with an admin, an operator and a viewer, and the browsers and programs that visit it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use zerfaux::app::settings::Presented;
use zerfaux::app::{App, Principal};
use zerfaux::domain::access::Role;
use zerfaux::engine::ManualClock;
use zerfaux::server::{Options, Tls, router};

pub const HOST: &str = "zerfaux.test:8443";
pub const PASSWORD: &str = "canary-password-4711";

/// An installation.
pub struct Site {
    pub app: App,
    pub router: Router,
    pub listed: Vec<(String, String)>,
    pub clock: Arc<ManualClock>,
    pub data: Data,
    pub closing: CancellationToken,
}

/// The data directory: one that goes with the site, or one that somebody else keeps.
pub enum Data {
    Own(tempfile::TempDir),
    Theirs(PathBuf),
}

impl Data {
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(directory) => directory.path(),
            Self::Theirs(path) => path,
        }
    }
}

/// What came back.
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e} in {} {}", self.status, self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.text.contains(words), "{words:?} is not in {} {}", self.status, self.text);
        self
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn leads_to(self, address: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.header("location")), (303, address), "{}", self.text);
        self
    }
}

impl Site {
    /// Without any user.
    pub async fn empty() -> Self {
        Self::opened(tempfile::tempdir().unwrap()).await
    }

    /// Over what is in this data directory.
    pub async fn opened(data: tempfile::TempDir) -> Self {
        Self::open(Data::Own(data)).await
    }

    /// In a data directory of somebody else's, with the three users.
    pub async fn in_directory(data: &Path) -> Self {
        let site = Self::open(Data::Theirs(data.to_owned())).await;
        site.add_users().await;
        site
    }

    async fn open(data: Data) -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()));
        let app = zerfaux::boot::serving(data.path(), None).await.unwrap().with_clock(clock.clone());
        Self::over(app, clock, data)
    }

    fn over(app: App, clock: Arc<ManualClock>, data: Data) -> Self {
        let options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: Tls::SelfSigned(data.path().join("tls")),
            simulated: false,
        };
        let closing = CancellationToken::new();
        let routes = router(app.clone(), &options, closing.clone());
        Self { app, router: routes.router, listed: routes.listed, clock, data, closing }
    }

    /// The same installation showing this certificate.
    pub fn showing(self, shown: Presented) -> Self {
        let Self { app, clock, data, .. } = self;
        Self::over(app.with_certificate(move || shown.clone()), clock, data)
    }

    /// The same installation after its process ended and began again.
    pub async fn restarted(self) -> Self {
        let Self { app, router, clock, data, .. } = self;
        app.close().await;
        drop((app, router));
        let app = zerfaux::boot::serving(data.path(), None).await.unwrap().with_clock(clock.clone());
        Self::over(app, clock, data)
    }

    /// With the users admin, operator and viewer.
    pub async fn new() -> Self {
        let site = Self::empty().await;
        site.add_users().await;
        site
    }

    async fn add_users(&self) {
        for role in Role::ALL {
            let password = SecretString::from(PASSWORD);
            let who = Principal::command_line();
            self.app.add_user(&who, role.as_str(), role.as_str(), &password).await.unwrap();
        }
    }

    /// A token with this role.
    pub async fn token(&self, name: &str, role: Role) -> String {
        let who = Principal::command_line();
        let (_, secret) = self.app.create_token(&who, name, role.as_str(), None).await.unwrap();
        secret.reveal().to_owned()
    }

    pub async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 * 1024 * 1024).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Got { status: parts.status, headers: parts.headers, text }
    }

    /// A request of a program.
    pub async fn program(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Got {
        self.program_with(token, method, path, body, &[]).await
    }

    pub async fn program_with(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Got {
        let mut request = Request::builder().method(method).uri(path).header("host", HOST);
        request = request.header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    /// A browser with nothing in it.
    pub fn browser(&self) -> Browser<'_> {
        Browser { site: self, cookies: BTreeMap::new(), token: String::new() }
    }

    /// A browser in which somebody has signed in.
    pub async fn signed_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        browser.sign_in(name, PASSWORD).await.leads_to("/replication");
        browser.get("/account").await.expect(200);
        browser
    }
}

/// A browser: keeps cookies, and the token of the last page's forms.
pub struct Browser<'a> {
    pub site: &'a Site,
    pub cookies: BTreeMap<String, String>,
    pub token: String,
}

impl Browser<'_> {
    pub async fn get(&mut self, path: &str) -> Got {
        self.ask("GET", path, None, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Sends a form with the token of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Got {
        let token = self.token.clone();
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        let headers = [("sec-fetch-site", "same-origin"), ("origin", "https://zerfaux.test:8443")];
        self.ask("POST", path, Some(encode(&all)), &headers).await
    }

    /// Sends whatever is wanted.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        form: Option<String>,
        headers: &[(&str, &str)],
    ) -> Got {
        let mut request = Request::builder().method(method).uri(path).header("host", HOST);
        if !self.cookies.is_empty() {
            let sent: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", sent.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match form {
            Some(form) => {
                request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(form))
            }
            None => request.body(Body::empty()),
        };
        let got = self.site.send(request.unwrap()).await;
        for cookie in got.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some((_, rest)) = got.text.split_once("name=\"csrf\" value=\"") {
            self.token = rest.split('"').next().unwrap().to_owned();
        }
        got
    }

    pub async fn sign_in(&mut self, name: &str, password: &str) -> Got {
        self.get("/sign-in").await.expect(200);
        self.post("/sign-in", &[("name", name), ("password", password)]).await
    }
}

/// Fields as a form sends them.
pub fn encode(fields: &[(&str, &str)]) -> String {
    let escape = zerfaux::web::view::list::in_query;
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

/// A path of the table with its captures filled in, so that it meets its route.
pub fn filled(path: &str) -> String {
    path.replace("{id}", "01937c5e-0000-7000-8000-000000000001")
        .replace("{vcenter}", "01937c5e-0000-7000-8000-000000000001")
        .replace("{moref}", "vm-1")
        .replace("{name}", "nobody")
        .replace("{*path}", "app.css")
}
