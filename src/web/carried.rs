//! What somebody typed into a form whose session had ended: it is carried through the sign-in, and sent once the person
//! says so. Nothing of it is kept here.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;

use super::cx::{Cx, own_address, set_cookie};
use super::screens::access::{GoOn, SignIn};
use super::view::navigation::Area;
use super::{Answer, Caller, Site};

/// A form that nobody was signed in for.
#[derive(Clone)]
pub struct Carried {
    /// Where it was sent.
    pub action: String,
    /// Where it stands.
    pub page: String,
    /// Its fields, without the session's token.
    pub fields: Vec<(String, String)>,
}

/// Fields that are not carried: they would be read by whoever signs in next at this browser.
const SECRET: [&str; 4] = ["password", "passphrase", "private_key", "secret"];

impl Carried {
    /// Whether it may be carried at all.
    pub fn is_harmless(&self) -> bool {
        self.fields.iter().all(|(name, _)| !SECRET.iter().any(|secret| name.contains(secret)))
    }

    /// From the fields of the sign-in's form; none if it carries nothing.
    pub(super) fn in_form(form: &HashMap<String, String>) -> Option<Self> {
        let text = |name: &str| form.get(name).filter(|text| !text.is_empty());
        let action = text("carried_to")?.clone();
        let own =
            action.starts_with('/') && !action.starts_with("//") && !action.contains(['\\', '\n', '\r']);
        let fields = serde_json::from_str(text("carried")?).ok().filter(|_| own)?;
        let page = form.get("next").cloned().unwrap_or_default();
        Some(Self { action, page, fields }).filter(Self::is_harmless)
    }

    /// The fields in one, for the sign-in's form.
    pub(super) fn in_one(&self) -> String {
        serde_json::to_string(&self.fields).unwrap_or_default()
    }
}

/// The sign-in, in the place of what the form would have led to.
pub async fn sign_in(
    site: &Site,
    caller: Option<&Caller>,
    headers: &HeaderMap,
    carried: Carried,
) -> Response {
    let caller = caller.cloned().unwrap_or_default();
    // The form's token belongs to this cookie, for a browser that has none but that of the old session.
    let fresh = caller.fresh_cookie.clone();
    let cx = Cx::new(site, caller, headers, HashMap::new(), carried.page.clone(), false).await;
    let notice = "Your session has ended. Sign in to go on: what you typed is still here.";
    let drawn = cx.and_then(|cx| draw(&cx, StatusCode::UNAUTHORIZED, Some(notice.to_owned()), "", &carried));
    let mut response = drawn.unwrap_or_else(|_| StatusCode::UNAUTHORIZED.into_response());
    if let Some(cookie) = fresh {
        set_cookie(&mut response, &cookie);
    }
    response
}

pub(super) fn draw(
    cx: &Cx,
    status: StatusCode,
    notice: Option<String>,
    name: &str,
    carried: &Carried,
) -> Answer {
    let page = cx.page("Sign in", Area::Replication);
    let fields = SignIn::fields(name);
    let next = carried.page.clone();
    cx.draw_with(
        status,
        &SignIn { page, fields, notice, next, carried: Some((carried.action.clone(), carried.in_one())) },
    )
}

/// Asks whether what was typed shall be sent now, with the token of the new session.
pub(super) fn go_on(cx: &Cx, carried: Carried, token: String) -> Answer {
    let mut page = cx.page("You are signed in again", Area::Replication);
    page.csrf = token;
    let back = own_address(&carried.page).to_owned();
    cx.draw(&GoOn { page, action: carried.action, fields: carried.fields, back })
}
