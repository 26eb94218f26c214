//! `/`, `/sign-in`, `/sign-out`, `/step-up`

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;

use crate::app::AppError;
use crate::web::carried::{self, Carried};
use crate::web::cx::{Cx, Typed, own_address, sentence, set_cookie, typed};
use crate::web::screens::access::{SignIn, StepUp};
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site, Trouble};

pub(crate) async fn root(cx: Cx) -> Redirect {
    Redirect::to(if cx.caller.principal.is_some() { "/replication" } else { "/sign-in" })
}

pub(crate) async fn sign_in_page(State(site): State<Site>, cx: Cx) -> Answer {
    if cx.caller.principal.is_some() {
        return Ok(Redirect::to(own_address(cx.asked("next"))).into_response());
    }
    let notice = match site.app.needs_setup().await? {
        true => Some(
            "Nobody can sign in yet. Open the one-time setup link that Zerfaux printed when it was started."
                .to_owned(),
        ),
        false => None,
    };
    draw(&cx, StatusCode::OK, notice, "", cx.asked("next"))
}

fn draw(cx: &Cx, status: StatusCode, notice: Option<String>, name: &str, next: &str) -> Answer {
    let page = cx.page("Sign in", Area::Replication);
    let (fields, next) = (SignIn::fields(name), next.to_owned());
    cx.draw_with(status, &SignIn { page, fields, notice, next, carried: None })
}

pub(crate) async fn sign_in(
    State(site): State<Site>,
    cx: Cx,
    headers: HeaderMap,
    Form(form): Typed,
) -> Answer {
    let (name, next) = (typed(&form, "name").trim(), typed(&form, "next"));
    let password = SecretString::from(typed(&form, "password"));
    let agent = headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    match site.app.sign_in(name, &password, &cx.caller.address, agent).await {
        Ok(signed_in) => {
            let mut response = match Carried::in_form(&form) {
                Some(carried) => carried::go_on(&cx, carried, signed_in.secret.form_token())?,
                None => Redirect::to(own_address(next)).into_response(),
            };
            set_cookie(&mut response, &site.cookies.set_session(&signed_in.secret));
            Ok(response)
        }
        Err(error @ (AppError::NotSignedIn | AppError::TooMany { .. })) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
            let wait = match &error {
                AppError::TooMany { until } => Some(until.duration_since(cx.now).as_secs().max(1)),
                _ => None,
            };
            let notice = match wait {
                Some(wait) => format!("Too many attempts. The next one is looked at in {wait} seconds."),
                None => sentence(&error.to_string()),
            };
            let mut response = match Carried::in_form(&form) {
                Some(carried) => carried::draw(&cx, status, Some(notice), name, &carried)?,
                None => draw(&cx, status, Some(notice), name, next)?,
            };
            if let Some(wait) = wait {
                response.headers_mut().insert("retry-after", wait.into());
            }
            Ok(response)
        }
        Err(error) => Err(Trouble(error)),
    }
}

pub(crate) async fn sign_out(State(site): State<Site>, cx: Cx) -> Answer {
    site.app.sign_out(cx.who()?).await?;
    let mut response: Response = Redirect::to("/sign-in").into_response();
    set_cookie(&mut response, &site.cookies.clear_session());
    // Nothing of this session stays in the browser.
    response.headers_mut().insert("clear-site-data", axum::http::HeaderValue::from_static("\"cache\""));
    Ok(response)
}

pub(crate) async fn step_up_page(cx: Cx) -> Answer {
    ask(&cx, StatusCode::OK, None, cx.asked("next"))
}

fn ask(cx: &Cx, status: StatusCode, error: Option<String>, next: &str) -> Answer {
    let fields = vec![Field::password("password", "Your password", "current-password").first().error(error)];
    let page = cx.page("Confirm your password", Area::Account);
    let purpose = "What you are about to do".to_owned();
    cx.draw_with(status, &StepUp { page, purpose, fields, next: own_address(next).to_owned() })
}

pub(crate) async fn step_up(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let next = own_address(typed(&form, "next"));
    match site.app.confirm(cx.who()?, &SecretString::from(typed(&form, "password"))).await {
        Ok(()) => Ok(Redirect::to(next).into_response()),
        Err(AppError::NotSignedIn) => {
            let error = "This is not your password.".to_owned();
            ask(&cx, StatusCode::UNPROCESSABLE_ENTITY, Some(error), next)
        }
        Err(error) => Err(Trouble(error)),
    }
}
