//! Errors as screens: what happened, why, what to do, and the id that is in the log.

use std::collections::HashMap;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::cx::{Cx, sentence};
use super::screens::error::{ErrorAlone, ErrorPage, ErrorView};
use super::view::navigation::Area;
use super::view::page::Link;
use super::{Caller, RequestId, Site};
use crate::app::AppError;
use crate::domain::causes::with_causes;

/// What is told about an error, to people and programs alike.
#[derive(Debug, Clone)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// A name for programs.
    pub code: &'static str,
    /// The sort of error in a few words.
    pub title: String,
    /// What was attempted on what, and what came of it.
    pub what: String,
    /// What to do.
    pub advice: Option<String>,
    /// Fields and what is wrong with them.
    pub fields: Vec<(String, String)>,
    /// What else a program wants to know: name and value.
    pub facts: Vec<(&'static str, String)>,
}

impl Told {
    /// What is told about an error of a use case. The causes of a failing database stay in the log: they may name
    /// files of this machine.
    pub fn of(error: &AppError) -> Self {
        let what = match error {
            AppError::Store { attempted, .. } => sentence(attempted),
            other => sentence(&with_causes(other)),
        };
        let fields = match error {
            AppError::Invalid { fields } => {
                fields.iter().map(|field| (field.field.to_owned(), sentence(&field.message))).collect()
            }
            _ => Vec::new(),
        };
        let facts = match error {
            AppError::Unproved { facts, .. } => facts.clone(),
            _ => Vec::new(),
        };
        let status = error.status();
        let advice = error.advice().map(str::to_owned);
        Self { status, code: error.code(), title: title(status).to_owned(), what, advice, fields, facts }
    }

    /// What is told where there is but a status, and perhaps a text of the layer that refused.
    pub fn of_status(status: u16, text: String) -> Self {
        let (code, what) = match status {
            404 => ("not-found", "There is nothing at this address.".to_owned()),
            405 => ("method-not-allowed", "This address does not take this method.".to_owned()),
            413 => ("too-large", "The request is too large.".to_owned()),
            400..500 if text.trim().is_empty() => ("refused", "The request could not be read.".to_owned()),
            400..500 => ("refused", sentence(text.trim())),
            503 => ("unavailable", "The request took too long.".to_owned()),
            _ => ("failed", "Something in Zerfaux went wrong.".to_owned()),
        };
        let advice = (status >= 500).then(|| {
            "Try again. If it stays, report it with the lines of the log that carry this id.".to_owned()
        });
        Self {
            status,
            code,
            title: title(status).to_owned(),
            what,
            advice,
            fields: Vec::new(),
            facts: Vec::new(),
        }
    }
}

fn title(status: u16) -> &'static str {
    match status {
        401 => "Not signed in",
        403 => "Not allowed",
        404 => "Not found",
        405 => "Not possible here",
        409 => "Does not fit how things stand",
        413 => "Too large",
        422 => "Not accepted",
        429 => "Too many attempts",
        424 => "Did not work",
        503 => "Not available now",
        400..500 => "Not understood",
        _ => "Something went wrong",
    }
}

/// The error as a page: inside the frame for those who are signed in.
pub async fn page(
    site: &Site,
    caller: Option<&Caller>,
    headers: &HeaderMap,
    path: &str,
    told: &Told,
    id: &RequestId,
) -> Response {
    let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let caller = caller.cloned().unwrap_or_default();
    let error = ErrorView {
        status: told.status,
        what: told.what.clone(),
        why: None,
        advice: told.advice.clone().unwrap_or_default(),
        id: id.0.clone(),
        ways_out: ways_out(told.status, caller.principal.is_some()),
    };
    let plain = || (status, format!("{}\n{}\n", told.what, id.0)).into_response();
    // With the database gone even the frame cannot be drawn; the words still can.
    let bare = Caller { principal: None, ..caller.clone() };
    let made = Cx::new(site, caller, headers, HashMap::new(), path.to_owned(), false).await;
    let (cx, framed) = match made {
        Ok(cx) => (cx, true),
        Err(_) => match Cx::new(site, bare, headers, HashMap::new(), path.to_owned(), false).await {
            Ok(cx) => (cx, false),
            Err(_) => return plain(),
        },
    };
    let frame = cx.page(told.title.clone(), area_of(path));
    let drawn = match framed && cx.caller.principal.is_some() {
        true => cx.draw_with(status, &ErrorPage { page: frame, error }),
        false => cx.draw_with(status, &ErrorAlone { page: frame, error }),
    };
    drawn.unwrap_or_else(|_| plain())
}

fn ways_out(status: u16, signed_in: bool) -> Vec<Link> {
    let link = |label: &str, address: &str| Link { label: label.to_owned(), address: address.to_owned() };
    match (status, signed_in) {
        (_, false) => vec![link("Sign in", "/sign-in")],
        (_, true) => vec![link("To the dashboard", "/replication"), link("Jobs", "/jobs")],
    }
}

/// The area that an address belongs to, so that the navigation shows where one is.
fn area_of(path: &str) -> Area {
    let all = Area::WORK.into_iter().chain(Area::SETUP);
    let mut all = all.chain([Area::Account]);
    all.find(|area| path.starts_with(area.address())).unwrap_or(Area::Replication)
}
