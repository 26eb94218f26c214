//! What a page handler knows about its request, and how it answers.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html as HtmlBody, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::view::navigation::Area;
use super::view::page::{Theme, Toast, Viewer};
use super::view::status::Mark;
use super::view::{Html, Page, when};
use super::{Answer, Caller, Site, Trouble, assets};
use crate::app::{AppError, FieldError, Principal};
use crate::domain::access::Role;

/// One request, as a page sees it.
#[derive(Debug)]
pub(super) struct Cx {
    /// Who asks.
    pub(super) caller: Caller,
    /// The fields of the address.
    pub(super) query: HashMap<String, String>,
    /// Now.
    pub(super) now: Timestamp,
    /// The zone in which times are written; app.js does not change it.
    pub(super) zone: TimeZone,
    address: String,
    fragment: bool,
    theme: Theme,
    message: Option<String>,
    clear_message: String,
    working: u64,
    simulated: bool,
}

impl FromRequestParts<Site> for Cx {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Trouble> {
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri).map(|query| query.0);
        let address = parts.uri.path_and_query().map_or("/", |address| address.as_str()).to_owned();
        let fragment = parts.headers.contains_key("hx-request");
        Self::new(site, caller, &parts.headers, query.unwrap_or_default(), address, fragment).await
    }
}

impl Cx {
    pub(super) async fn new(
        site: &Site,
        caller: Caller,
        headers: &HeaderMap,
        query: HashMap<String, String>,
        address: String,
        fragment: bool,
    ) -> Result<Self, Trouble> {
        let sent: Vec<&str> =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
        let working = if caller.principal.is_some() { site.app.working_jobs().await? } else { 0 };
        Ok(Self {
            theme: site.cookies.theme(&sent).map(|name| Theme::parse(&name)).unwrap_or_default(),
            message: site.cookies.message(&sent).filter(|_| !fragment),
            clear_message: site.cookies.clear_message(),
            now: site.app.now(),
            zone: TimeZone::system(),
            simulated: site.simulated,
            caller,
            query,
            address,
            fragment,
            working,
        })
    }

    /// Who is signed in. The guard has seen to it that somebody is, where the table says so.
    ///
    /// # Errors
    /// If nobody is.
    pub(super) fn who(&self) -> Result<&Principal, Trouble> {
        self.caller.principal.as_ref().ok_or(Trouble(AppError::SignInNeeded))
    }

    /// Whether the one who asks has this role.
    pub(super) fn may(&self, role: Role) -> bool {
        self.caller.principal.as_ref().is_some_and(|who| who.role >= role)
    }

    /// Whether only a part of the page is asked for.
    pub(super) fn wants_fragment(&self) -> bool {
        self.fragment
    }

    /// A field of the address; empty if it is not there.
    pub(super) fn asked(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The page of a list that is asked for, from 1.
    pub(super) fn page_number(&self) -> u64 {
        self.asked("page").parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    /// The frame of a page.
    pub(super) fn page(&self, title: impl Into<String>, area: Area) -> Page {
        let toasts = self.message.iter().map(|message| Toast { mark: Mark::Met, message: message.clone() });
        let user = self.caller.principal.as_ref();
        Page {
            title: title.into(),
            area,
            user: user.map(|who| Viewer { name: who.name.clone(), role: who.role.to_string() }),
            csrf: self.caller.form_token.clone().unwrap_or_default(),
            simulated: self.simulated,
            theme: self.theme,
            address: self.address.clone(),
            working: self.working,
            now: self.now.as_second(),
            version: env!("CARGO_PKG_VERSION"),
            toasts: toasts.collect(),
            crumbs: Vec::new(),
            assets: assets::address,
        }
    }

    /// How long ago.
    pub(super) fn ago(&self, at: Timestamp) -> Html {
        when::relative(at, self.now, &self.zone)
    }

    /// The page or fragment as an answer.
    pub(super) fn draw(&self, template: &impl Template) -> Answer {
        self.draw_with(StatusCode::OK, template)
    }

    /// The same with another status: a form with errors is 422, which htmx and browsers both show.
    pub(super) fn draw_with(&self, status: StatusCode, template: &impl Template) -> Answer {
        let mut html = template.render().map_err(|error| {
            let why =
                crate::domain::job::Failure::permanent(format!("The page could not be drawn: {error}."));
            Trouble(AppError::Failed(why))
        })?;
        if self.fragment {
            // What moves a fragment on moves the number beside Jobs in the navigation as well.
            let count = match self.working {
                0 => String::new(),
                count => format!(
                    "<span class=\"count\">{count}<span class=\"visually-hidden\"> running</span></span>"
                ),
            };
            html.push_str(&format!("<span id=\"jobs-count\" hx-swap-oob=\"true\">{count}</span>"));
        }
        let mut response = (status, HtmlBody(html)).into_response();
        if self.message.is_some() {
            set_cookie(&mut response, &self.clear_message);
        }
        Ok(response)
    }
}

/// Adds a cookie to an answer.
pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Leads on after something was done, with a message that is shown there once.
pub(super) fn done(site: &Site, address: &str, message: &str) -> Response {
    let mut response = Redirect::to(address).into_response();
    set_cookie(&mut response, &site.cookies.set_message(message));
    response
}

/// An address of ours to go to; anything else becomes the dashboard, so that nobody is led away.
pub(super) fn own_address(wanted: &str) -> &str {
    let own =
        wanted.starts_with('/') && !wanted.starts_with("//") && !wanted.contains(['\\', '\n', '\r', '\t']);
    if own && !wanted.starts_with("/sign-in") { wanted } else { "/replication" }
}

/// What was typed into a form.
pub(super) type Typed = axum::Form<HashMap<String, String>>;

/// What was typed into one field; empty if it was not sent.
pub(super) fn typed<'a>(form: &'a HashMap<String, String>, name: &str) -> &'a str {
    form.get(name).map(String::as_str).unwrap_or_default()
}

/// What is wrong with a field, if it is among those.
pub(super) fn error_of(fields: &[FieldError], name: &str) -> Option<String> {
    fields.iter().find(|field| field.field == name).map(|field| sentence(&field.message))
}

/// A message that begins in lower case, as a sentence. What is no word but a name, of a dataset or a snapshot, keeps its
/// letters: somebody may copy it.
pub(super) fn sentence(text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    let is_word =
        first.trim_end_matches([',', ':', ';', '.']).chars().all(|one| one.is_alphabetic() || one == '\'');
    let mut letters = text.chars();
    let mut sentence: String = match is_word {
        true => letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect(),
        false => text.to_owned(),
    };
    if !sentence.ends_with(['.', '?', '"']) && !sentence.is_empty() {
        sentence.push('.');
    }
    sentence
}

/// Errors that stand beside fields: those of an invalid form, and a conflict beside the field that it is about. Every
/// other error goes on as it is.
pub(super) fn beside(error: AppError, conflict: &'static str) -> Result<Vec<FieldError>, Trouble> {
    match error {
        AppError::Invalid { fields } => Ok(fields),
        AppError::Conflict(message) => Ok(vec![FieldError { field: conflict, message }]),
        other => Err(Trouble(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site_after_signing_in() {
        assert_eq!(own_address("/jobs?state=failed"), "/jobs?state=failed");
        for foreign in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "",
            "/sign-in",
        ] {
            assert_eq!(own_address(foreign), "/replication", "{foreign}");
        }
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(sentence("there is no job"), "There is no job.");
        assert_eq!(sentence("Already one."), "Already one.");
        assert_eq!(sentence("tank/erp is held"), "tank/erp is held.");
        assert_eq!(sentence("zx-1 was taken"), "zx-1 was taken.");
    }
}
