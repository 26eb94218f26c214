//! `/settings`

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret;

use crate::app::settings::Settings as Saved;
use crate::app::{AppError, FieldError};
use crate::web::cx::{Cx, Typed, done, error_of, typed};
use crate::web::screens::access::RecoveryKey;
use crate::web::screens::settings::{Settings, SettingsGroup};
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::view::{Html, html};
use crate::web::{Answer, Site};

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    draw(&site, &cx, StatusCode::OK, Asked::from(site.app.settings()), &[]).await
}

async fn draw(site: &Site, cx: &Cx, status: StatusCode, asked: Asked, errors: &[FieldError]) -> Answer {
    let word = |yes: bool| if yes { "yes" } else { "no" };
    let has_key = site.app.has_recovery_key().await?;
    let text = |text: &str| Html(html::escape(text).to_string());
    let mut fixed = vec![("Simulated sites".to_owned(), text(word(site.simulated)))];
    if let Some(shown) = site.app.certificate() {
        let made = if shown.self_signed { "self-signed" } else { "from files" };
        let until =
            shown.certificate.not_after.map(|at| format!(", valid until {}", at.strftime("%Y-%m-%d")));
        let said = format!("{made}: {}{}", shown.certificate.subject, until.unwrap_or_default());
        fixed.push(("Certificate".to_owned(), text(&said)));
        fixed.push(("Its SHA-256 fingerprint".to_owned(), text(&shown.certificate.thumbprint.to_string())));
    }
    let groups = groups(&asked, errors);
    cx.draw_with(status, &Settings { page: cx.page("Settings", Area::Settings), groups, has_key, fixed })
}

/// The settings as they stand in the form.
struct Asked {
    idle: String,
    hours: String,
    days: String,
    per_appliance: String,
    per_vcenter: String,
}

impl From<Saved> for Asked {
    fn from(saved: Saved) -> Self {
        Self {
            idle: saved.session_idle_minutes.to_string(),
            hours: saved.session_hours.to_string(),
            days: saved.history_days.map(|days| days.to_string()).unwrap_or_default(),
            per_appliance: saved.runs_per_appliance.to_string(),
            per_vcenter: saved.runs_per_vcenter.to_string(),
        }
    }
}

fn groups(asked: &Asked, errors: &[FieldError]) -> Vec<SettingsGroup> {
    let error = |name: &str| error_of(errors, name);
    vec![
        SettingsGroup {
            name: "sessions",
            heading: "Sessions",
            lead: "How long somebody stays signed in. In force at once, for those who are signed in too.",
            fields: vec![
                Field::number("session_idle_minutes", "Over after")
                    .value(&asked.idle)
                    .unit("minutes without use")
                    .error(error("session_idle_minutes")),
                Field::number("session_hours", "Over in any case after")
                    .value(&asked.hours)
                    .unit("hours")
                    .error(error("session_hours")),
            ],
        },
        SettingsGroup {
            name: "history",
            heading: "History",
            lead: "How long jobs that have ended are kept, with their consoles. The audit log is kept for ever.",
            fields: vec![
                Field::number("history_days", "Keep jobs for")
                    .value(&asked.days)
                    .unit("days")
                    .optional()
                    .hint("Empty: for ever.")
                    .error(error("history_days")),
            ],
        },
        SettingsGroup {
            name: "runs",
            heading: "Runs of protection groups",
            lead: "How many go on at a time. A group that is due and finds no room waits for its turn, and says so.",
            fields: vec![
                Field::number("runs_per_appliance", "On one appliance")
                    .value(&asked.per_appliance)
                    .unit("runs at most")
                    .error(error("runs_per_appliance")),
                Field::number("runs_per_vcenter", "For one vCenter")
                    .value(&asked.per_vcenter)
                    .unit("runs at most")
                    .error(error("runs_per_vcenter")),
            ],
        },
    ]
}

pub(crate) async fn sessions(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let now = site.app.settings();
    let (idle, hours) = (typed(&form, "session_idle_minutes").trim(), typed(&form, "session_hours").trim());
    // What is no number is outside every limit.
    let wanted = Saved {
        session_idle_minutes: idle.parse().unwrap_or(0),
        session_hours: hours.parse().unwrap_or(0),
        ..now
    };
    let asked = Asked { idle: idle.to_owned(), hours: hours.to_owned(), ..Asked::from(now) };
    save(&site, &cx, wanted, asked).await
}

pub(crate) async fn history(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let (now, days) = (site.app.settings(), typed(&form, "history_days").trim());
    let history_days = (!days.is_empty()).then(|| days.parse().unwrap_or(0));
    let asked = Asked { days: days.to_owned(), ..Asked::from(now) };
    save(&site, &cx, Saved { history_days, ..now }, asked).await
}

pub(crate) async fn runs(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let now = site.app.settings();
    let (appliance, vcenter) =
        (typed(&form, "runs_per_appliance").trim(), typed(&form, "runs_per_vcenter").trim());
    let wanted = Saved {
        runs_per_appliance: appliance.parse().unwrap_or(0),
        runs_per_vcenter: vcenter.parse().unwrap_or(0),
        ..now
    };
    let asked =
        Asked { per_appliance: appliance.to_owned(), per_vcenter: vcenter.to_owned(), ..Asked::from(now) };
    save(&site, &cx, wanted, asked).await
}

async fn save(site: &Site, cx: &Cx, wanted: Saved, asked: Asked) -> Answer {
    match site.app.save_settings(cx.who()?, wanted).await {
        Ok(()) => Ok(done(site, "/settings", "The settings are saved and in force.")),
        Err(AppError::Invalid { fields }) => {
            draw(site, cx, StatusCode::UNPROCESSABLE_ENTITY, asked, &fields).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn recovery_key(State(site): State<Site>, cx: Cx) -> Answer {
    let key = site.app.make_recovery_key(cx.who()?).await?;
    let page = cx.page("Your recovery key", Area::Settings);
    cx.draw(&RecoveryKey { page, key: key.expose_secret().to_owned(), next: "/settings".to_owned() })
}
