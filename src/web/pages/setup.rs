//! `/setup`: the one-time link of the first start.

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use crate::app::FieldError;
use crate::auth::secret::Secret;
use crate::web::cx::{Cx, Typed, beside, error_of, set_cookie, typed};
use crate::web::screens::access::{RecoveryKey, Setup};
use crate::web::view::form::Field;
use crate::web::view::list::in_query;
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site, Trouble};

use crate::app::AppError;

fn used_up() -> Trouble {
    Trouble(AppError::Denied(
        "This setup link is not, or no longer, good: a newer one was printed, or the first user exists already. \
         Use the link that Zerfaux printed last, or sign in."
            .to_owned(),
    ))
}

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let code = cx.asked("code");
    if !site.app.is_setup_code(&Secret::sent(code)).await? {
        return Err(used_up());
    }
    draw(&cx, StatusCode::OK, "admin", code, &[])
}

fn draw(cx: &Cx, status: StatusCode, name: &str, code: &str, errors: &[FieldError]) -> Answer {
    let error = |field| error_of(errors, field);
    let fields = vec![
        Field::line("name", "Your name here")
            .value(name)
            .autocomplete("username")
            .first()
            .error(error("name")),
        Field::password("password", "Password", "new-password")
            .hint("At least 8 characters; 15 or more are better. Any characters.")
            .error(error("password")),
        Field::password("again", "The same password again", "new-password").error(error("again")),
    ];
    let page = cx.page("Set up Zerfaux", Area::Replication);
    cx.draw_with(status, &Setup { page, action: format!("/setup?code={}", in_query(code)), fields })
}

pub(crate) async fn set_up(
    State(site): State<Site>,
    cx: Cx,
    headers: HeaderMap,
    Form(form): Typed,
) -> Answer {
    let (code, name) = (cx.asked("code").to_owned(), typed(&form, "name").trim());
    let password = SecretString::from(typed(&form, "password"));
    if typed(&form, "again") != password.expose_secret() {
        let field = FieldError { field: "again", message: "The two passwords differ.".to_owned() };
        return draw(&cx, StatusCode::UNPROCESSABLE_ENTITY, name, &code, &[field]);
    }
    let agent = headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let made = site.app.set_up(&Secret::sent(&code), name, &password, &cx.caller.address, agent).await;
    let signed_in = match made {
        Ok(signed_in) => signed_in,
        Err(AppError::Denied(_)) => return Err(used_up()),
        Err(error) => {
            return draw(&cx, StatusCode::UNPROCESSABLE_ENTITY, name, &code, &beside(error, "name")?);
        }
    };
    // The user is there now, whatever becomes of the recovery key; it can be made under Settings as well.
    let key = site.app.make_recovery_key(&signed_in.who).await;
    let mut response = match key {
        Ok(key) => {
            let page = cx.page("Your recovery key", Area::Replication);
            let key = key.expose_secret().to_owned();
            cx.draw(&RecoveryKey { page, key, next: "/replication".to_owned() })?
        }
        Err(error) => {
            tracing::warn!("no recovery key was made at setup: {error}");
            crate::web::cx::done(&site, "/settings", "You are signed in. Make a recovery key here.")
        }
    };
    set_cookie(&mut response, &site.cookies.set_session(&signed_in.secret));
    Ok(response)
}
